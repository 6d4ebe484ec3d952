#pragma once
// ota.status: devices/+/status. Splits the device's words from JSON and hands them to the campaign. Nothing a device says here is
// ever an error to it: unknown words and unknown campaigns are counted, told in the log, and passed over.

#include "plugins/sdk/plugin.hpp"

namespace airmail::plugins {

/// Owned by: the registry lane.
class status_plugin final : public sdk::plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "ota.status"; }
    static sdk::declaration declare();
    sdk::verdict message(sdk::message_view const& m) override;

private:
    void passed_over(std::string_view serial, std::string_view metric, std::string_view why);
};

}
