#include "broker/net/network.hpp"

#include <cassert>

namespace airmail::net {

network::network(std::vector<shard::shard*> shards, std::vector<handlers::protocol*> protocols, network_options o)
    : neighbours_{o.doors} {
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
    started_ = true;
    for (auto& h : hubs_) h->start();
    for (auto& l : listeners_) l->start();
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
