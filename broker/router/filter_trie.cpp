#include "broker/router/filter_trie.hpp"

namespace airmail::router {

filter_trie::filter_trie() { nodes_.emplace_back(); }

std::uint32_t filter_trie::find(std::string_view filter) const {
    levels const l{filter};
    std::uint32_t at = 0;
    for (std::uint32_t i = 0; i < l.count(); ++i) {
        if (l.text(i) == "#") return nodes_[at].rest;
        at = l.text(i) == "+" ? nodes_[at].plus : child(at, l.hash(i), l.text(i));
        if (at == none) return none;
    }
    return nodes_[at].value;
}

std::uint32_t filter_trie::make(std::uint32_t parent, std::uint32_t hash, std::string_view text, bool plus) {
    std::uint32_t id;
    if (free_.empty()) {
        id = static_cast<std::uint32_t>(nodes_.size());
        nodes_.emplace_back();
    } else {
        id = free_.back();
        free_.pop_back();
        nodes_[id] = {};
    }
    node& n = nodes_[id];
    n.parent = parent;
    n.is_plus = plus;
    if (plus) {
        nodes_[parent].plus = id;
        return id;
    }
    n.hash = hash;
    n.text = texts_.put(text);
    n.size = static_cast<std::uint16_t>(text.size());
    edges_.insert(edge(parent, hash), id);
    ++nodes_[parent].children;
    return id;
}

void filter_trie::insert(std::string_view filter, std::uint32_t value) {
    levels const l{filter};
    assert(l.ok());
    ++size_;
    std::uint32_t at = 0;
    for (std::uint32_t i = 0; i < l.count(); ++i) {
        if (l.text(i) == "#") {
            assert(nodes_[at].rest == none);
            nodes_[at].rest = value;
            return;
        }
        bool const plus = l.text(i) == "+";
        auto next = plus ? nodes_[at].plus : child(at, l.hash(i), l.text(i));
        at = next != none ? next : make(at, l.hash(i), l.text(i), plus);
    }
    assert(nodes_[at].value == none);
    nodes_[at].value = value;
}

std::uint32_t filter_trie::erase(std::string_view filter) {
    levels const l{filter};
    std::uint32_t at = 0, value = none;
    bool rest = false;
    for (std::uint32_t i = 0; i < l.count() && !rest; ++i) {
        if (l.text(i) == "#") {
            rest = true;
            break;
        }
        at = l.text(i) == "+" ? nodes_[at].plus : child(at, l.hash(i), l.text(i));
        if (at == none) return none;
    }
    std::swap(rest ? nodes_[at].rest : nodes_[at].value, value);
    if (value == none) return none;
    --size_;
    prune(at);
    if (texts_.wasteful()) compact();
    return value;
}

void filter_trie::prune(std::uint32_t at) {
    while (at != 0) {
        node& n = nodes_[at];
        if (n.children || n.plus != none || n.rest != none || n.value != none) return;
        auto const parent = n.parent;
        if (n.is_plus) nodes_[parent].plus = none;
        else {
            edges_.erase(edge(parent, n.hash), at);
            texts_.drop(n.size);
            --nodes_[parent].children;
        }
        n.parent = none;
        free_.push_back(at);
        at = parent;
    }
}

void filter_trie::compact() {
    text_arena fresh;
    for (std::size_t i = 1; i < nodes_.size(); ++i) {
        node& n = nodes_[i];
        if (n.parent != none && !n.is_plus) n.text = fresh.put(texts_.at(n.text, n.size));
    }
    texts_ = std::move(fresh);
}

std::size_t filter_trie::footprint() const {
    return nodes_.size() * sizeof(node) + edges_.footprint() + texts_.footprint() + free_.capacity() * 4;
}

}
