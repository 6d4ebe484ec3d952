#pragma once
// Names that follow from other names, and new ones (DECISIONS, Names).

#include "storage/firmware/errc.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace airmail::storage::firmware {

using uuid = std::array<std::uint8_t, 16>;

/// 36 characters, lower case.
std::string to_string(uuid const& u);
/// 36 characters, either case. errc::bad_format.
result<uuid> parse_uuid(std::string_view s);

/// RFC 9562 section 5.5: SHA-1 of namespace and name.
uuid uuid_v5(uuid const& space, std::string_view name);
/// RFC 9562 section 5.7: unix milliseconds, then random bits; sorts by time.
uuid uuid_v7(std::int64_t now_ms);

/// device_id = UUIDv5(tenant, serial_no): the namespace is UUIDv5(Airmail's own, the tenant in decimal).
std::string device_id(std::uint32_t tenant, std::string_view serial_no);
/// A new campaign_id (or firmware_id): UUIDv7.
std::string new_id(std::int64_t now_ms);
/// First 16 bytes of SHA-256("campaign\ndevice\nattempt"), hex: the same attempt always has the same name, so a resend after a crash is a
/// repeat and not a second command.
std::string command_id(std::string_view campaign_id, std::string_view device_id, std::uint32_t attempt);

/// 1-64 of [A-Za-z0-9._:-]: what may stand in topics, URLs and Redis keys.
bool is_serial_no(std::string_view s);

}
