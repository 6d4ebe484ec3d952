#include "plugins/dashboard/api/cache.hpp"

#include <algorithm>
#include <chrono>

namespace airmail::dashboard {
namespace {

std::int64_t steady_ms() { return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}

boost::json::value cache::get(std::string const& key, std::int64_t life_ms, std::function<boost::json::value()> const& make) {
    std::unique_lock hold(lock_);
    if (all_.size() >= keys_max && !all_.contains(key)) std::erase_if(all_, [](auto const& k) { return !k.second->making; });
    auto& slot = all_[key];
    if (!slot) slot = std::make_shared<kept>();
    auto mine = slot;
    auto age = steady_ms() - mine->made_ms;
    if (mine->there && age <= std::max(life_ms, mine->life_ms)) return mine->value;
    if (mine->making) {
        if (mine->there && age <= 20 * std::max(life_ms, mine->life_ms)) return mine->value;
        ready_.wait(hold, [&] { return !mine->making; });
        if (mine->there) return mine->value;
    }
    mine->making = true;
    hold.unlock();
    auto const began = steady_ms();
    try {
        auto v = make();
        hold.lock();
        mine->value = v, mine->there = true, mine->made_ms = steady_ms(), mine->life_ms = std::min<std::int64_t>((mine->made_ms - began) * 10, 30'000);
        mine->making = false;
        ready_.notify_all();
        return v;
    } catch (...) {
        if (!hold.owns_lock()) hold.lock();
        mine->making = false;
        ready_.notify_all();
        throw;
    }
}

void cache::forget(std::string const& key) {
    std::lock_guard hold(lock_);
    if (auto at = all_.find(key); at != all_.end() && !at->second->making) all_.erase(at);
}

}
