#include "acl/device_rules.hpp"

namespace airmail::acl {

void add_device_rules(ruleset& rules) {
    constexpr std::string_view by = "built-in";
    auto const device = [&](effect e, std::uint8_t about, std::string_view filter) { rules.add(e, about, subject::role, "device", filter, by); };
    device(effect::deny, may_publish, "devices/{id}/command");
    device(effect::allow, may_publish, "devices/{id}/#");
    device(effect::allow, may_read, "devices/{id}/command");
    device(effect::allow, may_read, "ota/keys");
    for (auto const* role : {"viewer", "operator", "admin"}) rules.add(effect::allow, may_read, subject::role, role, "$ota/#", by);
}

}
