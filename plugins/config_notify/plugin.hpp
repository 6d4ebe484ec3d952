#pragma once
// ota.config: what devices say of their own settings (devices/+/notify, Flow 4), and what operators want them to be.

#include "plugins/kit/params.hpp"
#include "plugins/sdk/plugin.hpp"

#include <unordered_set>

namespace airmail::plugins {

/// Owned by: the registry lane.
class config_plugin final : public sdk::plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "ota.config"; }
    static sdk::declaration declare();
    sdk::verdict message(sdk::message_view const& m) override;
    void session(sdk::session_view const& s) override;
    void method(sdk::call_view const& c) override;

private:
    std::string get(kit::params const& p);
    std::string history(kit::params const& p);
    std::string set_desired(kit::params const& p);
    std::string device_of(std::string const& id, std::string& serial);
    /// Sends what is desired and not yet reported. @return false when there is nothing
    bool send(std::string const& device, std::string const& serial);
    void remember(std::string const& device, std::string_view key, std::string_view before, std::string_view after, char const* source, std::int64_t device_ts);

    std::unordered_set<std::string> here_;         // bound: the broker's sessions
};

}
