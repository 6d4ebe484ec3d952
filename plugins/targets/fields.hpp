#pragma once
// The names a filter may use. hawkBit's names are kept where they mean the same.

#include <optional>
#include <string>
#include <string_view>

namespace airmail::plugins::targets {

enum class field_kind {
    identity,      // text, exact case: it names one device
    text,          // any case
    version,
    time,
    number,
    flag,
    tags,          // a set of texts
    pair,          // key and value: attribute.x, setting.x, group
};

enum class field {
    serial_no, device_id, model, version, status, registration, boot_slot, last_seen, created_at, updated_at, keys_version,
    security_counter, ever_seen, tag, attribute, setting,
};

struct selector {
    field what;
    field_kind kind;
    std::string key;               // of a pair
};

/// Any case; `attribute.<key>` and `setting.<key>` keep the key's. Nullopt: no such field.
std::optional<selector> find_field(std::string_view name);
/// For mistakes: all names, separated by commas.
std::string field_names();
/// The column of `devices d`; empty for tags and pairs.
std::string_view column_of(field f);

}
