#pragma once
// ota.alert: what people must see. Rows in `alerts`, a message on $ota/alerts, a line in the log,
// a post to the webhook. An alert that is still open is
// counted up, not repeated.

#include "plugins/alert/webhook.hpp"
#include "plugins/kit/params.hpp"
#include "plugins/sdk/plugin.hpp"

namespace airmail::plugins {

/// Owned by: the registry lane.
class alert_plugin final : public sdk::plugin {
public:
    explicit alert_plugin(sdk::context& c) : plugin(c), hook_(c) {}
    static std::string_view id() { return "ota.alert"; }
    static sdk::declaration declare();
    void configure() override;
    void start() override;
    void stop() override { hook_.stop(); }
    void tick(std::uint64_t timer, sdk::instant now) override;
    void method(sdk::call_view const& c) override;

private:
    std::string raise(kit::params const& p);
    std::string put(std::string const& severity, std::string const& kind, std::string const& campaign, std::string const& serial, std::string const& text);
    std::string list(kit::params const& p);
    std::string ack(kit::params const& p, sdk::call_view const& c);
    void failure_rates();
    void tell(std::int64_t alert_id);

    std::int64_t failure_percent_ = 10;
    alert::webhook hook_;
};

}
