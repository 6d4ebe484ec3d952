// Commands that belong to no campaign: an operator's own, a rehearsal, and what `airmailctl device certify` tries on a device.
#include "plugins/campaign/command.hpp"

#include "plugins/kit/json_out.hpp"
#include "storage/firmware/digest.hpp"

#include <algorithm>
#include <stdexcept>

namespace airmail::plugins::campaign {

namespace fw = storage::firmware;

std::string command_mint::compose(sdk::context& ctx, custom_command const& c) {
    release_info r;
    if (c.release) r = *c.release;
    if (c.fault == "bad_hash") r.sha256[0] ^= 1, r.checksum = fw::checksum_text(r.sha256);
    std::int64_t const issued = ctx.wall() / 1000, expires = issued + std::max<std::int64_t>(c.life_s, 1);
    fw::signed_command s;
    s.command = c.command, s.device_id = c.serial_no, s.seq = next_seq(ctx), s.issued_at = issued, s.expires_at = expires;
    s.campaign_id = c.campaign_id, s.command_id = c.command_id, s.params = c.params;
    if (c.release) s.version = r.version, s.sha256 = r.sha256, s.size_bytes = static_cast<std::uint64_t>(r.size_bytes), s.manifest_sha256 = r.manifest_sha256;
    kit::json_object out;
    out.text("command", c.command);
    if (c.release) {
        order o{.campaign_id = c.campaign_id, .command_id = c.command_id, .serial_no = c.serial_no};
        out.text("version", r.version).text("checksum", r.checksum).number("size_bytes", r.size_bytes);
        // The image is the true one: a wrong hash is found by the device, not by the store.
        if (c.command == "ota_update") out.text("url", url_of(*c.release, o, c.fault == "expired_url" ? issued - 10 : expires));
        if (!r.manifest.empty()) out.raw("manifest", r.manifest);
    }
    if (!c.params.empty()) out.raw("params", c.params);
    out.text("campaign_id", c.campaign_id).text("command_id", c.command_id).text("device_id", c.serial_no);
    out.number("seq", static_cast<std::int64_t>(s.seq)).number("issued_at", issued).number("expires_at", expires);
    if (key_) {
        auto e = fw::make_command(s, *key_);
        if (!e) throw std::runtime_error("command not signed: " + e.error().message());
        if (c.fault == "bad_signature") e->sigs.at(0).sig.at(0) ^= 1;
        out.raw("envelope", e->to_json());
    }
    return out.str();
}

void command_mint::send_custom(sdk::context& ctx, custom_command const& c) {
    auto payload = c.command == "url" && c.release ? std::string{} : compose(ctx, c);
    order o{.campaign_id = c.campaign_id, .command_id = c.command_id, .serial_no = c.serial_no, .life_ms = c.life_s * 1000};
    if (payload.empty()) return send_url(ctx, *c.release, o);
    publish(ctx, o, payload);
    if (c.fault == "duplicate") publish(ctx, o, payload);
}

}
