#pragma once
// `$share/{name}/{filter}`: its members, and whose turn it is. Lives on its home shard, hash(name, filter) % shards.

#include "acl/identity.hpp"
#include "broker/router/keyed_hash.hpp"
#include "broker/router/topic_tree.hpp"
#include "broker/session/decisions.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace airmail::router {

/// Who of a group gets the next message. `hash`: the same publisher's messages go to the same member, and few move when a
/// member comes or goes. `sticky`: one member until it leaves. `least_loaded`: who has the fewest messages waiting or under way.
enum class share_strategy : std::uint8_t { round_robin, hash, sticky, least_loaded };

/// One session of a group, wherever it lives.
struct member {
    std::uint32_t session = 0;
    unsigned shard = 0;
    std::uint32_t id = 0;              // its Subscription Identifier
    std::uint32_t record = 0;          // its own entry for this subscription, on its shard
    options how;
    bool online = false;
    bool kept = false;                 // has a queue while it is away
    acl::identity who;                 // for the read check, which happens here
    session::decision_cache decisions;
    std::shared_ptr<std::atomic<std::uint32_t>> load;   // messages it is owed; only with least_loaded
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
    /// Among connected members that `may`; if there is none, among kept ones. Null: nobody can have it.
    /// @param publisher keyed hash of the client id that published
    template <class May> member* pick(share_strategy how, std::uint64_t publisher, May&& may) {
        for (bool const online : {true, false})
            if (auto* chosen = best(how, publisher, [&](member& m) { return m.online == online && (online || m.kept) && may(m); })) return chosen;
        return nullptr;
    }

private:
    template <class Fit> member* best(share_strategy how, std::uint64_t publisher, Fit&& fit) {
        member* chosen = nullptr;
        std::uint64_t least = 0;
        auto const n = members_.size();
        for (std::size_t i = 0; i < n; ++i) {
            // From whose turn it is, so that equals take turns.
            auto& m = members_[(turn_ + i) % n];
            auto const cost = price(how, publisher, m, i);
            if ((chosen && cost >= least) || !fit(m)) continue;
            chosen = &m, least = cost;
            if (how == share_strategy::round_robin) break;
        }
        if (!chosen) return nullptr;
        last_ = chosen->session;
        turn_ = static_cast<std::uint32_t>(static_cast<std::size_t>(chosen - members_.data() + 1) % n);
        return chosen;
    }
    std::uint64_t price(share_strategy how, std::uint64_t publisher, member const& m, std::size_t place) const {
        switch (how) {
        case share_strategy::hash: return mix(publisher, m.session);
        case share_strategy::sticky: return m.session == last_ ? 0 : place + 1;
        case share_strategy::least_loaded: return m.load ? m.load->load(std::memory_order_relaxed) : 0;
        default: return place;
        }
    }

    std::string name_, filter_;
    std::vector<member> members_;
    std::uint32_t turn_ = 0, last_ = 0;
};

}
