#pragma once
// The sessions of one shard: by key (a client comes back) and by number (mail and the store speak of it).

#include "broker/handlers/protocol.hpp"
#include "broker/session/session.hpp"

#include <memory>
#include <unordered_map>
#include <vector>

namespace airmail::handlers {

/// Owned by: one shard; owns its sessions.
class sessions {
public:
    session::session* find(std::uint32_t number) const {
        auto const i = by_number_.find(number);
        return i == by_number_.end() ? nullptr : i->second.get();
    }
    session::session* find(session_key const& k, std::uint64_t hash) const {
        if (buckets_.empty()) return nullptr;
        for (auto* s = buckets_[hash & (buckets_.size() - 1)]; s; s = s->next_of_bucket)
            if (s->key_hash == hash && s->tenant == k.tenant && s->client_id() == k.client_id && s->name() == k.identity) return s;
        return nullptr;
    }
    session::session& add(std::unique_ptr<session::session> s, std::uint64_t hash) {
        if (by_number_.size() >= buckets_.size()) grow();
        s->key_hash = hash;
        auto& bucket = buckets_[hash & (buckets_.size() - 1)];
        s->next_of_bucket = bucket;
        bucket = s.get();
        auto& ref = *s;
        by_number_[ref.number] = std::move(s);
        return ref;
    }
    void erase(session::session& s) {
        auto** at = &buckets_[s.key_hash & (buckets_.size() - 1)];
        while (*at != &s) at = &(*at)->next_of_bucket;
        *at = s.next_of_bucket;
        by_number_.erase(s.number);
    }
    std::size_t size() const { return by_number_.size(); }
    template <class F> void each(F&& f) {
        for (auto& [number, s] : by_number_) f(*s);
    }

private:
    void grow() {
        std::vector<session::session*> wider(buckets_.empty() ? 64 : buckets_.size() * 2);
        for (auto& [number, s] : by_number_) {
            auto& bucket = wider[s->key_hash & (wider.size() - 1)];
            s->next_of_bucket = bucket;
            bucket = s.get();
        }
        buckets_ = std::move(wider);
    }
    std::vector<session::session*> buckets_;
    std::unordered_map<std::uint32_t, std::unique_ptr<session::session>> by_number_;
};

}
