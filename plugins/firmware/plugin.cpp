#include "plugins/firmware/plugin.hpp"

#include "plugins/kit/duration.hpp"
#include "plugins/kit/image_keys.hpp"
#include "plugins/kit/json_out.hpp"
#include "plugins/kit/row.hpp"
#include "storage/firmware/files.hpp"
#include "storage/firmware/ids.hpp"
#include "storage/firmware/keys_json.hpp"
#include "storage/firmware/release_manifest.hpp"
#include "storage/firmware/semver.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace airmail::plugins {

namespace fw = storage::firmware;
using kit::integer, kit::params, kit::refusal, kit::text;

namespace {

constexpr char firmware_1[] = R"(CREATE TABLE firmware(
    firmware_id      TEXT PRIMARY KEY NOT NULL,
    tenant           INTEGER NOT NULL DEFAULT 0,
    version          TEXT NOT NULL,
    model            TEXT NOT NULL,
    file_url         TEXT NOT NULL,
    checksum         TEXT NOT NULL,
    size_bytes       INTEGER NOT NULL,
    uploaded_at      INTEGER NOT NULL,
    models           TEXT NOT NULL DEFAULT '[]',
    image_bytes      INTEGER NOT NULL,
    manifest         TEXT NOT NULL DEFAULT '',
    manifest_sha256  TEXT NOT NULL DEFAULT '',
    security_counter INTEGER NOT NULL DEFAULT 0,
    min_from_version TEXT NOT NULL DEFAULT '',
    uploaded_by      TEXT NOT NULL DEFAULT '',
    UNIQUE(tenant, checksum)
) STRICT;
CREATE INDEX firmware_by_model ON firmware(model, version);)";

constexpr std::string_view columns = "SELECT firmware_id, version, model, models, file_url, checksum, size_bytes, image_bytes, security_counter, "
                                     "min_from_version, manifest <> '', uploaded_at, uploaded_by, (SELECT state FROM firmware_objects o WHERE o.checksum = firmware.checksum), "
                                     "(SELECT error FROM firmware_objects o WHERE o.checksum = firmware.checksum) FROM firmware ";

std::string firmware_json(sdk::sql_row const& v) {
    kit::json_object o;
    o.text("firmware_id", text(v[0])).text("version", text(v[1])).text("model", text(v[2])).raw("models", text(v[3])).text("file_url", text(v[4]));
    o.text("checksum", text(v[5])).number("size_bytes", integer(v[6])).number("image_bytes", integer(v[7])).number("security_counter", integer(v[8]));
    o.text("min_from_version", text(v[9])).flag("signed", integer(v[10]) != 0).number("uploaded_at", integer(v[11]) / 1000);
    return o.text("uploaded_by", text(v[12])).text_if("object_store", text(v[13])).text_if("object_error", text(v[14])).str();
}

std::string query_value(std::string_view query, std::string_view key) {
    while (!query.empty()) {
        auto end = query.find('&');
        auto part = query.substr(0, end);
        if (part.size() > key.size() && part.starts_with(key) && part[key.size()] == '=') return std::string{part.substr(key.size() + 1)};
        query = end == query.npos ? std::string_view{} : query.substr(end + 1);
    }
    return {};
}

std::string code_of(boost::system::error_code ec) {
    if (ec == fw::errc::bad_signature || ec == fw::errc::wrong_type) return "firmware.bad_signature";
    if (ec == fw::errc::mismatch) return "firmware.mismatch";
    if (ec == fw::errc::expired) return "firmware.expired";
    return "firmware.bad_format";
}

}

/// An image that has passed.
struct firmware_plugin::upload {
    std::string version, manifest, manifest_sha256, min_from;
    std::vector<std::string> models;
    std::uint64_t image_bytes = 0, security_counter = 0;
};

sdk::declaration firmware_plugin::declare() {
    sdk::declaration d;
    d.tables = {{"firmware", "firmware_id", true, {firmware_1}}, object_keeper::table()};
    d.methods = {{"firmware.list", "viewer", "GET", "/api/v1/firmware", "Images, newest first.", false},
                 {"firmware.get", "viewer", "GET", "/api/v1/firmware/{id}", "One image.", false},
                 {"firmware.trust", "admin", "", "", "The key list has changed; for other plugins.", false},
                 {"firmware.delete", "admin", "DELETE", "/api/v1/firmware/{id}", "Deletes an image no campaign needs.", true}};
    d.routes = {{"POST", "/api/v1/firmware", "operator", "file"}, {"GET", "/fw/{sha256}", "", ""}, {"HEAD", "/fw/{sha256}", "", ""}};
    d.metrics = {{"airmail_firmware_uploads_total", "images taken"}, {"airmail_firmware_uploads_refused_total", "images refused"}, {"airmail_firmware_downloads_total", "transfers begun"},
                 {"airmail_firmware_urls_refused_total", "requests with a URL that is not good"}};
    for (auto& m : object_keeper::metrics()) d.metrics.push_back(std::move(m));
    return d;
}

