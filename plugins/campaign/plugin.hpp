#pragma once
// ota.campaign: campaigns, and the one place that decides what each device is told.

#include "plugins/campaign/engine.hpp"
#include "plugins/kit/params.hpp"

namespace airmail::plugins {

class campaign_plugin final : public sdk::plugin {
public:
    explicit campaign_plugin(sdk::context& c) : plugin(c), engine_(c) {}
    static std::string_view id() { return "ota.campaign"; }
    static sdk::declaration declare();

    void configure() override { engine_.configure(); }
    void start() override { engine_.start(); }
    sdk::verdict message(sdk::message_view const& m) override;     // devices/+/request
    void session(sdk::session_view const& s) override;
    void delivered(sdk::delivery_view const& d) override { engine_.delivered(d.identity, d.correlation_data); }
    void tick(std::uint64_t timer, sdk::instant) override { engine_.tick(timer); }
    void method(sdk::call_view const& c) override;

private:
    std::string create(kit::params const& p, sdk::call_view const& c, int& status);
    std::string poisoned();
    std::string revert(kit::params const& p, sdk::call_view const& c, int& status);
    std::string preview(kit::params const& p);
    void read_targets(kit::params const& p, campaign::campaign_row& c);
    std::string operate(std::string_view verb, kit::params const& p, sdk::call_view const& c);
    std::string list(kit::params const& p);
    std::string devices(kit::params const& p);
    std::string one_device(kit::params const& p);
    std::string events(kit::params const& p, bool with_campaign);
    std::string audit(kit::params const& p);
    std::string report(std::string_view json, int& status);
    void presence(campaign::report const& r);
    std::string say(kit::params const& p);
    void trusted(std::string const& firmware_id);
    std::string whole(campaign::campaign_row const& c);
    campaign::campaign_row load(kit::params const& p);
    std::string serial_of(std::string const& device);

    campaign::engine engine_;
};

}
