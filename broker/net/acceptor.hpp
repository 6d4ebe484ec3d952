#pragma once
// One shard's door of a listener.

#include "broker/net/listener.hpp"

namespace airmail::net {

/// Made on the main thread; after start() only its shard touches it.
class acceptor final : watcher {
public:
    acceptor(hub& h, descriptor socket, origin_ptr from, unsigned budget);

    void start();
    void stop();
    void replace(origin_ptr from) { from_ = std::move(from); }
    hub& home() { return hub_; }

private:
    void ready(std::uint32_t events) override;
    /// One newcomer. False when there is none, or accepting must pause.
    bool accept_one();
    bool welcome(endpoint const& from);
    void out_of_descriptors();
    void pause();
    void resume();
    bool too_many_handshakes() const { return from_->security && hub_.handshaking() >= from_->limits.handshakes; }

    hub& hub_;
    descriptor socket_;
    descriptor reserve_;           // given up for a moment to accept and close when there are no others
    origin_ptr from_;
    unsigned const budget_;
    bool paused_ = false, for_handshakes_ = false;
    shard::reminder again_;
};

}