void firmware_plugin::configure() {
    auto keys = ctx.option("ota_url_keys");
    if (keys.empty()) throw std::runtime_error("ota_url_keys is not set: the file that holds (or shall hold) the keys of firmware URLs");
    store_ = kit::open_image_store(ctx);
    auto ring = fw::url_key_ring::load_or_create(keys, ctx.wall() / 1000);
    if (!ring) throw std::runtime_error("ota_url_keys " + keys + ": " + ring.error().message());
    ring_ = std::move(*ring);
    read_release_keys();
    objects_.configure(*store_);
    unsigned_allowed_ = ctx.option("ota_unsigned_firmware") == "allow";
    if (release_keys_.keys.size() < release_keys_.threshold && !unsigned_allowed_)
        ctx.log(sdk::level::warn, "ota_release_keys: fewer keys than ota_release_threshold; every upload will be refused");
    rate_ = kit::size_option(ctx, "ota_transfer_rate", 0);
    url_base_ = ctx.option("ota_url_base");
    if (url_base_.empty()) url_base_ = "https://localhost:8443";
    while (!url_base_.empty() && url_base_.back() == '/') url_base_.pop_back();
}

/// From ota_release_keys; without it from the key list, which may be replaced while we run.
void firmware_plugin::read_release_keys() {
    auto list = ctx.option("ota_release_keys");
    release_keys_ = {};
    if (auto file = ctx.option("ota_keys"); list.empty() && !file.empty()) {
        auto read = fw::read_small_file(file, fw::secrecy::anyone);
        auto e = read ? fw::envelope::parse(*read) : fw::result<fw::envelope>(read.error());
        auto known = e ? fw::verify_keys(*e, 0) : fw::result<fw::key_list>(e.error());
        if (!known) throw std::runtime_error("ota_keys " + file + ": " + known.error().message());
        release_keys_ = known->signers_of("release");
        return;
    }
    for (std::size_t at = 0; at < list.size();) {
        auto end = std::min(list.find(',', at), list.size());
        auto path = list.substr(at, end - at);
        auto key = fw::public_key::load(path);
        if (!key) throw std::runtime_error("ota_release_keys " + path + ": " + key.error().message());
        release_keys_.keys.push_back(std::move(*key)), at = end + 1;
    }
    release_keys_.threshold = static_cast<std::size_t>(kit::count_option(ctx, "ota_release_threshold", 1, 1, 16));
}

void firmware_plugin::http(sdk::http_view const& r) {
    if (r.verb == "POST") {
        sdk::http_reply out;
        try {
            out.body = take(r, out.status);
        } catch (refusal const& e) {
            ctx.metric_add("airmail_firmware_uploads_refused_total", 1);
            drop(r);
            out.status = e.status, out.content_type = "application/problem+json", out.body = kit::problem_json(e.code, e.detail);
        }
        return ctx.reply(r.handle, out);
    }
    sdk::http_reply out;
    try {
        out = serve(r);
    } catch (refusal const& e) {
        ctx.metric_add("airmail_firmware_urls_refused_total", 1);
        ctx.log(sdk::level::info, "download refused: " + e.detail);
        out.status = e.status, out.content_type = "application/problem+json", out.body = kit::problem_json(e.code, e.detail);
    }
    ctx.reply(r.handle, out);
}

/// A refused file goes, unless it is one that we have taken before.
void firmware_plugin::drop(sdk::http_view const& r) {
    auto const digest = fw::parse_digest(r.body_sha256);
    if (!digest || r.body_file != store_->path_of(*digest) || !ctx.sql("SELECT 1 FROM firmware WHERE checksum = ?", {fw::checksum_text(*digest)}).empty()) return;
    if (auto gone = store_->remove(*digest); !gone) ctx.log(sdk::level::warn, "refused image not removed: " + gone.error().message());
}

