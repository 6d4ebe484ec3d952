#include "broker/net/network.hpp"

#include "broker/log/log.hpp"
#include "broker/net/counters.hpp"

#include <cassert>
#include <malloc.h>

namespace airmail::net {

network::network(std::vector<shard::shard*> shards, std::vector<handlers::protocol*> protocols, network_options o)
    : neighbours_{o.doors}, memory_{o.memory}, used_share_{count::memory_used}, level_share_{count::memory_level},
      ocsp_{std::move(o.ocsp), [this] { cut_revoked(); }} {
    neighbours_.ocsp = &ocsp_;
    neighbours_.front.set(o.front);
    assert(shards.size() == protocols.size() && o.hash && o.assign_client_id);
    neighbours_.hash = std::move(o.hash);
    neighbours_.assign_client_id = std::move(o.assign_client_id);
    for (std::size_t i = 0; i < shards.size(); ++i) {
        hubs_.push_back(std::make_unique<hub>(*shards[i], *protocols[i], neighbours_, o.turn));
        neighbours_.hubs.push_back(hubs_.back().get());
    }
}

network::~network() = default;

boost::system::result<listener*, listen_error> network::listen(listener_options o) {
    auto made = listener::open(std::move(o), neighbours_);
    if (!made) return made.error();
    listeners_.push_back(std::move(*made));
    if (started_) listeners_.back()->start();
    return listeners_.back().get();
}

void network::start() {
    neighbours_.look_at_memory = [this](shard::shard& from) { from.post(0, [this] { look_at_memory(); }); };
    for (auto& h : hubs_) h->start();
    watch_memory();
}

void network::accept() {
    started_ = true;
    for (auto& l : listeners_) l->start();
}

void network::limit_memory(memory_limits l) {
    hubs_.front()->shard().post_external([this, l] { memory_.set(l); });
}

void network::watch_memory() {
    auto& first = hubs_.front()->shard();
    look_at_memory_.in(first.timers(), 250, [this] { watch_memory(); });
    look_at_memory();
}

void network::look_at_memory() {
    auto& first = hubs_.front()->shard();
    auto const before = neighbours_.front.memory(), level = memory_.look();
    used_share_.set(static_cast<std::int64_t>(memory_.used()));
    level_share_.set(static_cast<std::int64_t>(level));
    if (level != before) {
        neighbours_.front.set(level);
        constexpr std::string_view says[] = {"there is memory again", "memory runs out: new connections are refused", "memory runs out: the largest outputs and queues are cut"};
        log::warn("net", {{"used", memory_.used()}, {"limit", memory_.limit()}}, "{}", says[static_cast<int>(level)]);
    }
    constexpr shard::instant shed_every_ms = 50;   // what was cut comes back within that time: nobody is cut for it twice
    constexpr shard::instant trim_every_ms = 2'000;
    if (level == memory_level::refuse && first.now() - trimmed_at_ >= trim_every_ms) {
        // What clients that went have left may still lie with the allocator; kept there, nobody would be let in ever again.
        trimmed_at_ = first.now();
        ::malloc_trim(0);
    }
    if (level != memory_level::shed || first.now() - shed_at_ < shed_every_ms) return;
    shed_at_ = first.now();
    // What was cut is freed by its shard; the allocator gives it back at the next look.
    for (auto& h : hubs_) first.post(h->shard().index(), [h = h.get()] { h->shed(); });
    ::malloc_trim(0);
}

void network::stop_accepting() {
    for (auto& l : listeners_) l->stop();
}

void network::cut_revoked() {
    for (auto& h : hubs_) h->shard().post_external([h = h.get()] { h->cut_revoked(); });
}

void network::drain(codec::reason why, std::function<void()> done) {
    auto left = std::make_shared<std::atomic<std::size_t>>(hubs_.size());
    auto one = [left, done = std::move(done)] {
        if (left->fetch_sub(1) == 1) done();
    };
    for (auto& h : hubs_)
        h->shard().post_external([h = h.get(), why, one] { h->close_all(why, one); });
}

}
