#include "storage/firmware/command_envelope.hpp"

#include "storage/firmware/json_reader.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace airmail::storage::firmware {

namespace json = boost::json;

namespace {
constexpr std::size_t command_bytes_max = 16 * 1024;       // PRODUCT: payloads are at most 16 KiB
}

std::string signed_command::to_json() const {
    json::object o;
    o["command"] = command;
    o["device_id"] = device_id;
    o["seq"] = seq;
    o["issued_at"] = issued_at;
    o["expires_at"] = expires_at;
    o["campaign_id"] = campaign_id;
    o["command_id"] = command_id;
    if (!version.empty()) {
        o["version"] = version;
        o["checksum"] = checksum_text(sha256);
        o["size_bytes"] = size_bytes;
    }
    if (manifest_sha256 != digest256{}) o["manifest_sha256"] = to_hex(manifest_sha256);
    if (!params.empty()) {
        boost::system::error_code ec;
        o["params"] = json::parse(params, ec);
    }
    o["flags"] = json::object{{"force", force}, {"min_rate", min_rate_bytes_s}};
    return json::serialize(o);
}

result<signed_command> signed_command::parse(std::string_view text) {
    if (text.size() > command_bytes_max) return errc::too_large;
    json_reader in(text);
    signed_command c;
    c.command = in.text("command", 64);
    c.device_id = in.text("device_id", 64);
    c.seq = in.number("seq");
    c.issued_at = in.time("issued_at");
    c.expires_at = in.time("expires_at");
    c.campaign_id = in.text_or("campaign_id", "", 64);
    c.command_id = in.text("command_id", 64);
    if (c.command == "ota_update" || in.has("version")) {
        c.version = in.text("version", 64);
        c.sha256 = in.digest("checksum");
        c.size_bytes = in.number("size_bytes");
        if (c.version.empty()) in.fail();
    }
    if (in.has("manifest_sha256")) c.manifest_sha256 = in.digest("manifest_sha256");
    if (in.has("params")) c.params = json::serialize(in.object("params"));
    if (in.has("flags")) {
        json_reader flags(in.object("flags"));
        c.force = flags.flag_or("force", false);
        c.min_rate_bytes_s = flags.number_or("min_rate", 0);
        if (!flags.ok()) in.fail();
    }
    if (!in.ok() || c.device_id.empty() || c.command_id.empty() || c.expires_at < c.issued_at) return errc::bad_format;
    return c;
}

result<envelope> make_command(signed_command const& c, private_key const& online_key) { return seal(command_type, c.to_json(), online_key); }

result<signed_command> verify_command(std::string_view envelope_json, signers const& who, command_checks const& checks) {
    if (envelope_json.size() > command_bytes_max) return errc::too_large;
    auto e = envelope::parse(envelope_json);
    if (!e) return e.error();
    auto payload = verify(*e, command_type, who);
    if (!payload) return payload.error();
    auto c = signed_command::parse(*payload);
    if (!c) return c.error();
    if (c->device_id != checks.device_id) return errc::not_for_us;
    // Sent again with the same id after a crash or a lost PUBACK: a repeat, not a replay.
    bool repeat = c->seq == checks.last_seq && !checks.known_command_id.empty() && c->command_id == checks.known_command_id;
    if (c->seq <= checks.last_seq && !repeat) return errc::replayed;
    if (checks.now != 0 && checks.now > c->expires_at) return errc::expired;
    return c;
}

}
