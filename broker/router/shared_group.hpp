#pragma once
// `$share/{name}/{filter}`: its members, and whose turn it is. Lives on its home shard, hash(name, filter) % shards.

#include "acl/identity.hpp"
#include "broker/router/topic_tree.hpp"
#include "broker/session/decisions.hpp"

#include <memory>
#include <string>
#include <vector>

namespace airmail::router {

/// One session of a group, wherever it lives.
struct member {
    std::uint32_t session = 0;
    unsigned shard = 0;
    std::uint32_t id = 0;              // its Subscription Identifier
    options how;
    bool online = false;
    bool kept = false;                 // has a queue while it is away
    acl::identity who;                 // for the read check, which happens here
    session::decision_cache decisions;
};

/// Owned by: its home shard.
class shared_group {
public:
    shared_group(std::string name, std::string filter) : name_{std::move(name)}, filter_{std::move(filter)} {}

    std::string const& name() const { return name_; }
    std::string const& filter() const { return filter_; }
    bool empty() const { return members_.empty(); }
    std::size_t size() const { return members_.size(); }

    void put(member m) {
        for (auto& each : members_)
            if (each.session == m.session) {
                each = std::move(m);
                return;
            }
        members_.push_back(std::move(m));
    }
    bool remove(std::uint32_t session) {
        return std::erase_if(members_, [session](member const& m) { return m.session == session; }) != 0;
    }
    void online(std::uint32_t session, bool is) {
        for (auto& m : members_)
            if (m.session == session) m.online = is;
    }
    /// Round robin over connected members that `may`; if there is none, over kept ones. Null: nobody can have it.
    template <class May> member* pick(May&& may) {
        for (bool const online : {true, false})
            for (std::size_t i = 0; i < members_.size(); ++i) {
                auto& m = members_[(turn_ + i) % members_.size()];
                if (m.online != online || !(m.online || m.kept) || !may(m)) continue;
                turn_ = static_cast<std::uint32_t>((turn_ + i + 1) % members_.size());
                return &m;
            }
        return nullptr;
    }

private:
    std::string name_, filter_;
    std::vector<member> members_;
    std::uint32_t turn_ = 0;
};

}
