#pragma once
// What a target filter may ask of a device.

#include "plugins/sdk/plugin.hpp"

#include <map>
#include <optional>

namespace airmail::plugins::targets {

struct device_facts {
    std::string serial_no, device_id, model, version, status, registration, boot_slot;
    std::int64_t last_seen = 0, created_at = 0, updated_at = 0;       // unix ms
    std::optional<std::int64_t> keys_version, security_counter;
    bool ever_seen = false;
    std::vector<std::string> tags;
    std::map<std::string, std::string> attributes;                    // given by operators; `group` is one of them
    std::map<std::string, std::string> settings;                      // reported by the device
};

/// Nullopt when it is not registered.
std::optional<device_facts> load_facts(sdk::context& ctx, std::string_view serial_no);
/// All versions that devices run: few, however large the fleet.
std::vector<std::string> versions_of_fleet(sdk::context& ctx);

}
