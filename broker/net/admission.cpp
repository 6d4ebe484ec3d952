#include "broker/net/admission.hpp"

#include <algorithm>

namespace airmail::net {
namespace {
std::string key_of(endpoint const& e) { return {reinterpret_cast<char const*>(e.address.data()), e.address.size()}; }
}

bool admission::take_token(std::int64_t now_ms) {
    std::lock_guard guard{lock_};
    if (!limits_.rate) return true;
    if (now_ms > filled_at_) {
        tokens_ = std::min<double>(limits_.burst, tokens_ + static_cast<double>(now_ms - filled_at_) * limits_.rate / 1000.0);
        filled_at_ = now_ms;
    }
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
}

void admission::return_token() {
    std::lock_guard guard{lock_};
    tokens_ += 1;
}

admission::answer admission::enter(endpoint const& from, std::atomic<std::uint32_t>& listener_count, std::uint32_t listener_max) {
    std::lock_guard guard{lock_};
    if (limits_.connections && connections_ >= limits_.connections) return answer::connections;
    if (listener_max && listener_count >= listener_max) return answer::listener;
    if (limits_.unauthenticated && unauthenticated_ >= limits_.unauthenticated) return answer::unauthenticated;
    if (!add(from)) return answer::address;
    ++connections_, ++unauthenticated_, ++listener_count;
    return answer::welcome;
}

void admission::leave(endpoint const& from, std::atomic<std::uint32_t>& listener_count, bool was_authenticated) {
    std::lock_guard guard{lock_};
    --connections_, --listener_count;
    if (!was_authenticated) --unauthenticated_;
    remove(from);
}

bool admission::speak_for(endpoint const& proxy, endpoint const& peer) {
    std::lock_guard guard{lock_};
    if (!add(peer)) return false;
    remove(proxy);
    return true;
}

bool admission::add(endpoint const& from) {
    if (from.loopback()) return true;
    auto& n = by_address_[key_of(from)];
    if (limits_.connections_per_address && n >= limits_.connections_per_address) return false;
    return ++n, true;
}

void admission::remove(endpoint const& from) {
    if (from.loopback()) return;
    auto i = by_address_.find(key_of(from));
    if (i != by_address_.end() && --i->second == 0) by_address_.erase(i);
}

void admission::set(admission_limits l) {
    std::lock_guard guard{lock_};
    limits_ = l;
    tokens_ = std::min(tokens_, static_cast<double>(l.burst));
}

}
