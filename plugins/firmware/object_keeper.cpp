#include "plugins/firmware/object_keeper.hpp"

#include "plugins/firmware/object_settings.hpp"
#include "plugins/kit/json_out.hpp"
#include "plugins/kit/row.hpp"

#include <algorithm>

namespace airmail::plugins {

namespace fw = storage::firmware;
using kit::integer, kit::text;

namespace {

constexpr char objects_1[] = R"(CREATE TABLE firmware_objects(
    checksum   TEXT PRIMARY KEY NOT NULL,
    place      TEXT NOT NULL,
    state      TEXT NOT NULL CHECK(state IN ('waiting','there','doomed')),
    tries      INTEGER NOT NULL DEFAULT 0,
    next_at    INTEGER NOT NULL DEFAULT 0,
    error      TEXT NOT NULL DEFAULT ''
) STRICT;)";

constexpr std::uint64_t timer = 1;
constexpr std::int64_t look_busy = 200, look_waiting = 1000;           // ms
constexpr std::int64_t retry_first = 60'000, retry_most = 3'600'000;

/// The image as a device shall get it: opened when it is sealed here. What encrypts it there is ota_object_store_sse.
std::optional<outbound::object_source> source_of(fw::firmware_store const& images, fw::digest256 const& d) {
    auto opened = images.reader(d);
    if (!opened) return std::nullopt;
    auto image = std::make_shared<fw::image_reader>(std::move(*opened));
    return outbound::object_source{image->size(), [image](std::uint64_t at, std::span<std::uint8_t> piece) { return image->read(at, piece).has_value(); }};
}

}

sdk::table_decl object_keeper::table() { return {"firmware_objects", "checksum", false, {objects_1}}; }

std::vector<sdk::metric_decl> object_keeper::metrics() {
    return {{"airmail_firmware_object_uploads_total", "images that the object store has taken"},
            {"airmail_firmware_object_failures_total", "jobs for the object store that failed and will be tried again"},
            {"airmail_firmware_object_bytes_total", "bytes of images that the object store has taken"},
            {"airmail_firmware_objects_waiting", "images that are not yet in the object store", "gauge"}};
}

void object_keeper::configure(fw::firmware_store const& images) {
    images_ = &images;
    options_ = read_object_options(ctx_);
    if (options_) place_ = place_text(options_->place);
}

void object_keeper::start() {
    if (!options_) return;
    client_ = std::make_unique<outbound::object_client>(*options_, [] { return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count(); });
    errand_ = std::make_unique<outbound::errand>("airmail-object");
    // Another place begins anew; what lies in the old one is the operator's.
    ctx_.sql("DELETE FROM firmware_objects WHERE place <> ?1 AND state = 'doomed'", {place_});
    ctx_.sql("INSERT INTO firmware_objects(checksum, place, state) SELECT checksum, ?1, 'waiting' FROM firmware WHERE true "
             "ON CONFLICT(checksum) DO UPDATE SET place = ?1, state = 'waiting', tries = 0, next_at = 0, error = '' WHERE place <> ?1", {place_});
    ctx_.sql("UPDATE firmware_objects SET next_at = 0 WHERE state <> 'there'");
    ctx_.timer(timer, ctx_.now());
}

void object_keeper::stop() {
    if (client_) client_->stop();
    errand_.reset(), client_.reset();
}

void object_keeper::added(std::string const& checksum) {
    if (!options_) return;
    ctx_.sql("INSERT INTO firmware_objects(checksum, place, state) VALUES(?, ?, 'waiting') ON CONFLICT(checksum) DO UPDATE SET place = excluded.place, state = 'waiting', "
             "tries = 0, next_at = 0, error = ''", {checksum, place_});
    ctx_.timer(timer, ctx_.now());
}

void object_keeper::removed(std::string const& checksum) {
    ctx_.sql("UPDATE firmware_objects SET state = 'doomed', tries = 0, next_at = 0 WHERE checksum = ?", {checksum});
    if (options_) ctx_.timer(timer, ctx_.now());
}

void object_keeper::tick() {
    if (!errand_) return;
    if (auto done = errand_->take()) settle(job_, *done);
    if (!errand_->busy()) next();
    auto const waiting = integer(ctx_.sql("SELECT count(*) FROM firmware_objects WHERE state = 'waiting'").at(0).at(0));
    auto const open = integer(ctx_.sql("SELECT count(*) FROM firmware_objects WHERE state <> 'there'").at(0).at(0));
    ctx_.metric_set("airmail_firmware_objects_waiting", static_cast<double>(waiting));
    if (errand_->busy()) ctx_.timer(timer, ctx_.now() + look_busy);
    else if (open) ctx_.timer(timer, ctx_.now() + look_waiting);
}

void object_keeper::settle(job const& j, std::string const& why) {
    auto const& c = j.checksum;
    if (!why.empty()) {
        ctx_.metric_add("airmail_firmware_object_failures_total", 1);
        auto const rows = ctx_.sql("SELECT tries FROM firmware_objects WHERE checksum = ?", {c});
        if (rows.empty()) return;
        auto const tries = integer(rows[0][0]);
        auto const wait = std::min(retry_first << std::min<std::int64_t>(2 * tries, 6), retry_most);
        ctx_.sql("UPDATE firmware_objects SET tries = tries + 1, next_at = ?, error = ? WHERE checksum = ?", {ctx_.wall() + wait, why, c});
        auto const line = j.remove ? "image " + c + " is not removed from the object store: " + why
                                       : "image " + c + " is not in the object store, the embedded store gives it out: " + why;
        ctx_.log(sdk::level::warn, line);
        if (tries == 0)
            try {
                ctx_.call("alert.raise", kit::json_object{}.text("severity", "warning").text("kind", "object_store").text("text", line).str(), [](int, std::string_view) {});
            } catch (sdk::error const&) {}                     // no alert plugin: the log has it
        return;
    }
    if (j.remove) {
        ctx_.sql("DELETE FROM firmware_objects WHERE checksum = ? AND state = 'doomed'", {c});
        return;
    }
    // Deleted while it went up: then it goes again.
    ctx_.sql("UPDATE firmware_objects SET state = 'there', tries = 0, error = '' WHERE checksum = ? AND state = 'waiting'", {c});
    ctx_.metric_add("airmail_firmware_object_uploads_total", 1);
    ctx_.metric_add("airmail_firmware_object_bytes_total", static_cast<double>(j.bytes));
    ctx_.log(sdk::level::info, "image " + c + " is in the object store");
}

void object_keeper::next() {
    auto const rows = ctx_.sql("SELECT checksum, state FROM firmware_objects WHERE state <> 'there' AND next_at <= ? ORDER BY next_at LIMIT 1", {ctx_.wall()});
    if (rows.empty()) return;
    job_ = {std::string{text(rows[0][0])}, text(rows[0][1]) == "doomed"};
    auto const digest = fw::parse_digest(job_.checksum);
    if (!digest) return settle(job_, "no checksum");
    auto const key = fw::to_hex(*digest);
    if (job_.remove) return errand_->begin([c = client_.get(), key] { return c->remove(key); });
    auto const source = source_of(*images_, *digest);
    if (!source) return settle(job_, "the embedded store cannot read it");
    job_.bytes = source->size;
    errand_->begin([c = client_.get(), key, image = *source] { return c->put(key, image); });
}

}
