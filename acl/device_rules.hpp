#pragma once
// The rules every device lives under (PRODUCT, wire contract), and what people may watch.

#include "acl/rule.hpp"

namespace airmail::acl {

/// Adds: role `device` may publish devices/{id}/# except devices/{id}/command (a stolen device must not plant its own
/// command), and may subscribe to and receive devices/{id}/command and ota/keys. Roles viewer, operator and admin may read
/// $ota/#. Everything else stays denied.
void add_device_rules(ruleset& rules);

}
