#pragma once
// One device with its connection and its download: what stands between the state machine and the sockets.

#include "tools/airmail-sim/agenda.hpp"
#include "tools/airmail-sim/download.hpp"
#include "tools/airmail-sim/options.hpp"
#include "tools/client/client.hpp"

namespace airmail::sim {

/// What every device of a fleet shares.
struct surroundings {
    boost::asio::io_context& io;
    options const& set;
    agenda& later;
    trust const& who;
    client::tls_context const& https;
    std::uint64_t connects = 0, refused = 0, closed = 0, subscribe_failures = 0, publish_failures = 0;
};

/// Owned by: the fleet; lives as long as the io_context runs.
class unit final : public outlet {
public:
    unit(surroundings& around, device_plan plan, std::string const& directory, std::shared_ptr<client::tls_context const> tls, std::shared_ptr<client::handlers const> h, std::uint64_t tag);

    /// Connects, and from now on comes back by itself.
    void power_on();
    /// Says goodbye for good.
    void power_off();

    // What the shared handlers tell.
    void connack(codec::connack_view const& a);
    void ack(client::ack_event const& e);
    void message(codec::publish_view const& p);
    void gone(client::close_info const& why);
    void tick(client::client::clock::time_point now);

    device& machine() { return device_; }
    device const& machine() const { return device_; }
    slots const& disk() const { return disk_; }
    bool online() const { return mqtt_->online() && subscribed_; }
    bool downloading() const { return download_ != nullptr; }
    std::size_t unanswered() const { return mqtt_->unanswered(); }

    // outlet
    bool publish(char const* leaf, std::string const& payload, int qos) override;
    void fetch(std::string const& url, std::uint64_t from, std::uint64_t size) override;
    void stop_fetch() override;
    void restart(bool orderly, std::chrono::milliseconds down) override;
    void after(std::chrono::milliseconds wait, int token) override;
    std::int64_t now() override;

private:
    void connect();
    void connect_later(std::chrono::milliseconds wait);
    void beat(int generation);

    surroundings& around_;
    slots disk_;
    device device_;
    std::shared_ptr<client::tls_context const> tls_;
    std::shared_ptr<client::client> mqtt_;
    std::shared_ptr<download> download_;
    std::string base_;                       // devices/{id}/
    dice dice_;
    int failures_ = 0, beating_ = 0;
    bool wanted_ = false, restarting_ = false, subscribed_ = false;
};

}
