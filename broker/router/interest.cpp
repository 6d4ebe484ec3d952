#include "broker/router/interest.hpp"

#include <thread>

namespace airmail::router {

interest::interest() = default;

std::size_t interest::stripe::seek(std::uint64_t hash) const {
    auto i = home(hash);
    while (slots_[i].hash != 0 && slots_[i].hash != hash) i = (i + 1) & (slots_.size() - 1);
    return i;
}

shard_set interest::stripe::find(std::uint64_t hash) const { return slots_.empty() ? 0 : slots_[seek(hash)].set; }

void interest::stripe::change(std::uint64_t hash, shard_set set, bool on) {
    if (on && (count_ + 1) * 10 > slots_.size() * 7) {
        std::vector<slot> old(slots_.empty() ? 8 : slots_.size() * 2);
        old.swap(slots_);
        for (auto const& s : old)
            if (s.hash) slots_[seek(s.hash)] = s;
    }
    if (slots_.empty()) return;
    auto const i = seek(hash);
    if (on) {
        if (slots_[i].hash == 0) ++count_;
        slots_[i].hash = hash;
        slots_[i].set |= set;
    } else if (slots_[i].hash) {
        slots_[i].set &= ~set;
        if (!slots_[i].set) erase(i);
    }
}

void interest::stripe::erase(std::size_t i) {
    auto const mask = slots_.size() - 1;
    for (auto j = (i + 1) & mask; slots_[j].hash; j = (j + 1) & mask)
        if (((j - home(slots_[j].hash)) & mask) >= ((j - i) & mask)) slots_[i] = slots_[j], i = j;
    slots_[i] = {};
    --count_;
}

void interest::wild_side::change(std::string_view filter, shard_set set, bool on) {
    auto id = filters.find(filter);
    if (id == filter_trie::none) {
        if (!on) return;
        if (free.empty()) id = static_cast<std::uint32_t>(sets.size()), sets.push_back(0);
        else id = free.back(), free.pop_back();
        sets[id] = 0;
        filters.insert(filter, id);
    }
    if (on) sets[id] |= set;
    else sets[id] &= ~set;
    if (sets[id]) return;
    filters.erase(filter);
    free.push_back(id);
}

void interest::change_wild(std::string_view filter, shard_set set, bool on) {
    // Change the side nobody reads, let new readers in there, wait for those still in the other, change that too. Readers
    // stay for about a microsecond and never wait.
    std::lock_guard hold{writer_};
    auto const old = resting_.load();
    wild_[1 - old].change(filter, set, on);
    resting_.store(1 - old);
    for (auto const& r : readers_)
        while (r.inside[old].load() != 0) std::this_thread::yield();
    wild_[old].change(filter, set, on);
    wild_count_.store(wild_[0].filters.size());
}

void interest::change(std::string_view filter, unsigned shard, bool on) {
    auto const set = shard_set{1} << shard;
    if (codec::has_wildcard(filter)) {
        change_wild(filter, set, on);
    } else {
        auto const hash = std::max<std::uint64_t>(keyed_hash(filter), 1);
        auto& s = exact_[hash & 255];
        std::lock_guard hold{s.lock};
        s.change(hash, set, on);
    }
    version_.fetch_add(1, std::memory_order_release);
}

void interest::add(std::string_view filter, unsigned shard) { change(filter, shard, true); }
void interest::remove(std::string_view filter, unsigned shard) { change(filter, shard, false); }

shard_set interest::lookup(std::string_view topic, std::uint64_t hash, unsigned asking) const {
    shard_set set = 0;
    hash = std::max<std::uint64_t>(hash, 1);
    {
        auto const& s = exact_[hash & 255];
        std::lock_guard hold{s.lock};
        set = s.find(hash);
    }
    if (wild_count_.load() == 0) return set;
    auto& mine = readers_[asking & 63];
    levels const cut{topic};
    for (;;) {
        auto const side = resting_.load();
        mine.inside[side].fetch_add(1);
        if (resting_.load() == side) {
            wild_[side].filters.match(cut, [&](std::uint32_t id) { set |= wild_[side].sets[id]; });
            mine.inside[side].fetch_sub(1);
            return set;
        }
        mine.inside[side].fetch_sub(1);  // a writer turned the sides in between
    }
}

std::size_t interest::exact_filters() const {
    std::size_t n = 0;
    for (auto const& s : exact_) {
        std::lock_guard hold{s.lock};
        n += s.size();
    }
    return n;
}

}
