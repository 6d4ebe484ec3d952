#include "plugins/targets/device_facts.hpp"

#include "plugins/kit/row.hpp"

namespace airmail::plugins::targets {

using kit::integer, kit::text, kit::txt;

std::optional<device_facts> load_facts(sdk::context& ctx, std::string_view serial_no) {
    auto rows = ctx.sql("SELECT serial_no, device_id, model, current_firmware, status, registration, boot_slot, last_seen, created_at, updated_at, "
                        "keys_version, security_counter, ever_seen FROM devices WHERE tenant = 0 AND serial_no = ?", {txt(serial_no)});
    if (rows.empty()) return std::nullopt;
    auto const& v = rows[0];
    device_facts d;
    std::size_t i = 0;
    for (auto* s : {&d.serial_no, &d.device_id, &d.model, &d.version, &d.status, &d.registration, &d.boot_slot}) *s = text(v[i++]);
    for (auto* n : {&d.last_seen, &d.created_at, &d.updated_at}) *n = integer(v[i++]);
    for (auto* n : {&d.keys_version, &d.security_counter}) {
        if (!kit::is_null(v[i])) *n = integer(v[i]);
        ++i;
    }
    d.ever_seen = integer(v[i]) != 0;
    for (auto const& r : ctx.sql("SELECT tag FROM device_tags WHERE device_id = ?", {d.device_id})) d.tags.emplace_back(text(r[0]));
    for (auto const& r : ctx.sql("SELECT key, value FROM device_attributes WHERE device_id = ?", {d.device_id}))
        d.attributes.emplace(text(r[0]), text(r[1]));
    try {
        for (auto const& r : ctx.sql("SELECT config_key, config_value FROM device_configs WHERE device_id = ? AND reported = 1", {d.device_id}))
            d.settings.emplace(text(r[0]), text(r[1]));
    } catch (sdk::error const&) {}                 // without the configuration plugin nobody has reported any
    return d;
}

std::vector<std::string> versions_of_fleet(sdk::context& ctx) {
    std::vector<std::string> out;
    for (auto const& r : ctx.sql("SELECT DISTINCT current_firmware FROM devices")) out.emplace_back(text(r[0]));
    return out;
}

}