firmware_plugin::upload firmware_plugin::inspect(sdk::http_view const& r) {
    auto image = store_->reader(std::string{r.body_file});
    if (!image) throw refusal{500, "firmware.store", "the upload cannot be read: " + image.error().message()};
    upload u;
    auto trailer = fw::read_trailer(*image);
    if (!trailer && trailer.error() == fw::errc::not_found) {
        if (!unsigned_allowed_) throw refusal{422, "firmware.unsigned", "the file has no release manifest (airmailctl firmware sign)"};
        u.version = query_value(r.query, "version"), u.models = {query_value(r.query, "model")}, u.image_bytes = r.body_size;
        if (u.version.empty() || u.models[0].empty()) throw refusal{400, "firmware.unnamed", "an unsigned file needs version and model in the query"};
        if (!fw::version::parse(u.version)) throw refusal{400, "firmware.bad_version", "\"" + u.version + "\" is no version"};
        return u;
    }
    if (!trailer) throw refusal{422, code_of(trailer.error()), "release manifest: " + trailer.error().message()};
    auto release = fw::verify_release(*image, release_keys_);
    if (!release) throw refusal{422, code_of(release.error()), "release manifest: " + release.error().message()};
    auto const& m = release->manifest;
    if (m.expires && *m.expires <= ctx.wall() / 1000) throw refusal{422, "firmware.expired", "the release manifest has expired"};
    u.version = m.version, u.models = m.model, u.min_from = m.min_from_version, u.security_counter = m.security_counter;
    u.image_bytes = release->image_bytes, u.manifest = trailer->manifest.to_json(), u.manifest_sha256 = fw::to_hex(release->manifest_sha256);
    return u;
}

std::string firmware_plugin::take(sdk::http_view const& r, int& status) {
    if (r.body_file.empty() || r.body_size == 0) throw refusal{400, "firmware.empty", "the body is empty"};
    auto u = inspect(r);
    auto expected = fw::parse_digest(r.body_sha256);
    auto kept = store_->adopt(std::string{r.body_file}, expected ? &*expected : nullptr);
    if (!kept && kept.error() == fw::errc::mismatch) throw refusal{422, "firmware.mismatch", "the file is not the one whose sha256 was announced"};
    if (!kept) throw refusal{kept.error() == fw::errc::full ? 507 : 500, "firmware.store", "not kept: " + kept.error().message()};
    auto checksum = fw::checksum_text(kept->sha256);
    auto known = ctx.sql(std::string{columns} + "WHERE tenant = 0 AND checksum = ?", {checksum});
    if (!known.empty()) return status = 200, firmware_json(known[0]);
    kit::json_array models;
    for (auto const& m : u.models) models.add_text(m);
    auto id = fw::new_id(ctx.wall());
    ctx.sql("INSERT INTO firmware(firmware_id, version, model, file_url, checksum, size_bytes, uploaded_at, models, image_bytes, manifest, "
            "manifest_sha256, security_counter, min_from_version, uploaded_by) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            {id, u.version, u.models[0], url_base_ + "/fw/" + fw::to_hex(kept->sha256), checksum, static_cast<std::int64_t>(kept->size), ctx.wall(),
             models.str(), static_cast<std::int64_t>(u.image_bytes), u.manifest, u.manifest_sha256, static_cast<std::int64_t>(u.security_counter),
             u.min_from, kit::txt(r.caller)});
    objects_.added(checksum);
    ctx.metric_add("airmail_firmware_uploads_total", 1);
    status = 201;
    return get(id);
}

/// Withdrawn, superseded by a newer attempt, or over: its URL opens nothing any more, however long its time.
bool firmware_plugin::revoked(std::string const& serial, std::string const& command_id) {
    auto rows = ctx.sql("SELECT rank, flags, reason FROM campaign_devices WHERE serial_no = ? AND command_id = ?", {serial, command_id});
    if (rows.empty()) return true;
    auto rank = integer(rows[0][0]);
    bool cancelled = integer(rows[0][1]) & 4;
    bool late = text(rows[0][2]) == "no_response" || text(rows[0][2]) == "stalled";      // given up by us, and yet it comes: evidence
    return cancelled || (rank >= 100 && !late);
}

/// A download of `airmailctl device certify`: told to it, and cut when it wants that.
bool firmware_plugin::certification(sdk::http_view const& r, fw::url_grant const& g, bool& cut) {
    auto at = r.headers.find("\nrange: ");
    auto range = at == r.headers.npos ? std::string_view{} : r.headers.substr(at + 8, r.headers.find('\n', at + 8) - at - 8);
    bool known = false;
    ctx.call("certify.grant", kit::json_object{}.text("serial_no", g.device).text("command_id", g.command_id).text("range", range).str(), [&](int status, std::string_view json) {
        known = status == 200, cut = json.find("true") != json.npos;
    });
    return known;
}

