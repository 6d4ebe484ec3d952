#include "broker/net/front_door.hpp"

#include "broker/net/counters.hpp"

#include <algorithm>
#include <array>

namespace airmail::net {
namespace {

constexpr std::size_t addresses_max = 65'536;

/// An IPv6 subscriber owns a /64 at least: its addresses are one. IPv4 is whole.
std::string name_of(endpoint const& e) {
    constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    bool const v4 = std::equal(mapped.begin(), mapped.end(), e.address.begin());
    return {reinterpret_cast<char const*>(e.address.data()), v4 ? e.address.size() : std::size_t{8}};
}

}

front_door::answer front_door::admit(endpoint const& from, bool guesses, std::int64_t now) {
    if (memory() != memory_level::plenty) return answer::memory;
    auto const name = name_of(from);
    if (guesses && addresses_.wait(name, now) > 0) return answer::held;
    return from.loopback() || in_pace(name, now) ? answer::welcome : answer::rate;
}

bool front_door::in_pace(std::string const& address, std::int64_t now) {
    std::lock_guard guard{lock_};
    if (limits_.address_rate == 0) return true;
    std::int64_t const now_us = now * 1000, each = 1'000'000 / limits_.address_rate;
    if (paid_until_.size() >= addresses_max && now - swept_at_ >= 1000) {
        swept_at_ = now;
        std::erase_if(paid_until_, [now_us](auto const& a) { return a.second <= now_us; });
    }
    auto const i = paid_until_.find(address);
    if (i == paid_until_.end()) {
        if (paid_until_.size() >= addresses_max) return count::back_off_full.add(), true;
        paid_until_.emplace(address, now_us + each);
        return true;
    }
    auto const from = std::max(i->second, now_us);
    if (from - now_us > each * (std::max<std::int64_t>(limits_.address_burst, 1) - 1)) return false;
    i->second = from + each;
    return true;
}

std::int64_t front_door::wait(caller const& who, std::int64_t now) const {
    if (!who.user.empty())
        if (auto const left = users_.wait(who.user, now)) return count::held_off_login.add(), left;
    if (auto const left = clients_.wait(who.client, now)) return count::held_off_flapping.add(), left;
    return 0;
}

void front_door::failed(endpoint const& from, caller const& who, std::int64_t now) {
    back_off_policy policy;
    {
        std::lock_guard guard{lock_};
        policy = limits_.login;
    }
    addresses_.count(name_of(from), policy, now);
    if (!who.user.empty()) users_.count(who.user, policy, now);
}

void front_door::succeeded(caller const& who, back_off_policy const& flapping, std::int64_t now) {
    if (!who.user.empty()) users_.forgive(who.user);
    if (!who.client.empty()) clients_.count(who.client, flapping, now);
}

void front_door::set(front_door_limits const& l) {
    std::lock_guard guard{lock_};
    limits_ = l;
}

}
