#pragma once
// ota.alert: what people must see. Rows in `alerts`, a message on $ota/alerts, a line in the log. An alert that is still open is
// counted up, not repeated.

#include "plugins/kit/params.hpp"
#include "plugins/sdk/plugin.hpp"

namespace airmail::plugins {

/// Owned by: the registry lane.
class alert_plugin final : public sdk::plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "ota.alert"; }
    static sdk::declaration declare();
    void configure() override;
    void start() override;
    void tick(std::uint64_t timer, sdk::instant now) override;
    void method(sdk::call_view const& c) override;

private:
    std::string raise(kit::params const& p);
    std::string put(std::string const& severity, std::string const& kind, std::string const& campaign, std::string const& serial, std::string const& text);
    std::string list(kit::params const& p);
    std::string ack(kit::params const& p, sdk::call_view const& c);
    void failure_rates();

    std::int64_t failure_percent_ = 10;
};

}
