#include "broker/net/back_off.hpp"

#include "broker/net/counters.hpp"

#include <algorithm>

namespace airmail::net {

std::int64_t back_off::wait(std::string_view name, std::int64_t now) const {
    std::lock_guard guard{lock_};
    auto const i = names_.find(name);
    return i == names_.end() ? 0 : std::max<std::int64_t>(0, i->second.held_until - now);
}

std::int64_t back_off::count(std::string_view name, back_off_policy const& p, std::int64_t now) {
    if (p.tries == 0) return 0;
    std::lock_guard guard{lock_};
    auto i = names_.find(name);
    if (i == names_.end()) {
        if (names_.size() >= names_max_ && !make_room(now)) return count::back_off_full.add(), 0;
        i = names_.emplace(name, record{}).first;
    }
    auto& r = i->second;
    if (now >= r.forgotten_at) r = record{.window_began = now};
    else if (r.waits == 0 && now - r.window_began >= p.window) r.events = 0, r.window_began = now;
    ++r.events;
    r.forgotten_at = std::max(r.forgotten_at, now + p.window);
    // Whoever has waited once waits after each further event: it has shown that it does not listen.
    if (r.events < p.tries && r.waits == 0) return 0;
    auto const doublings = std::min<std::uint32_t>(r.waits++, 30);
    auto const wait = std::min(p.most, p.first << doublings);
    r.held_until = now + wait;
    r.forgotten_at = r.held_until + std::max(wait, p.window);
    return wait;
}

void back_off::forgive(std::string_view name) {
    std::lock_guard guard{lock_};
    if (auto const i = names_.find(name); i != names_.end()) names_.erase(i);
}

std::size_t back_off::size() const {
    std::lock_guard guard{lock_};
    return names_.size();
}

bool back_off::make_room(std::int64_t now) {
    if (now - swept_at_ < 1000) return false;  // the sweep walks the table: once a second at most
    swept_at_ = now;
    std::erase_if(names_, [now](auto const& entry) { return now >= entry.second.forgotten_at; });
    return names_.size() < names_max_;
}

}
