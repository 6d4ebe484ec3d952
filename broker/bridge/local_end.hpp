#pragma once
// The end of a bridge inside of this broker: a peer without a socket. The broker's packets for it are read out of its buffer
// and given to the bridge; the bridge's packets go to the handlers as a client's would. So a bridge's queue, its QoS flows and
// what survives a restart are exactly a client's. [MQTT 5, 4.1]

#include "broker/codec/framer.hpp"
#include "broker/handlers/mqtt.hpp"

#include <functional>
#include <memory>
#include <string>

namespace airmail::bridge {

/// Owned by a link, on the shard of its session.
class local_end final : public handlers::peer {
public:
    local_end(handlers::mqtt& home, std::shared_ptr<handlers::listener_rules const> rules, acl::identity who, std::uint64_t number);
    ~local_end() override;

    /// CONNECT of a v5 client. The answer comes as a frame.
    void connect(bool clean_start, std::uint16_t receive_maximum);
    /// A packet as a client's; false when the handlers closed us.
    bool send(bytes const& packet);
    /// Goes without a DISCONNECT: the session stays.
    void leave();
    /// Calls `f` with every whole packet that waits; `f` may send. Stops when closed.
    void drain(std::function<void(codec::frame const&)> const& f);

    bool closed() const { return closed_; }
    std::string const& why() const { return why_; }
    /// What else waits on the way out: counts in out_bytes(), so that the session's queue holds back.
    std::function<std::size_t()> beyond;
    /// The store or a shard is busy: read no more from the other side.
    std::function<void(bool)> on_pause;

    bytes& out() override { return out_; }
    void out_shared(byte_view head, storage::message_ptr body) override;
    std::size_t out_bytes() const override { return out_.size() + (beyond ? beyond() : 0); }
    void close(codec::reason r, std::string_view why) override;
    void pause_reading(bool on) override;
    handlers::listener_rules const& rules() const override { return *rules_; }
    std::uint64_t connection_number() const override { return number_; }
    std::string_view address() const override { return "bridge"; }
    acl::identity const* certificate() const override { return &who_; }

private:
    handlers::mqtt& home_;
    std::shared_ptr<handlers::listener_rules const> rules_;
    acl::identity who_;
    std::uint64_t number_;
    bytes out_;
    std::string why_;
    bool closed_ = false, draining_ = false, connected_ = false;
};

}
