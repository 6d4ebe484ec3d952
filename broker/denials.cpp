#include "broker/denials.hpp"

#include "broker/log/log.hpp"
#include "broker/log/metrics.hpp"

namespace airmail {
namespace {
metrics::counter observed{"airmail_acl_would_deny_total", "Actions that acl_mode observe let through though the rules deny them."};
metrics::counter forgotten{"airmail_acl_would_deny_untold_total", "Such actions that were not listed for acl suggest, because the list was full."};
}

std::string_view word(acl::action a) { return a == acl::action::publish ? "publish" : a == acl::action::subscribe ? "subscribe" : "receive"; }

void denials::add(acl::identity const& who, acl::action what, std::string_view topic, std::string const& rule) {
    observed.add();
    std::lock_guard hold{lock_};
    if (rules_.size() < entries_max || rules_.contains(rule)) ++rules_[rule];
    key k{who.name, who.client_id, what, std::string{topic}};
    if (auto const known = entries_.find(k); known != entries_.end()) {
        ++known->second.first;
        return;
    }
    if (entries_.size() >= entries_max) {
        ++overflow_;
        return forgotten.add();
    }
    entries_.emplace(std::move(k), std::pair{std::uint64_t{1}, rule});
    log::warn("acl", {{"id", who.name}, {"client_id", who.client_id}, {"topic", topic}}, "acl_mode observe: {} would be denied ({})", word(what), rule);
}

std::vector<denials::entry> denials::list() const {
    std::lock_guard hold{lock_};
    std::vector<entry> out;
    out.reserve(entries_.size());
    for (auto const& [k, v] : entries_) {
        auto const& [user, client, what, topic] = k;
        out.push_back({user, client, topic, v.second, what, v.first});
    }
    return out;
}

std::map<std::string, std::uint64_t> denials::by_rule() const {
    std::lock_guard hold{lock_};
    return rules_;
}

std::uint64_t denials::overflow() const {
    std::lock_guard hold{lock_};
    return overflow_;
}

void denials::clear() {
    std::lock_guard hold{lock_};
    entries_.clear();
    rules_.clear();
    overflow_ = 0;
}

}
