#include "plugins/ddi/plugin.hpp"

#include "plugins/ddi/feedback.hpp"
#include "plugins/ddi/hashes.hpp"
#include "plugins/kit/duration.hpp"
#include "plugins/kit/image_keys.hpp"
#include "plugins/kit/fields.hpp"
#include "plugins/kit/json_out.hpp"
#include "plugins/kit/row.hpp"
#include "storage/firmware/digest.hpp"
#include "storage/firmware/files.hpp"
#include "storage/firmware/ids.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdexcept>

namespace airmail::plugins {

namespace fw = storage::firmware;
using ddi::verdict_of;
using kit::integer, kit::params, kit::refusal, kit::text, kit::txt;

namespace {

constexpr std::string_view root = "/DEFAULT/controller/v1/";
constexpr std::uint64_t presence_timer = 1;

// The number is what a client knows an update by: 31 bits, never used twice. A new attempt is a new action.
constexpr char actions_1[] = R"(CREATE TABLE ddi_actions(
    action_id   INTEGER PRIMARY KEY AUTOINCREMENT,
    serial_no   TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    command_id  TEXT NOT NULL UNIQUE,
    fetched     INTEGER NOT NULL DEFAULT 0,
    closed      INTEGER NOT NULL DEFAULT 0,
    at          INTEGER NOT NULL
) STRICT;
CREATE INDEX ddi_actions_by_serial ON ddi_actions(serial_no, action_id);)";

constexpr char tokens_1[] = R"(CREATE TABLE ddi_tokens(
    serial_no TEXT PRIMARY KEY NOT NULL,
    sha256    TEXT NOT NULL,
    made_by   TEXT NOT NULL,
    at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;)";

constexpr char hashes_1[] = R"(CREATE TABLE ddi_hashes(
    checksum TEXT PRIMARY KEY NOT NULL,
    sha1     TEXT NOT NULL,
    md5      TEXT NOT NULL
) STRICT, WITHOUT ROWID;)";

// They covered the release manifest, which clients do not get: computed anew when asked for.
constexpr char hashes_2[] = R"(DELETE FROM ddi_hashes;
ALTER TABLE ddi_hashes ADD COLUMN sha256 TEXT NOT NULL DEFAULT '';)";

