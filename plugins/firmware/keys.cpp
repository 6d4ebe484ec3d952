#include "plugins/firmware/keys.hpp"

#include "plugins/kit/json_out.hpp"
#include "plugins/kit/row.hpp"
#include "storage/firmware/files.hpp"

#include <boost/json/serialize.hpp>
#include <stdexcept>

namespace airmail::plugins {

namespace fw = storage::firmware;
using kit::integer, kit::params, kit::refusal, kit::text;

namespace {
constexpr std::uint64_t day_timer = 1;
constexpr std::int64_t warn_before_s = 90 * 86'400;

kit::json_array array_of(std::vector<std::string> const& list) {
    kit::json_array out;
    for (auto const& x : list) out.add_text(x);
    return out;
}

}

sdk::declaration keys_plugin::declare() {
    sdk::declaration d;
    d.after = {"ota.firmware"};
    d.topics = {{.filter = "ota/keys", .dir = sdk::direction::down}};
    d.methods = {{"keys.get", "viewer", "GET", "/api/v1/key-list", "The list of who may sign what, and how many devices hold which version.", false},
                 {"keys.publish", "admin", "POST", "/api/v1/key-list", "The next list; the roots of the present one must have signed it.", true},
                 {"keys.check", "admin", "", "", "Whether an image is signed by release keys that still hold; for other plugins.", false}};
    d.metrics = {{"airmail_keys_version_count", "version of the key list", "gauge"}, {"airmail_keys_left_seconds", "until the key list expires", "gauge"}};
    return d;
}

void keys_plugin::configure() {
    file_ = ctx.option("ota_keys");
    if (file_.empty()) return;
    auto read = fw::read_small_file(file_, fw::secrecy::anyone);
    if (!read) throw std::runtime_error("ota_keys " + file_ + ": " + read.error().message());
    auto e = fw::envelope::parse(*read);
    auto list = e ? fw::verify_keys(*e, 0) : fw::result<fw::key_list>(e.error());      // an expired list must still lead to the next one
    if (!list) throw std::runtime_error("ota_keys " + file_ + ": " + list.error().message());
    text_ = e->to_json(), list_ = std::move(*list);
}

void keys_plugin::start() {
    if (!list_) return;
    publish();
    ctx.timer(day_timer, ctx.now() + 1000);
}

void keys_plugin::publish() { ctx.publish({.topic = "ota/keys", .payload = text_, .retain = true}); }

void keys_plugin::tick(std::uint64_t, sdk::instant now) {
    auto left = list_->expires - ctx.wall() / 1000;
    ctx.metric_set("airmail_keys_version_count", static_cast<double>(list_->version)), ctx.metric_set("airmail_keys_left_seconds", static_cast<double>(left));
    ctx.timer(day_timer, now + 86'400'000);
    if (left > warn_before_s) return;
    auto said = "the key list (ota_keys, version " + std::to_string(list_->version) + ") " + (left > 0 ? "expires in " + std::to_string(left / 86'400) + " days" : "has expired") + ": publish the next one";
    ctx.log(sdk::level::warn, said);
    try {
        ctx.call("alert.raise", kit::json_object{}.text("severity", left > 0 ? "warning" : "critical").text("kind", "keys_expiry").text("text", said).str(), [](int, std::string_view) {});
    } catch (sdk::error const&) {}                                 // the log has it
}

void keys_plugin::method(sdk::call_view const& c) {
    kit::answer(ctx, c.handle, [&](int&) -> std::string {
        params p{c.params};
        if (c.method == "keys.check") return check(p);
        if (!list_) throw refusal{404, "keys.none", "ota_keys is not set"};
        return c.method == "keys.get" ? show() : take(p);
    });
}

std::string keys_plugin::show() {
    kit::json_object roles;
    for (auto const& [name, r] : list_->roles) roles.raw(name, kit::json_object{}.raw("kids", array_of(r.kids).str()).number("threshold", static_cast<std::int64_t>(r.threshold)).str());
    kit::json_array devices;
    for (auto const& v : ctx.sql("SELECT keys_version, count(*) FROM devices WHERE ever_seen = 1 AND registration = 'accepted' GROUP BY keys_version ORDER BY keys_version"))
        devices.add((kit::is_null(v[0]) ? kit::json_object{}.null("keys_version") : kit::json_object{}.number("keys_version", integer(v[0]))).number("count", integer(v[1])).str());
    kit::json_object o;
    o.number("version", static_cast<std::int64_t>(list_->version)).number("expires_at", list_->expires).raw("roles", roles.str());
    return o.raw("revoked", array_of(list_->revoked).str()).raw("devices", devices.str()).str();
}

std::string keys_plugin::take(params const& p) {
    auto v = p.find("envelope");
    if (!v) throw refusal{400, "keys.no_envelope", "the body must be {\"envelope\": the signed list}"};
    auto e = fw::envelope::parse(v->is_string() ? std::string(v->as_string()) : boost::json::serialize(*v));
    if (!e) throw refusal{422, "keys.bad_format", "envelope: " + e.error().message()};
    auto next = fw::verify_rotation(*list_, *e, ctx.wall() / 1000);
    if (!next && next.error() == fw::errc::replayed) throw refusal{409, "keys.wrong_version", "the present list has version " + std::to_string(list_->version) + ": the next is that plus one"};
    if (!next) throw refusal{422, "keys.refused", "the next list: " + next.error().message()};
    if (auto done = fw::replace_file(file_, e->to_json() + "\n", 0644); !done) throw refusal{500, "keys.not_written", file_ + ": " + done.error().message()};
    text_ = e->to_json(), list_ = std::move(*next);
    publish();
    ctx.timer(day_timer, ctx.now() + 1000);
    ctx.call("firmware.trust", "{}", [](int, std::string_view) {});
    return show();
}

std::string keys_plugin::check(params const& p) {
    if (!list_) return R"({"good":true})";
    auto rows = ctx.sql("SELECT manifest FROM firmware WHERE firmware_id = ?", {p.required("firmware_id")});
    if (rows.empty() || text(rows[0][0]).empty()) return R"({"good":true})";      // unsigned: what ota_unsigned_firmware has let in
    auto e = fw::envelope::parse(text(rows[0][0]));
    bool good = e && fw::verify(*e, fw::release_type, list_->signers_of("release"));
    return kit::json_object{}.flag("good", good).str();
}

}
