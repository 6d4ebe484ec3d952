#include "plugins/campaign/command.hpp"

#include "plugins/campaign/certify.hpp"
#include "plugins/firmware/object_settings.hpp"
#include "plugins/kit/json_out.hpp"
#include "plugins/kit/row.hpp"
#include "storage/firmware/ids.hpp"

#include <algorithm>
#include <stdexcept>

namespace airmail::plugins::campaign {

namespace fw = storage::firmware;

void command_mint::configure(sdk::context& ctx, settings const& s) {
    url_base_ = s.url_base;
    if (s.url_keys.empty()) throw std::runtime_error("ota_url_keys is not set: the file that holds (or shall hold) the keys of firmware URLs");
    auto ring = fw::url_key_ring::load_or_create(s.url_keys, ctx.wall() / 1000);
    if (!ring) throw std::runtime_error("ota_url_keys " + s.url_keys + ": " + ring.error().message());
    ring_ = std::move(*ring);
    if (auto o = read_object_options(ctx)) objects_ = o->place, object_place_ = place_text(o->place), object_keys_file_ = o->keys_file, refresh_keys(ctx);
    if (s.command_key.empty()) {
        ctx.log(sdk::level::warn, "ota_command_key is not set: commands carry no envelope");
        return;
    }
    auto key = fw::private_key::load(s.command_key);
    if (!key) throw std::runtime_error("ota_command_key " + s.command_key + ": " + key.error().message());
    key_ = std::move(*key);
}

bool command_mint::is_object(sdk::context& ctx, std::string const& firmware_id) const {
    return objects_ && !ctx.sql("SELECT 1 FROM firmware_objects o JOIN firmware f ON f.checksum = o.checksum WHERE f.firmware_id = ? AND o.state = 'there' AND o.place = ?",
                                {firmware_id, object_place_}).empty();
}

/// Temporary keys are replaced in their file while we run; a file that cannot be read leaves the keys we have.
void command_mint::refresh_keys(sdk::context& ctx) {
    constexpr std::int64_t every = 30'000;
    if (!objects_ || (object_keys_read_ && ctx.wall() - object_keys_read_ < every)) return;
    auto keys = fw::read_object_keys(object_keys_file_);
    if (keys) object_keys_ = std::move(*keys);
    else ctx.log(sdk::level::error, "ota_object_store_keys " + object_keys_file_ + ": " + keys.error().message());
    object_keys_read_ = ctx.wall();
}

release_info const* command_mint::release(sdk::context& ctx, std::string const& firmware_id) {
    if (auto at = releases_.find(firmware_id); at != releases_.end()) {
        if (!at->second.in_object_store) at->second.in_object_store = is_object(ctx, firmware_id);
        return &at->second;
    }
    auto rows = ctx.sql("SELECT version, checksum, size_bytes, manifest, manifest_sha256 FROM firmware WHERE firmware_id = ?", {firmware_id});
    if (rows.empty()) return nullptr;
    if (releases_.size() > 1000) releases_.clear();      // a cache, nothing more
    release_info r;
    r.firmware_id = firmware_id, r.version = kit::text(rows[0][0]), r.checksum = kit::text(rows[0][1]);
    r.size_bytes = kit::integer(rows[0][2]), r.manifest = kit::text(rows[0][3]);
    if (auto d = fw::parse_digest(r.checksum)) r.sha256 = *d;
    if (auto d = fw::parse_digest(kit::text(rows[0][4]))) r.manifest_sha256 = *d;
    r.in_object_store = is_object(ctx, firmware_id);
    return &releases_.emplace(firmware_id, std::move(r)).first->second;
}

std::uint64_t command_mint::next_seq(sdk::context& ctx) {
    // The stored clock never goes back, so neither does the sequence; a thousand per millisecond is more than we can sign.
    return last_seq_ = std::max(last_seq_ + 1, static_cast<std::uint64_t>(ctx.now()) * 1000);
}

std::string command_mint::url_of(release_info const& r, order const& o, std::int64_t expires_s) const {
    // A certification cuts its download: only our own server can.
    if (objects_ && r.in_object_store && !o.command_id.starts_with(certify_prefix)) {
        auto const life = std::max<std::int64_t>(o.life_ms / 1000, 1);
        return fw::presign_get(*objects_, object_keys_, fw::to_hex(r.sha256), o.command_id, expires_s - life, life);
    }
    fw::url_grant g;
    g.image = r.sha256, g.device = o.serial_no, g.command_id = o.command_id, g.expires = expires_s;
    auto path = fw::sign_url(*ring_, g);
    if (!path) throw std::runtime_error("URL for " + std::string{o.serial_no} + ", command `" + std::string{o.command_id} + "`: " + path.error().message());
    return url_base_ + *path;
}

std::string command_mint::envelope(char const* command, release_info const* r, order const& o, std::uint64_t seq,
                                   std::int64_t issued, std::int64_t expires, std::string& trouble) const {
    if (!key_) return {};
    fw::signed_command c;
    c.command = command, c.device_id = o.serial_no, c.seq = seq, c.issued_at = issued, c.expires_at = expires;
    c.campaign_id = o.campaign_id, c.command_id = o.command_id;
    if (r) {
        c.version = r->version, c.sha256 = r->sha256, c.size_bytes = static_cast<std::uint64_t>(r->size_bytes);
        c.manifest_sha256 = r->manifest_sha256;
    }
    auto e = fw::make_command(c, *key_);
    if (!e) return trouble = "command not signed: " + e.error().message(), std::string{};
    return e->to_json();
}

void command_mint::publish(sdk::context& ctx, order const& o, std::string const& payload) {
    std::string topic = "devices/" + std::string{o.serial_no} + "/command", back = "devices/" + std::string{o.serial_no} + "/status";
    sdk::publication p;
    p.topic = topic, p.payload = payload, p.response_topic = back, p.correlation_data = o.command_id, p.traceparent = o.traceparent;
    p.expiry_s = static_cast<std::uint32_t>(std::clamp<std::int64_t>(o.life_ms / 1000, 1, 0xffffffff));
    ctx.publish(p);
}

void command_mint::write(release_info const* r, letter& l) const try {
    order o{.campaign_id = l.campaign_id, .command_id = l.command_id, .serial_no = l.serial_no, .traceparent = l.traceparent, .life_ms = l.life_ms};
    std::int64_t expires = l.issued + std::max<std::int64_t>(l.life_ms / 1000, 1);
    auto const* command = l.cancels ? "cancel" : "ota_update";
    if (l.cancels) r = nullptr;
    kit::json_object out;
    out.text("command", command);
    if (r) out.text("version", r->version).text("url", url_of(*r, o, expires)).text("checksum", r->checksum).number("size_bytes", r->size_bytes);
    out.text("campaign_id", o.campaign_id).text("command_id", o.command_id).text("device_id", o.serial_no);
    out.number("seq", static_cast<std::int64_t>(l.seq)).number("issued_at", l.issued).number("expires_at", expires);
    if (r && !r->manifest.empty()) out.raw("manifest", r->manifest);
    if (auto e = envelope(command, r, o, l.seq, l.issued, expires, l.trouble); !e.empty()) out.raw("envelope", e);
    if (!o.traceparent.empty()) out.text("traceparent", o.traceparent);
    l.payload = out.str();
} catch (std::exception const& e) {
    l.trouble = e.what(), l.payload.clear();
}

void command_mint::begin(sdk::context& ctx, release_info const* r, std::vector<letter>& letters) {
    refresh_keys(ctx);
    for (auto& l : letters) l.issued = ctx.wall() / 1000, l.seq = next_seq(ctx);
    if (letters.size() < 4) {                  // a thread is not worth waking
        for (auto& l : letters) write(r, l);
        return;
    }
    crew_.begin(letters.size(), [this, r, &letters](std::size_t i) { write(r, letters[i]); });
}

void command_mint::post(sdk::context& ctx, std::vector<letter> const& letters) {
    crew_.finish();
    for (auto const& l : letters) {
        if (!l.wanted) continue;
        if (l.payload.empty()) throw std::runtime_error("command for " + l.serial_no + ": " + l.trouble);
        if (!l.trouble.empty()) ctx.log(sdk::level::error, l.trouble);
        publish(ctx, {.campaign_id = l.campaign_id, .command_id = l.command_id, .serial_no = l.serial_no, .traceparent = l.traceparent, .life_ms = l.life_ms}, l.payload);
    }
}

void command_mint::send_one(sdk::context& ctx, release_info const* r, order const& o) {
    std::vector<letter> one(1);
    auto& l = one.front();
    l.campaign_id = o.campaign_id, l.command_id = o.command_id, l.serial_no = o.serial_no, l.traceparent = o.traceparent, l.life_ms = o.life_ms;
    l.cancels = !r, l.wanted = true;
    begin(ctx, r, one);
    post(ctx, one);
}

void command_mint::send_update(sdk::context& ctx, release_info const& r, order const& o) { send_one(ctx, &r, o); }
void command_mint::send_cancel(sdk::context& ctx, order const& o) { send_one(ctx, nullptr, o); }

void command_mint::send_url(sdk::context& ctx, release_info const& r, order const& o) {
    refresh_keys(ctx);
    std::int64_t expires = ctx.wall() / 1000 + std::max<std::int64_t>(o.life_ms / 1000, 1);
    publish(ctx, o, kit::json_object{}.text("command", "url").text("campaign_id", o.campaign_id).text("command_id", o.command_id)
                        .text("url", url_of(r, o, expires)).number("expires_at", expires).str());
}

void command_mint::send_report(sdk::context& ctx, std::string_view serial_no) {
    publish(ctx, {.serial_no = serial_no, .life_ms = 60'000}, R"({"command":"report"})");
}

}