/// "a/b/c" -> its segments.
std::vector<std::string> segments(std::string_view path) {
    std::vector<std::string> out;
    while (!path.empty()) {
        auto end = std::min(path.find('/'), path.size());
        out.emplace_back(path.substr(0, end));
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return out;
}

std::string clock_text(std::int64_t ms) {
    auto s = std::clamp<std::int64_t>(ms / 1000, 1, 86'399);
    char out[16];
    std::snprintf(out, sizeof out, "%02d:%02d:%02d", static_cast<int>(s / 3600), static_cast<int>(s / 60 % 60), static_cast<int>(s % 60));
    return out;
}

std::string header_of(std::string_view headers, std::string_view name) {
    for (std::size_t at = 0; at < headers.size();) {
        auto end = std::min(headers.find('\n', at), headers.size());
        auto line = headers.substr(at, end - at);
        if (line.starts_with(name) && line.substr(name.size()).starts_with(": ")) return std::string{line.substr(name.size() + 2)};
        at = end + 1;
    }
    return {};
}

std::string hash_of(std::string_view secret) { return fw::to_hex(fw::sha256_of(secret)); }
bool same(std::string_view a, std::string_view b) { return a.size() == b.size() && !a.empty() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

std::string link(std::string const& href) { return kit::json_object{}.text("href", href).str(); }

}

sdk::declaration ddi_plugin::declare() {
    sdk::declaration d;
    d.after = {"ota.registry", "ota.firmware", "ota.campaign"};
    d.tables = {{"ddi_actions", "action_id", false, {actions_1}}, {"ddi_tokens", "serial_no", false, {tokens_1}}, {"ddi_hashes", "checksum", false, {hashes_1, hashes_2}}};
    d.methods = {{"ddi.token", "operator", "POST", "/api/v1/devices/{id}/ddi-token", "A new target token for a device that speaks hawkBit's DDI; shown once.", true}};
    for (auto const* path : {"{id}", "{id}/deploymentBase/{action}", "{id}/cancelAction/{action}", "{id}/installedBase/{action}", "{id}/softwaremodules/{action}/artifacts/{file}"})
        d.routes.push_back({"GET", std::string{root} + path, "", ""});
    d.routes.push_back({"HEAD", std::string{root} + "{id}/softwaremodules/{action}/artifacts/{file}", "", ""});
    d.routes.push_back({"PUT", std::string{root} + "{id}/configData", "", ""});
    for (auto const* path : {"{id}/deploymentBase/{action}/feedback", "{id}/cancelAction/{action}/feedback"}) d.routes.push_back({"POST", std::string{root} + path, "", ""});
    d.metrics = {{"airmail_ddi_polls_total", "polls of devices that speak DDI"}, {"airmail_ddi_refused_total", "requests without a good token or certificate"},
                 {"airmail_ddi_resumed_total", "downloads that went on where they were cut"},
                 {"airmail_ddi_feedback_total", "feedback of devices that speak DDI"}, {"airmail_ddi_present_devices", "devices that poll in time", "gauge"}};
    return d;
}

void ddi_plugin::configure() {
    on_ = ctx.option("ota_ddi") == "true";
    if (!on_) return;
    store_ = kit::open_image_store(ctx);
    poll_ms_ = std::clamp<std::int64_t>(kit::duration_option(ctx, "ota_ddi_poll", poll_ms_), 1000, 86'399'000);
    busy_poll_ms_ = std::min(poll_ms_, busy_poll_ms_);
    rate_ = kit::size_option(ctx, "ota_transfer_rate", 0);
    url_base_ = ctx.option("ota_url_base");
    if (url_base_.empty()) url_base_ = "https://localhost:8443";
    while (!url_base_.empty() && url_base_.back() == '/') url_base_.pop_back();
    if (auto file = ctx.option("ota_ddi_gateway_token"); !file.empty()) {
        auto secret = fw::read_small_file(file, fw::secrecy::owner_only);
        if (!secret) throw std::runtime_error("ota_ddi_gateway_token " + file + ": " + secret.error().message());
        while (!secret->empty() && (secret->back() == '\n' || secret->back() == '\r')) secret->pop_back();
        if (secret->size() < 16) throw std::runtime_error("ota_ddi_gateway_token " + file + ": the token has fewer than 16 characters");
        gateway_ = hash_of(*secret);
    }
}

void ddi_plugin::start() {
    if (on_) ctx.timer(presence_timer, ctx.now() + 1000);
}

/// Three polls missed: gone, so that timers of connected time stand still.
void ddi_plugin::tick(std::uint64_t, sdk::instant now) {
    std::vector<std::string> lost;
    for (auto const& [serial, at] : polled_)
        if (now - at > 3 * poll_ms_ + 5000) lost.push_back(serial);
    for (auto const& serial : lost) gone(serial);
    ctx.metric_set("airmail_ddi_present_devices", static_cast<double>(polled_.size()));
    ctx.timer(presence_timer, now + std::min<std::int64_t>(poll_ms_, 30'000));
}

int ddi_plugin::report(std::string const& json) {
    int status = 0;
    ctx.call("campaign.report", json, [&status](int s, std::string_view) { status = s; });
    return status;
}

void ddi_plugin::here(target const& t) {
    bool fresh = polled_.insert_or_assign(t.serial_no, ctx.now()).second;
    if (fresh) ctx.sql("UPDATE devices SET status = 'online' WHERE device_id = ? AND status = 'offline'", {t.device_id});
    report(kit::json_object{}.text("kind", "here").text("serial_no", t.serial_no).str());
    // In probation it claims the new version, and every poll says that it still lives. Before that we know only what it was.
    if (!ctx.sql("SELECT 1 FROM campaign_devices WHERE tenant = 0 AND serial_no = ? AND rank = 50", {t.serial_no}).empty()) heartbeat(t, t.version, fresh);
    ctx.sql("UPDATE devices SET last_seen = ?1 WHERE device_id = ?2 AND last_seen < ?1 - 30000", {ctx.wall(), t.device_id});
}

void ddi_plugin::gone(std::string const& serial) {
    polled_.erase(serial);
    report(kit::json_object{}.text("kind", "left").text("serial_no", serial).str());
    ctx.sql("UPDATE devices SET status = 'offline' WHERE tenant = 0 AND serial_no = ? AND status = 'online'", {serial});
}

void ddi_plugin::heartbeat(target const& t, std::string const& version, bool first) {
    report(kit::json_object{}.text("kind", "heartbeat").text("serial_no", t.serial_no).text("current_firmware", version).flag("first", first).text("boot", "unknown").str());
}

void ddi_plugin::seen(target const& t, std::string const& model, std::string const& version) {
    if (model.empty() || version.empty()) return;                   // it has not said enough yet
    int status = 0;
    ctx.call("registry.seen", kit::json_object{}.text("serial_no", t.serial_no).text("model", model).text("current_firmware", version).str(), [&status](int s, std::string_view) { status = s; });
    if (status >= 400) return;
    bool first = polled_.insert_or_assign(t.serial_no, ctx.now()).second;
    ctx.sql("UPDATE devices SET status = 'online' WHERE tenant = 0 AND serial_no = ? AND status = 'offline'", {t.serial_no});
    report(kit::json_object{}.text("kind", "joined").text("serial_no", t.serial_no).str());
    report(kit::json_object{}.text("kind", "here").text("serial_no", t.serial_no).str());
    heartbeat(t, version, first);
}

/// By target token, by gateway token, or by a client certificate of this device's. Unknown device and wrong token answer alike.
ddi_plugin::target ddi_plugin::authenticated(sdk::http_view const& r, std::string const& serial) {
    auto authorization = header_of(r.headers, "authorization");
    auto token = [&](std::string_view kind) { return authorization.starts_with(kind) ? hash_of(std::string_view{authorization}.substr(kind.size())) : std::string{}; };
    auto rows = ctx.sql("SELECT device_id, model, current_firmware, registration FROM devices WHERE tenant = 0 AND serial_no = ?", {serial});
    bool good = same(token("GatewayToken "), gateway_);
    if (auto given = token("TargetToken "); !good && !given.empty()) {
        auto known = ctx.sql("SELECT sha256 FROM ddi_tokens WHERE serial_no = ?", {serial});
        good = !known.empty() && same(given, text(known[0][0]));
    }
    if (auto space = r.peer.find(' '); !good && space != r.peer.npos) good = r.peer.substr(space + 1) == serial;
    bool blocked = !rows.empty() && text(rows[0][3]) == "blocked";
    if (!good || blocked) throw refusal{401, "ddi.unauthorized", "Authorization: TargetToken, GatewayToken or a client certificate of " + serial};
    target t{.serial_no = serial};
    if (!rows.empty()) t.device_id = text(rows[0][0]), t.model = text(rows[0][1]), t.version = text(rows[0][2]), t.registration = text(rows[0][3]);
    return t;
}

void ddi_plugin::http(sdk::http_view const& r) {
    sdk::http_reply out;
    try {
        if (!on_) throw refusal{404, "ddi.off", "ota_ddi is off"};
        out = answer(r);
    } catch (refusal const& e) {
        if (e.status == 401) ctx.metric_add("airmail_ddi_refused_total", 1);
        out.status = e.status, out.content_type = "application/problem+json", out.body = kit::problem_json(e.code, e.detail);
    }
    ctx.reply(r.handle, out);
}

sdk::http_reply ddi_plugin::answer(sdk::http_view const& r) {
    auto part = segments(r.path.substr(std::min(root.size(), r.path.size())));
    if (part.empty() || !fw::is_serial_no(part[0])) throw refusal{404, "ddi.not_found", "no such controller"};
    auto t = authenticated(r, part[0]);
    sdk::http_reply out;
    out.content_type = "application/hal+json";
    if (part.size() == 1) return out.body = base(t), out;
    if (part[1] == "configData") return out.body = config_data(t, r.body), out;
    auto a = action_of(t, part.size() > 2 ? part[2] : "");
    if (part[1] == "softwaremodules") {
        auto name = part.size() > 4 ? part[4] : "";
        return artifact(r, t, a, name.ends_with(".MD5SUM"));
    }
    if (r.verb == "POST") {
        ctx.metric_add("airmail_ddi_feedback_total", 1);
        feedback(t, a, r.body, part[1] == "cancelAction");
        return out.body = "{}", out;
    }
    if (part[1] == "cancelAction") {
        if (!a.cancelled) throw refusal{404, "ddi.not_found", "action " + part[2] + " is not cancelled"};
        auto id = std::to_string(a.id);
        out.body = kit::json_object{}.text("id", id).raw("cancelAction", kit::json_object{}.text("stopId", id).str()).str();
        return out;
    }
    if (part[1] == "deploymentBase" && (!a.current || a.cancelled)) throw refusal{410, "ddi.gone", "action " + part[2] + " is over"};
    ctx.sql("UPDATE ddi_actions SET fetched = 1 WHERE action_id = ? AND fetched = 0", {a.id});
    if (part[1] == "deploymentBase")
        report(kit::json_object{}.text("kind", "status").text("serial_no", t.serial_no).text("campaign_id", a.campaign_id).text("command_id", a.command_id).text("word", "accepted").str());
    return out.body = deployment(t, a), out;
}

/// The update that is under way with it, under its number; made when it is first shown.
std::optional<ddi_plugin::action> ddi_plugin::open_action(target const& t) {
    auto rows = ctx.sql("SELECT campaign_id, command_id FROM campaign_devices WHERE tenant = 0 AND serial_no = ? AND rank BETWEEN 2 AND 50 AND command_id IS NOT NULL", {t.serial_no});
    if (!rows.empty()) {
        ctx.sql("INSERT OR IGNORE INTO ddi_actions(serial_no, campaign_id, command_id, at) VALUES(?, ?, ?, ?)", {t.serial_no, rows[0][0], rows[0][1], ctx.wall()});
        auto id = ctx.sql("SELECT action_id FROM ddi_actions WHERE command_id = ?", {rows[0][1]});
        return action_of(t, std::to_string(integer(id.at(0).at(0))));
    }
    // Over for us, but the device has begun it and has not heard: told until it answers.
    auto left = ctx.sql("SELECT action_id FROM ddi_actions WHERE serial_no = ? AND fetched = 1 AND closed = 0 ORDER BY action_id DESC LIMIT 1", {t.serial_no});
    if (left.empty()) return std::nullopt;
    auto a = action_of(t, std::to_string(integer(left[0][0])));
    return a.cancelled && !a.closed ? std::optional{a} : std::nullopt;
}

ddi_plugin::action ddi_plugin::action_of(target const& t, std::string const& id) {
    auto n = std::strtoll(id.c_str(), nullptr, 10);
    auto rows = ctx.sql("SELECT a.campaign_id, a.command_id, a.closed, a.fetched, c.firmware_id, c.to_version, r.rank, r.flags, r.reason, r.command_id FROM ddi_actions a JOIN campaigns c USING(campaign_id) "
                        "JOIN campaign_devices r ON r.campaign_id = a.campaign_id AND r.serial_no = a.serial_no WHERE a.action_id = ? AND a.serial_no = ?", {n, t.serial_no});
    if (rows.empty()) throw refusal{404, "ddi.not_found", "no action " + id};
    auto const& v = rows[0];
    action a{.id = n, .campaign_id = std::string{text(v[0])}, .command_id = std::string{text(v[1])}, .firmware_id = std::string{text(v[4])}, .to_version = std::string{text(v[5])}, .why = std::string{text(v[8])}};
    a.closed = integer(v[2]) != 0, a.fetched = integer(v[3]) != 0, a.rank = integer(v[6]);
    a.current = text(v[9]) == a.command_id;
    a.cancelled = a.current && (integer(v[7]) & 4) != 0 && (a.rank < 30 || a.why == "cancelled" || a.why == "superseded");
    return a;
}

std::string ddi_plugin::base(target const& t) {
    ctx.metric_add("airmail_ddi_polls_total", 1);
    bool known = !t.device_id.empty() && !t.version.empty();
    if (known) here(t);
    auto a = known ? open_action(t) : std::nullopt;
    // Nothing to do: not here until the next poll, so that no command is given to somebody who will not ask for minutes.
    if (known && !a) report(kit::json_object{}.text("kind", "left").text("serial_no", t.serial_no).str());
    auto self = url_base_ + std::string{root} + t.serial_no;
    kit::json_object links;
    if (!known) links.raw("configData", link(self + "/configData"));
    if (a && a->cancelled) links.raw("cancelAction", link(self + "/cancelAction/" + std::to_string(a->id)));
    else if (a && !a->closed) links.raw("deploymentBase", link(self + "/deploymentBase/" + std::to_string(a->id)));
    auto sleep = a ? busy_poll_ms_ : poll_ms_;
    auto polling = kit::json_object{}.text("sleep", clock_text(sleep)).str();
    return kit::json_object{}.raw("config", kit::json_object{}.raw("polling", polling).str()).raw("_links", links.str()).str();
}

/// {"data":{"key":"value",...}}: `model` (or device_type) and `version` (or current_firmware) make it one of our devices; all are kept as settings.
std::string ddi_plugin::config_data(target const& t, std::string_view body) {
    std::string data, model = t.model, version = t.version;
    if (!kit::each_field(body, [&](std::string_view name, kit::field const& f) { if (name == "data" && f.what == kit::field::kind::nested) data = f.text; }))
        throw refusal{400, "ddi.bad_body", "configData is not JSON"};
    kit::each_field(data, [&](std::string_view name, kit::field const& f) {
        if (!f.is_string()) return;
        if (name == "model" || name == "device_type") model = kit::clip(f.text, 128);
        if (name == "version" || name == "current_firmware") version = kit::clip(f.text, 128);
    });
    if (model.empty() || version.empty()) throw refusal{400, "ddi.incomplete", "configData needs the attributes model and version"};
    seen(t, model, version);
    return "{}";
}

/// A release ends in its manifest (storage/firmware/release_manifest.hpp), verified when it came. These clients know nothing of it, and
/// not all bear it: SWUpdate closes its pipe 512 bytes behind the archive, a RAUC bundle is read from its end, MCUboot's slot takes every byte.
ddi_plugin::offered ddi_plugin::offered_by(action const& a) {
    auto rows = ctx.sql("SELECT checksum, image_bytes, version FROM firmware WHERE firmware_id = ?", {a.firmware_id});
    auto digest = rows.empty() ? fw::result<fw::digest256>(fw::errc::not_found) : fw::parse_digest(text(rows[0][0]));
    if (!digest) throw refusal{404, "ddi.not_found", "the image is gone"};
    offered o{.stored = *digest, .version = std::string{text(rows[0][2])}, .bytes = integer(rows[0][1])};
    std::string const checksum{text(rows[0][0])};
    auto known = ctx.sql("SELECT sha1, md5, sha256 FROM ddi_hashes WHERE checksum = ?", {checksum});
    if (!known.empty()) return o.sha1 = text(known[0][0]), o.md5 = text(known[0][1]), o.sha256 = text(known[0][2]), o;
    auto image = store_->reader(*digest);
    auto h = image ? ddi::hash_image(*image, static_cast<std::uint64_t>(o.bytes)) : std::nullopt;
    if (!h) throw refusal{404, "ddi.not_found", "the image is gone"};
    ctx.sql("INSERT OR REPLACE INTO ddi_hashes(checksum, sha1, md5, sha256) VALUES(?, ?, ?, ?)", {checksum, h->sha1, h->md5, h->sha256});
    return o.sha1 = h->sha1, o.md5 = h->md5, o.sha256 = h->sha256, o;
}

std::string ddi_plugin::deployment(target const& t, action const& a) {
    auto const o = offered_by(a);
    auto file = o.version + ".swu";
    auto href = url_base_ + std::string{root} + t.serial_no + "/softwaremodules/" + std::to_string(a.id) + "/artifacts/" + file;
    auto hashes = kit::json_object{}.text("sha1", o.sha1).text("md5", o.md5).text("sha256", o.sha256).str();
    // Both names carry HTTPS: clients look for either, and there is no plain one.
    auto links = kit::json_object{}.raw("download", link(href)).raw("download-http", link(href)).raw("md5sum", link(href + ".MD5SUM")).str();
    kit::json_array artifacts, chunks;
    artifacts.add(kit::json_object{}.text("filename", file).raw("hashes", hashes).number("size", o.bytes).raw("_links", links).str());
    chunks.add(kit::json_object{}.text("part", "bApp").text("version", o.version).text("name", "firmware").raw("artifacts", artifacts.str()).str());
    auto how = kit::json_object{}.text("download", "forced").text("update", "forced").raw("chunks", chunks.str()).str();
    return kit::json_object{}.text("id", std::to_string(a.id)).raw("deployment", how).str();
}

void ddi_plugin::feedback(target const& t, action const& a, std::string_view body, bool cancel) {
    auto said = ddi::parse_feedback(body);
    if (!said) throw refusal{400, "ddi.bad_body", "feedback without status.execution"};
    auto v = verdict_of(*said, cancel);
    // Its download was cut because we took the update back: what it calls a failure is our cancel.
    if (a.cancelled && v.word == "failed") v.word = "cancelled", v.reason = {};
    if (v.closes) ctx.sql("UPDATE ddi_actions SET closed = 1 WHERE action_id = ?", {a.id});
    if (v.word.empty()) return;
    if (v.installed) {
        // "Closed, success" means that it is installed. Whether it stays so, the polls of the probation show.
        seen(t, t.model, a.to_version);
        return;
    }
    report(kit::json_object{}.text("kind", "status").text("serial_no", t.serial_no).text("campaign_id", a.campaign_id).text("command_id", a.command_id).text("word", v.word)
               .text_if("reason", v.reason).text_if("error", kit::clip(said->details, 512)).number("progress", v.progress).str());
}

sdk::http_reply ddi_plugin::artifact(sdk::http_view const& r, target const& t, action const& a, bool md5) {
    auto const o = offered_by(a);
    sdk::http_reply out;
    if (md5) {
        out.content_type = "text/plain", out.body = o.md5 + "  image\n";
        return out;
    }
    if (!a.current || a.cancelled || a.rank >= 100) throw refusal{410, "ddi.gone", "the update has been withdrawn or is over"};
    if (r.verb == "GET") report(kit::json_object{}.text("kind", "byte").text("serial_no", t.serial_no).text("command_id", a.command_id).str());
    if (auto range = header_of(r.headers, "range"); range.starts_with("bytes=") && !range.starts_with("bytes=0-")) ctx.metric_add("airmail_ddi_resumed_total", 1);
    if (!store_->size(o.stored)) throw refusal{404, "ddi.not_found", "the image is gone"};
    out.content_type = "application/octet-stream", out.file_path = store_->path_of(o.stored), out.etag = "\"" + o.sha256 + "\"", out.file_bytes = static_cast<std::uint64_t>(o.bytes);
    out.revoke_token = a.command_id, out.rate_bytes_s = static_cast<std::uint64_t>(rate_), out.byte_budget = 3 * out.file_bytes;
    return out;
}

void ddi_plugin::method(sdk::call_view const& c) {
    kit::answer(ctx, c.handle, [&](int& status) -> std::string {
        status = 201;
        return make_token(params{c.params});
    });
}

std::string ddi_plugin::make_token(params const& p) {
    auto id = p.required("id");
    auto rows = ctx.sql("SELECT serial_no FROM devices WHERE (tenant = 0 AND serial_no = ?1) OR device_id = ?1", {id});
    if (rows.empty()) throw refusal{404, "registry.not_found", "no device " + id};
    std::array<std::uint8_t, 24> random{};       // 192 bits
    if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) throw refusal{500, "ddi.no_random", "no random numbers"};
    auto token = fw::to_hex(random);
    ctx.sql("INSERT OR REPLACE INTO ddi_tokens(serial_no, sha256, made_by, at) VALUES(?, ?, '', ?)", {txt(text(rows[0][0])), hash_of(token), ctx.wall()});
    return kit::json_object{}.text("serial_no", text(rows[0][0])).text("token", token).str();
}

}
