#include "plugins/targets/fields.hpp"

#include <algorithm>

namespace airmail::plugins::targets {

namespace {

struct entry {
    std::string_view name;
    field what;
    field_kind kind;
    bool alias = false;
};

using enum field_kind;

constexpr entry fields[] = {
    {"serial_no", field::serial_no, identity},
    {"device_id", field::device_id, identity},
    {"model", field::model, text},
    {"fw", field::version, version},
    {"status", field::status, text},
    {"registration", field::registration, text},
    {"tag", field::tag, tags},
    {"group", field::attribute, pair},
    {"attribute.KEY", field::attribute, pair},
    {"setting.KEY", field::setting, pair},
    {"last_seen", field::last_seen, field_kind::time},
    {"created_at", field::created_at, field_kind::time},
    {"updated_at", field::updated_at, field_kind::time},
    {"ever_seen", field::ever_seen, flag},
    {"keys_version", field::keys_version, number},
    {"security_counter", field::security_counter, number},
    {"boot_slot", field::boot_slot, text},
    // Other words for the same: the document's, and hawkBit's.
    {"id", field::serial_no, identity, true},
    {"serial", field::serial_no, identity, true},
    {"name", field::serial_no, identity, true},
    {"controllerid", field::serial_no, identity, true},
    {"fw_version", field::version, version, true},
    {"version", field::version, version, true},
    {"firmware", field::version, version, true},
    {"current_firmware", field::version, version, true},
    {"installedds.version", field::version, version, true},
    {"lastcontrollerrequestat", field::last_seen, field_kind::time, true},
    {"createdat", field::created_at, field_kind::time, true},
    {"lastmodifiedat", field::updated_at, field_kind::time, true},
};

std::string lowered(std::string_view s) {
    std::string out{s};
    std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

}

std::optional<selector> find_field(std::string_view name) {
    auto low = lowered(name);
    for (auto [prefix, what] : {std::pair{std::string_view{"attribute."}, field::attribute}, {"metadata.", field::attribute}, {"setting.", field::setting}})
        if (low.starts_with(prefix) && low.size() > prefix.size()) return selector{what, pair, std::string{name.substr(prefix.size())}};
    for (auto const& f : fields)
        if (f.name == low) return selector{f.what, f.kind, f.kind == pair ? low : std::string{}};
    return std::nullopt;
}

std::string field_names() {
    std::string out;
    for (auto const& f : fields)
        if (!f.alias) (out += out.empty() ? "" : ", ") += f.name;
    return out;
}

std::string_view column_of(field f) {
    switch (f) {
    case field::serial_no: return "d.serial_no";
    case field::device_id: return "d.device_id";
    case field::model: return "d.model";
    case field::version: return "d.current_firmware";
    case field::status: return "d.status";
    case field::registration: return "d.registration";
    case field::boot_slot: return "d.boot_slot";
    case field::last_seen: return "d.last_seen";
    case field::created_at: return "d.created_at";
    case field::updated_at: return "d.updated_at";
    case field::keys_version: return "d.keys_version";
    case field::security_counter: return "d.security_counter";
    case field::ever_seen: return "d.ever_seen";
    case field::tag: case field::attribute: case field::setting: return {};
    }
    return {};
}

}