sdk::http_reply firmware_plugin::serve(sdk::http_view const& r) {
    std::string target{r.path};
    if (!r.query.empty()) (target += '?') += r.query;
    auto grant = fw::verify_url(*ring_, r.verb, target, ctx.wall() / 1000);
    if (!grant) {
        auto code = grant.error() == fw::errc::expired ? "firmware.url_expired" : "firmware.url_refused";
        throw refusal{403, code, "this URL is not good: " + grant.error().message()};
    }
    if (auto space = r.peer.find(' '); space != r.peer.npos && r.peer.substr(space + 1) != grant->device)
        throw refusal{403, "firmware.url_other_device", "this URL is another device's"};
    auto size = store_->size(grant->image);
    bool cut = false, certified = grant->command_id.starts_with("certify-");
    if (certified ? !certification(r, *grant, cut) : revoked(grant->device, grant->command_id)) throw refusal{410, "firmware.revoked", "the command has been withdrawn"};
    if (!size) throw refusal{404, "firmware.gone", "the image is gone"};
    if (r.verb == "GET" && !certified) {
        ctx.metric_add("airmail_firmware_downloads_total", 1);
        auto seen = kit::json_object{}.text("kind", "byte").text("serial_no", grant->device).text("command_id", grant->command_id).str();
        try {
            ctx.call("campaign.report", seen, [](int, std::string_view) {});
        } catch (sdk::error const&) {}                             // evidence is welcome, not needed
    }
    sdk::http_reply out;
    out.content_type = "application/octet-stream", out.file_path = store_->path_of(grant->image);
    out.etag = "\"" + fw::to_hex(grant->image) + "\"", out.revoke_token = grant->command_id;
    out.rate_bytes_s = static_cast<std::uint64_t>(rate_), out.byte_budget = cut ? *size / 3 : 3 * *size;
    return out;
}

void firmware_plugin::method(sdk::call_view const& c) {
    kit::answer(ctx, c.handle, [&](int&) -> std::string {
        params p{c.params};
        if (c.method == "firmware.list") return list(p);
        if (c.method == "firmware.trust") return read_release_keys(), "{}";
        if (c.method == "firmware.get") return get(p.required("id"));
        return remove(p.required("id"));
    });
}

std::string firmware_plugin::list(params const& p) {
    kit::json_array out;
    for (auto const& v : ctx.sql(std::string{columns} + "WHERE (?1 = '' OR ?1 IN (SELECT value FROM json_each(models))) AND (?2 = '' OR version = ?2) "
                                 "ORDER BY uploaded_at DESC, firmware_id DESC LIMIT ?3", {p.text("model"), p.text("version"), p.number("limit", 100, 1, 1000)}))
        out.add(firmware_json(v));
    return kit::json_object{}.raw("firmware", out.str()).str();
}

std::string firmware_plugin::get(std::string const& id) {
    auto rows = ctx.sql(std::string{columns} + "WHERE firmware_id = ?", {id});
    if (rows.empty()) throw refusal{404, "firmware.not_found", "no firmware " + id};
    return firmware_json(rows[0]);
}

std::string firmware_plugin::remove(std::string const& id) {
    auto rows = ctx.sql("SELECT checksum FROM firmware WHERE firmware_id = ?", {id});
    if (rows.empty()) throw refusal{404, "firmware.not_found", "no firmware " + id};
    if (!ctx.sql("SELECT 1 FROM campaigns WHERE firmware_id = ? AND status IN ('pending','active')", {id}).empty())
        throw refusal{409, "firmware.in_use", "a campaign that is not over needs it"};
    ctx.sql("DELETE FROM firmware WHERE firmware_id = ?", {id});
    doomed_.emplace_back(text(rows[0][0]));
    objects_.removed(doomed_.back());
    return kit::json_object{}.text("deleted", id).str();
}

/// Files go after the row has surely gone: a crash in between leaves a file that nobody names, never a name without a file.
void firmware_plugin::committed() {
    for (auto const& checksum : std::exchange(doomed_, {})) {
        auto digest = fw::parse_digest(checksum);
        if (!digest || !ctx.sql("SELECT 1 FROM firmware WHERE checksum = ?", {checksum}).empty()) continue;
        if (auto gone = store_->remove(*digest); !gone) ctx.log(sdk::level::warn, "image file not removed: " + gone.error().message());
    }
}

}
