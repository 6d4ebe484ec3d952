#pragma once
// What somebody may do apart from topics: the API's and the dashboard's ladder.

#include <cstdint>
#include <string_view>

namespace airmail::acl {

/// viewer < operator < admin; device stands beside the ladder and may call nothing of it.
enum class role : std::uint8_t { none, device, viewer, operator_, admin };

/// "none", "device", "viewer", "operator", "admin".
std::string_view to_string(role r);
/// False when the word is none of these.
bool parse(std::string_view word, role& out);
/// Does somebody of role `have` satisfy a demand for `need`? Nobody needs `none`, and only a device is a device.
bool covers(role have, role need);

}
