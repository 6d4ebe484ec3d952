#include "broker/router/topic_tree.hpp"

namespace airmail::router {

std::uint32_t topic_tree::find(std::string_view text) const {
    return wild(text) ? wild_.find(text) : find_exact(text, keyed_hash(text));
}

std::uint32_t topic_tree::find_or_make(std::string_view text, bool record) {
    if (auto const id = find(text); id != filter_trie::none) return id;
    ++version_;
    std::uint32_t id;
    if (free_.empty()) {
        id = static_cast<std::uint32_t>(filters_.size());
        filters_.emplace_back();
    } else {
        id = free_.back();
        free_.pop_back();
    }
    filter& f = filters_[id];
    f.text = texts_.put(text);
    f.size = static_cast<std::uint16_t>(text.size());
    f.wild = !record && wild(text);
    f.used = true;
    if (f.wild) wild_.insert(text, id);
    else exact_.insert(static_cast<std::uint32_t>(keyed_hash(text)), id);
    return id;
}

std::uint32_t topic_tree::append(filter& f, subscriber const& s) {
    ++subscriptions_;
    if (!f.many && f.one.is == subscriber::nobody) {
        f.one = s;
        return 0;
    }
    if (!f.many) {
        f.many = std::make_unique<std::vector<subscriber>>();
        f.many->reserve(4);
        f.many->push_back(f.one);
    }
    f.many->push_back(s);
    return static_cast<std::uint32_t>(f.many->size() - 1);
}

topic_tree::added topic_tree::subscribe(std::string_view text, session::session& who, std::uint32_t sub_id, options how, bool record) {
    auto const id = find_or_make(text, record);
    filter& f = filters_[id];
    for (auto const& r : who.filters) {
        if (r.filter != id) continue;
        auto& s = subscribers(f)[r.position];
        s.id = sub_id, s.how = how;
        return {false, false, id};
    }
    bool const first = subscribers(f).empty();
    auto const position = append(f, {&who, sub_id, how, record ? subscriber::record : subscriber::client});
    who.filters.push_back({id, position});
    return {true, first, id};
}

topic_tree::removed topic_tree::unsubscribe(std::string_view text, session::session& who) {
    auto const id = find(text);
    if (id == filter_trie::none) return {};
    auto const ref = std::ranges::find(who.filters, id, &session::filter_ref::filter);
    if (ref == who.filters.end()) return {};
    auto const position = ref->position;
    *ref = who.filters.back();
    who.filters.pop_back();
    removed r{true};
    r.id = id;
    r.record = subscribers(filters_[id])[position].is == subscriber::record;
    take_out(id, position);
    r.last = !filters_[id].used;
    return r;
}

void topic_tree::take_out(std::uint32_t id, std::uint32_t position) {
    filter& f = filters_[id];
    --subscriptions_;
    if (!f.many) return forget(id);
    auto& list = *f.many;
    if (position + 1 != list.size()) {
        list[position] = list.back();
        // The one that moved must know its new place.
        if (list[position].who)
            for (auto& r : list[position].who->filters)
                if (r.filter == id) r.position = position;
    }
    list.pop_back();
    if (list.empty()) forget(id);
}

void topic_tree::forget(std::uint32_t id) {
    ++version_;
    filter& f = filters_[id];
    auto const name = text(id);
    if (f.wild) wild_.erase(name);
    else exact_.erase(static_cast<std::uint32_t>(keyed_hash(name)), id);
    texts_.drop(f.size);
    f = {};
    free_.push_back(id);
    if (!texts_.wasteful()) return;
    text_arena fresh;
    for (auto& each : filters_)
        if (each.used) each.text = fresh.put(texts_.at(each.text, each.size));
    texts_ = std::move(fresh);
}

bool topic_tree::add_group(std::string_view text, std::uint32_t group) {
    filter& f = filters_[find_or_make(text, false)];
    bool const first = subscribers(f).empty();
    append(f, {nullptr, group, {}, subscriber::group});
    return first;
}

bool topic_tree::remove_group(std::string_view text, std::uint32_t group) {
    auto const id = find(text);
    if (id == filter_trie::none) return false;
    auto const list = subscribers(filters_[id]);
    for (std::uint32_t i = 0; i < list.size(); ++i) {
        if (list[i].is != subscriber::group || list[i].id != group) continue;
        take_out(id, i);
        return !filters_[id].used;
    }
    return false;
}

subscriber const* topic_tree::find(std::string_view text, session::session const& who) const {
    auto const id = find(text);
    if (id == filter_trie::none) return nullptr;
    for (auto const& r : who.filters)
        if (r.filter == id) return &subscribers(filters_[id])[r.position];
    return nullptr;
}

std::size_t topic_tree::footprint() const {
    std::size_t n = filters_.size() * sizeof(filter) + exact_.footprint() + wild_.footprint() + texts_.footprint();
    for (auto const& f : filters_)
        if (f.many) n += sizeof(*f.many) + f.many->capacity() * sizeof(subscriber) + 16;
    return n;
}

}
