#include "broker/router/retained.hpp"

namespace airmail::router {

std::uint32_t retained::seek(levels const& l) const {
    std::uint32_t at = 0;
    for (std::uint32_t i = 0; i < l.count(); ++i)
        if ((at = child(at, l.hash(i), l.text(i))) == none) return none;
    return at;
}

std::uint32_t retained::make(std::uint32_t parent, std::uint32_t hash, std::string_view text) {
    std::uint32_t id;
    if (free_.empty()) id = static_cast<std::uint32_t>(nodes_.size()), nodes_.emplace_back();
    else id = free_.back(), free_.pop_back();
    node& n = nodes_[id];
    n.parent = parent, n.hash = hash, n.used = true;
    n.text = texts_.put(text);
    n.size = static_cast<std::uint16_t>(text.size());
    n.prev = none, n.next = nodes_[parent].child;
    if (n.next != none) nodes_[n.next].prev = id;
    nodes_[parent].child = id;
    edges_.insert(edge(parent, hash), id);
    return id;
}

void retained::count_identity(storage::message const& m, int by) {
    auto const key = keyed_hash(m.identity());
    if (by > 0) ++per_identity_[key];
    else if (auto i = per_identity_.find(key); i != per_identity_.end() && --i->second == 0) per_identity_.erase(i);
}

bool retained::set(storage::message_ptr m, std::uint32_t per_identity) {
    levels const l{m->topic()};
    if (!l.ok()) return false;
    auto at = seek(l);
    if (m->payload().empty()) {
        if (at != none && nodes_[at].message) clear(at);
        return true;
    }
    bool const replaces = at != none && nodes_[at].message;
    if (!replaces) {
        if (count_ >= bounds_.messages) return false;
        if (per_identity && !m->identity().empty())
            if (auto i = per_identity_.find(keyed_hash(m->identity())); i != per_identity_.end() && i->second >= per_identity) return false;
    }
    if (bytes_ + m->footprint() > bounds_.bytes + (replaces ? nodes_[at].message->footprint() : 0)) return false;
    if (at == none) {
        at = 0;
        for (std::uint32_t i = 0; i < l.count(); ++i) {
            auto const next = child(at, l.hash(i), l.text(i));
            at = next != none ? next : make(at, l.hash(i), l.text(i));
        }
    }
    node& n = nodes_[at];
    if (n.message) {
        bytes_ -= n.message->footprint();
        --count_;
        count_identity(*n.message, -1);
    }
    bytes_ += m->footprint();
    ++count_;
    count_identity(*m, +1);
    n.message = std::move(m);
    return true;
}

storage::message_ptr retained::find(std::string_view topic) const {
    levels const l{topic};
    if (!l.ok()) return nullptr;
    auto const at = seek(l);
    return at == none ? nullptr : nodes_[at].message;
}

std::size_t retained::sweep(std::int64_t now, std::size_t nodes) {
    std::size_t gone = 0;
    for (auto left = std::min(nodes, nodes_.size()); left > 0; --left) {
        swept_ = swept_ + 1 < nodes_.size() ? swept_ + 1 : 0;
        if (auto const& m = nodes_[swept_].message; m && expired(*m, now)) clear(static_cast<std::uint32_t>(swept_)), ++gone;
    }
    return gone;
}

void retained::clear(std::uint32_t at) {
    node& n = nodes_[at];
    bytes_ -= n.message->footprint();
    --count_;
    count_identity(*n.message, -1);
    n.message.reset();
    prune(at);
}

void retained::prune(std::uint32_t at) {
    while (at != 0 && nodes_[at].child == none && !nodes_[at].message) {
        node& n = nodes_[at];
        auto const parent = n.parent;
        if (n.prev != none) nodes_[n.prev].next = n.next;
        else nodes_[parent].child = n.next;
        if (n.next != none) nodes_[n.next].prev = n.prev;
        edges_.erase(edge(parent, n.hash), at);
        texts_.drop(n.size);
        n = {};
        free_.push_back(at);
        at = parent;
    }
    if (!texts_.wasteful()) return;
    text_arena fresh;
    for (auto& n : nodes_)
        if (n.used) n.text = fresh.put(texts_.at(n.text, n.size));
    texts_ = std::move(fresh);
}

}
