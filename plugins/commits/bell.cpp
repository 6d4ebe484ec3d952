#include "plugins/commits/bell.hpp"

#include <map>

namespace airmail::plugins {

std::shared_ptr<bell> bell::of(std::string const& directory) {
    static std::mutex lock;
    static std::map<std::string, std::weak_ptr<bell>> all;
    std::lock_guard hold(lock);
    auto& kept = all[directory];
    auto found = kept.lock();
    if (!found) kept = found = std::make_shared<bell>();
    return found;
}

}
