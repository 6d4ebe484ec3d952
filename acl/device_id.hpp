#pragma once
// {id}: the serial number that topics, URLs and Redis keys carry.

#include <string_view>

namespace airmail::acl {

/// 1-64 of [A-Za-z0-9._:-], and neither "." nor "..": it becomes a level of topics, URLs and paths.
bool valid_device_id(std::string_view id);

}
