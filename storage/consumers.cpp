#include "storage/consumers.hpp"

#include <algorithm>
#include <cassert>

namespace airmail::storage {

std::uint32_t consumers::add(consumer& c) {
    assert(all_.size() < 32);
    all_.emplace_back().who = &c;
    return static_cast<std::uint32_t>(all_.size() - 1);
}

void consumers::begin(std::array<lsn, 32> const& newest) {
    for (std::size_t i = 0; i < all_.size(); ++i) {
        auto& c = all_[i];
        std::lock_guard l{c.lock};
        c.newest = newest[i];
        // One that was quick may have caught up before the writer ran.
        c.state = c.newest > c.who->applied() && !c.pledged ? mode::behind : mode::live;
    }
}

void consumers::committed(batch const& b) {
    if (all_.empty()) return;
    for (std::size_t i = 0; i < b.changes.size(); ++i) {
        auto const* m = std::get_if<put_message>(b.changes[i]);
        if (m == nullptr) continue;
        for (auto bits = m->consumers; bits != 0; bits &= bits - 1)
            all_[static_cast<std::size_t>(__builtin_ctz(bits))].batch.emplace_back(b.out[i].at, m->body);
    }
    for (auto& c : all_)
        if (!c.batch.empty()) hand_over(c);
}

void consumers::hand_over(one& c) {
    {
        std::lock_guard l{c.lock};
        c.newest = c.batch.back().first;
        c.pledged = false;
        if (c.state == mode::behind) return c.batch.clear();   // it will find them in the log
        // A reader may be ahead of us: what it has read between the commit and this hand-over must not come twice.
        std::erase_if(c.batch, [&](auto const& e) { return e.first <= c.read_to; });
        if (c.batch.empty()) return;
        c.state = mode::handing;
    }
    bool goes_on = c.who->committed(c.batch);
    c.batch.clear();
    std::lock_guard l{c.lock};
    c.state = goes_on || c.pledged ? mode::live : mode::behind;
}

bool consumers::caught_up(std::uint32_t bit, lsn upto) {
    auto& c = all_.at(bit);
    std::lock_guard l{c.lock};
    if (upto < c.newest) return false;
    c.pledged = true;
    c.read_to = upto;
    if (c.state == mode::behind) c.state = mode::live;
    return true;
}

lsn consumers::applied(lsn last) const {
    auto least = last;
    for (auto const& c : all_)
        if (auto a = c.who->applied(); a < c.newest) least = std::min(least, a);
    return least;
}

}
