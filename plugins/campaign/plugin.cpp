#include "plugins/campaign/plugin.hpp"

#include "plugins/campaign/certify.hpp"
#include "plugins/campaign/explain.hpp"
#include "plugins/campaign/tables.hpp"
#include "plugins/campaign/views.hpp"
#include "plugins/kit/fields.hpp"
#include "plugins/kit/json_out.hpp"
#include "plugins/kit/row.hpp"
#include "storage/firmware/ids.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>

namespace airmail::plugins {

namespace fw = storage::firmware;
using namespace campaign;
using kit::params, kit::refusal, kit::txt;

sdk::declaration campaign_plugin::declare() {
    sdk::declaration d;
    d.ready_topic = "devices/{id}/command", d.after = {"ota.registry", "ota.firmware"};
    d.topics = {{.filter = "devices/{id}/request", .durable = true}, {.filter = "devices/{id}/command", .dir = sdk::direction::down}};
    d.tables = tables();
    auto get = [&](char const* name, char const* path, char const* doc) { d.methods.push_back({name, "viewer", "GET", path, doc, false}); };
    auto post = [&](char const* name, char const* path, char const* doc) { d.methods.push_back({name, "operator", "POST", path, doc, true}); };
    d.methods.push_back({"campaign.preview", "viewer", "POST", "/api/v1/campaigns/preview", "Who a campaign would be for; nothing is made.", false});
    post("campaign.create", "/api/v1/campaigns", "Makes a campaign (pending) and the rows of the devices it is for.");
    post("campaign.approve", "/api/v1/campaigns/{id}/approve", "Somebody other than its maker says yes (ota_approval).");
    post("campaign.deny", "/api/v1/campaigns/{id}/deny", "Somebody says no: it ends.");
    post("campaign.revert", "/api/v1/campaigns/{id}/revert", "The opposite campaign, for the devices that took its image.");
    post("campaign.start", "/api/v1/campaigns/{id}/start", "Opens the first phase.");
    post("campaign.pause", "/api/v1/campaigns/{id}/pause", "Stops admission; devices under way go on.");
    post("campaign.resume", "/api/v1/campaigns/{id}/resume", "Goes on.");
    post("campaign.advance", "/api/v1/campaigns/{id}/advance", "Opens the next phase now, whatever its gate says.");
    post("campaign.cancel", "/api/v1/campaigns/{id}/cancel", "Stops everything that can still be stopped.");
    post("campaign.retry", "/api/v1/campaigns/{id}/devices/{device}/retry", "A new attempt for one device, also after a rollback.");
    get("campaign.list", "/api/v1/campaigns", "Campaigns, newest first.");
    get("campaign.get", "/api/v1/campaigns/{id}", "One campaign.");
    get("campaign.devices", "/api/v1/campaigns/{id}/devices", "Its devices.");
    get("campaign.explain", "/api/v1/campaigns/{id}/devices/{device}", "One device, and what it waits for.");
    get("campaign.events", "/api/v1/campaigns/{id}/events", "What happened, in order.");
    get("campaign.watch", "/api/v1/campaigns/{id}/watch", "The campaign and its newest events.");
    get("campaign.audit", "/api/v1/campaigns/{id}/audit", "Counts all rows anew and compares.");
    d.methods.push_back({"campaign.poisoned", "viewer", "GET", "/api/v1/poison", "Versions that campaigns have stopped themselves on, by model.", false});
    d.methods.push_back({"campaign.unpoison", "operator", "DELETE", "/api/v1/poison/{model}/{version}", "Somebody has looked: the version may be given again.", true});
    d.methods.push_back({"campaign.say", "admin", "", "", "A command of no campaign, signed; for other plugins.", false});
    d.methods.push_back({"campaign.report", "admin", "", "", "What a device says of an update; for other plugins.", false});
    d.metrics = {{"airmail_campaign_commands_total", "update commands sent"}, {"airmail_campaign_stale_events_total", "statuses and evidence that changed nothing"},
                 {"airmail_campaign_unknown_requests_total", "devices/+/request with an unknown word"}, {"airmail_campaign_unknown_reports_total", "statuses about unknown campaigns"}};
    return d;
}

sdk::verdict campaign_plugin::message(sdk::message_view const& m) {
    std::string what, command_id;
    auto id = m.topic.substr(8, m.topic.size() - 8 - 8);       // between "devices/" and "/request"
    if (!kit::each_field(m.payload, [&](std::string_view name, kit::field const& f) {
            if (name == "request" && f.is_string()) what = f.text;
            else if (name == "command_id" && f.is_string()) command_id = f.text;
        })) {
        ctx.metric_add("airmail_campaign_unknown_requests_total", 1);
        return sdk::verdict::ok;
    }
    // A certification has no row of a campaign: its own plugin knows the command.
    if (command_id.starts_with(certify_prefix))
        ctx.call("certify.heard", kit::json_object{}.text("serial_no", id).text("what", "request").text("request", what).text("command_id", command_id).str(), [](int, std::string_view) {});
    else engine_.request(id, what, command_id);
    return sdk::verdict::ok;
}

void campaign_plugin::session(sdk::session_view const& s) {
    if (s.change == sdk::session_change::ready) engine_.ready(s.identity, s.connection);
    else if (s.change != sdk::session_change::connect) engine_.gone(s.identity, s.connection);
}

void campaign_plugin::method(sdk::call_view const& c) {
    kit::answer(ctx, c.handle, [&](int& status) -> std::string {
        if (c.method == "campaign.report") return report(c.params, status);
        params p{c.params};
        auto verb = c.method.substr(c.method.find('.') + 1);
        if (verb == "say") return say(p);
        if (verb == "create") return create(p, c, status);
        if (verb == "preview") return preview(p);
        if (verb == "revert") return revert(p, c, status);
        if (verb == "list") return list(p);
        if (verb == "get") return whole(load(p));
        if (verb == "devices") return devices(p);
        if (verb == "explain") return one_device(p);
        if (verb == "events" || verb == "watch") return events(p, verb == "watch");
        if (verb == "audit") return audit(p);
        if (verb == "poisoned") return poisoned();
        if (verb == "unpoison") return engine_.unpoison(p.required("model"), p.required("version"));
        return operate(verb, p, c);
    });
}

/// With what the comparison of its devices has shown, where there is one.
std::string campaign_plugin::whole(campaign_row const& c) {
    std::string extra;
    try {
        ctx.call("cohort.get", kit::json_object{}.text("id", c.id).str(), [&](int status, std::string_view json) {
            if (status == 200) extra = "\"cohort\":" + std::string{json};
        });
    } catch (sdk::error const&) {}                                 // no such plugin here
    return campaign_json(c, extra);
}

campaign_row campaign_plugin::load(params const& p) {
    auto id = p.required("id");
    if (auto c = load_campaign(ctx, id)) return std::move(*c);
    throw refusal{404, "campaign.not_found", "no campaign " + id};
}

std::string campaign_plugin::serial_of(std::string const& device) {
    auto rows = ctx.sql("SELECT serial_no FROM devices WHERE (tenant = 0 AND serial_no = ?1) OR device_id = ?1", {device});
    return rows.empty() ? device : std::string{kit::text(rows[0][0])};
}

namespace {

/// A member as JSON text, whether it came as a value or as a text.
std::string as_json(params const& p, char const* key) {
    auto v = p.find(key);
    return !v ? std::string{} : v->is_string() ? std::string{v->as_string().data(), v->as_string().size()} : boost::json::serialize(*v);
}

}

/// Firmware, criteria and direction: what decides who is meant.
void campaign_plugin::read_targets(params const& p, campaign_row& c) {
    c.firmware_id = p.required("firmware_id");
    auto rows = ctx.sql("SELECT version FROM firmware WHERE firmware_id = ?", {c.firmware_id});
    if (rows.empty()) throw refusal{404, "campaign.no_firmware", "no firmware " + c.firmware_id};
    c.to_version = kit::text(rows[0][0]);
    c.target_criteria = parse_criteria(as_json(p, "target_criteria")).json;
    c.allow_downgrade = p.flag("allow_downgrade").value_or(false);
}

/// Signed at upload is not enough: the key may have been revoked since.
void campaign_plugin::trusted(std::string const& firmware_id) {
    bool good = true;
    try {
        ctx.call("keys.check", kit::json_object{}.text("firmware_id", firmware_id).str(), [&](int status, std::string_view json) { good = status != 200 || json.find("false") == json.npos; });
    } catch (sdk::error const&) {}                                 // no key list here: what the upload has checked holds
    if (!good) throw refusal{409, "campaign.untrusted", "the release keys of today have not signed this image: sign and upload it again"};
}

std::string campaign_plugin::preview(params const& p) {
    campaign_row c;
    read_targets(p, c);
    auto seen = look_ahead(ctx, c);
    auto size = kit::integer(ctx.sql("SELECT size_bytes FROM firmware WHERE firmware_id = ?", {c.firmware_id}).at(0).at(0));
    auto rate = p.number("rate_per_min", engine_.set().rate_per_min, 0, 100'000'000);
    kit::json_array examples, groups;
    for (auto const& s : seen.examples) examples.add_text(s);
    for (auto const& g : seen.groups)
        groups.add(kit::json_object{}.text("model", g.model).text("version", g.version).number("count", g.count).number("online", g.online).text("why_not", g.why).str());
    kit::json_object o;
    o.number("count", seen.count).number("online", seen.online).number("offline", seen.count - seen.online).number("never_seen", seen.never_seen);
    o.number("silent_1d", seen.silent_day).number("silent_7d", seen.silent_week).number("silent_30d", seen.silent_month);
    o.number("size_bytes", size).number("bytes", size * seen.count);
    rate > 0 ? o.real("hours_for_online", static_cast<double>(seen.online) / static_cast<double>(rate) / 60) : o.null("hours_for_online");
    return o.raw("examples", examples.str()).raw("groups", groups.str()).str();
}

std::string campaign_plugin::create(params const& p, sdk::call_view const& call, int& status) {
    campaign_row c;
    c.id = p.text("campaign_id");
    if (c.id.empty()) c.id = fw::new_id(ctx.wall());
    if (!fw::is_serial_no(c.id)) throw refusal{400, "campaign.bad_id", "campaign_id must be 1 to 64 of [A-Za-z0-9._:-]"};
    if (load_campaign(ctx, c.id)) throw refusal{409, "campaign.exists", "campaign " + c.id + " exists"};
    c.name = p.required("name");
    read_targets(p, c);
    auto const& s = engine_.set();
    std::string why;
    auto phases = parse_phases(as_json(p, "phases"), s.phase_soak, s.phase_success, why);
    if (!phases) throw refusal{400, "campaign.bad_phases", why};
    c.phases = std::move(*phases), c.phases_text = phases_json(c.phases);
    c.max_in_flight = p.number("max_in_flight", s.max_in_flight, 1, 10'000'000), c.rate_per_min = p.number("rate_per_min", s.rate_per_min, 0, 100'000'000);
    c.dynamic = p.flag("dynamic").value_or(false);
    c.supersedes = p.flag("supersedes").value_or(false), c.auto_stop = p.flag("auto_stop").value_or(true);
    c.priority = p.number("priority", 500, 0, 1000), c.rate_bytes_s = p.number("rate_bytes_s", 0, 0, std::int64_t{1} << 50);
    auto windows = parse_windows(as_json(p, "windows"), why);
    if (!windows) throw refusal{400, "campaign.bad_windows", why};
    c.windows = std::move(*windows), c.windows_text = c.windows.empty() ? "" : windows_json(c.windows), c.zone = p.text("zone");
    if (!c.zone.empty() && !zone::find(c.zone)) throw refusal{400, "campaign.bad_windows", "zone \"" + c.zone + "\" is neither an offset from UTC such as +02:00 nor a name such as Europe/Berlin"};
    c.start_at = p.number("start_at", 0, 0, 1LL << 40) * 1000, c.expires_at = p.number("expires_at", 0, 0, 1LL << 40) * 1000;
    if (c.expires_at > 0 && c.expires_at <= ctx.wall()) throw refusal{400, "campaign.bad_parameter", "expires_at is in the past"};
    c.status = "pending", c.stage = s.approval ? "awaiting_approval" : c.start_at > 0 ? "scheduled" : "draft";
    c.created_by = call.caller, c.created_at = c.updated_at = ctx.wall(), c.traceparent = call.traceparent;
    c.salt = static_cast<std::int64_t>(std::hash<std::string>{}(c.id) & 0x7fffffff);
    trusted(c.firmware_id);
    auto made = engine_.prepare(std::move(c), call.caller);
    status = 201;
    if (p.flag("start").value_or(false) && !s.approval) made = engine_.launch(made.id, call.caller);
    return campaign_json(made);
}

/// One campaign per image that devices came from. Devices whose counter forbids the older image, or whose image is gone, are named with the reason.
std::string campaign_plugin::revert(params const& p, sdk::call_view const& call, int& status) {
    auto from = load(p);
    auto counter_of = [&](std::string const& id) {
        auto rows = ctx.sql("SELECT security_counter FROM firmware WHERE firmware_id = ?", {id});
        return rows.empty() ? std::int64_t{0} : kit::integer(rows[0][0]);
    };
    struct group {
        std::string model, version, firmware_id, why;
        std::int64_t counter = 0;
        std::vector<std::string> devices;
    };
    std::vector<group> groups;
    auto taken = counter_of(from.firmware_id);
    for (auto const& v : ctx.sql("SELECT d.serial_no, d.model, c.from_version, coalesce(d.security_counter, 0) FROM campaign_devices c JOIN devices d ON d.device_id = c.device_id "
                                 "WHERE c.campaign_id = ? AND ((c.status = 'completed' AND c.stage <> 'already_installed') OR (c.flags & 32) <> 0) ORDER BY d.serial_no", {from.id})) {
        std::string model{kit::text(v[1])}, version{kit::text(v[2])};
        auto at = std::find_if(groups.begin(), groups.end(), [&](group const& g) { return g.model == model && g.version == version; });
        if (at == groups.end()) at = groups.insert(groups.end(), group{.model = model, .version = version, .firmware_id = {}, .why = {}, .devices = {}});
        at->devices.emplace_back(kit::text(v[0])), at->counter = std::max({at->counter, kit::integer(v[3]), taken});
    }
    if (groups.empty()) throw refusal{409, "campaign.nothing_to_revert", "no device has taken the image of campaign " + from.id};
    for (auto& g : groups) {
        for (auto const& v : ctx.sql("SELECT firmware_id, version FROM firmware WHERE EXISTS(SELECT 1 FROM json_each(models) WHERE value = ?) ORDER BY uploaded_at DESC", {g.model}))
            if (g.firmware_id.empty() && fw::compare_versions(kit::text(v[1]), g.version) == 0) g.firmware_id = kit::text(v[0]);
        if (g.firmware_id.empty()) g.why = "there is no image " + g.version + " for " + g.model + ": upload it";
        else if (auto counter = counter_of(g.firmware_id); counter < g.counter)
            g.why = "the security counter of " + g.version + " is " + std::to_string(counter) + ", and these devices have taken " + std::to_string(g.counter) + ": they would refuse it";
    }
    kit::json_array made, refused;
    std::string first_why;
    int campaigns = 0;
    for (auto const& g : groups) {
        if (!g.why.empty()) {
            if (first_why.empty()) first_why = g.why;
            refused.add(kit::json_object{}.text("model", g.model).text("version", g.version).number("count", static_cast<std::int64_t>(g.devices.size())).text("why", g.why).str());
            continue;
        }
        campaign_row c;
        c.id = fw::new_id(ctx.wall()), c.name = "revert of " + from.name + " to " + g.version, c.firmware_id = g.firmware_id, c.to_version = g.version, c.reverts = from.id;
        kit::json_array devices;
        for (auto const& d : g.devices) devices.add_text(d);
        c.target_criteria = kit::json_object{}.text("model", g.model).raw("devices", devices.str()).str();
        c.phases = from.phases, c.phases_text = from.phases_text, c.max_in_flight = from.max_in_flight, c.rate_per_min = from.rate_per_min, c.rate_bytes_s = from.rate_bytes_s;
        c.windows = from.windows, c.windows_text = from.windows_text, c.zone = from.zone, c.priority = std::min<std::int64_t>(from.priority + 1, 1000), c.allow_downgrade = true;
        c.status = "pending", c.stage = engine_.set().approval ? "awaiting_approval" : "draft";
        c.created_by = call.caller, c.created_at = c.updated_at = ctx.wall(), c.traceparent = call.traceparent;
        c.salt = static_cast<std::int64_t>(std::hash<std::string>{}(c.id) & 0x7fffffff);
        made.add(campaign_json(engine_.prepare(std::move(c), call.caller))), ++campaigns;
    }
    if (campaigns == 0) throw refusal{409, "campaign.cannot_revert", first_why};
    status = 201;
    return kit::json_object{}.raw("campaigns", made.str()).raw("refused", refused.str()).str();
}

std::string campaign_plugin::poisoned() {
    kit::json_array out;
    for (auto const& v : ctx.sql("SELECT model, to_version, campaign_id, reason, at FROM campaign_poison_models ORDER BY at DESC LIMIT 1000"))
        out.add(kit::json_object{}.text("model", kit::text(v[0])).text("version", kit::text(v[1])).text("campaign_id", kit::text(v[2])).text("reason", kit::text(v[3]))
                    .number("at", kit::integer(v[4]) / 1000).str());
    return kit::json_object{}.raw("poisoned", out.str()).str();
}

std::string campaign_plugin::operate(std::string_view verb, params const& p, sdk::call_view const& call) {
    auto id = p.required("id"), reason = p.text("reason");
    if (verb == "start") return trusted(load(p).firmware_id), campaign_json(engine_.launch(id, call.caller));
    if (verb == "approve") return campaign_json(engine_.approve(id, call.caller));
    if (verb == "deny") return campaign_json(engine_.deny(id, call.caller, reason));
    if (verb == "pause") return campaign_json(engine_.pause(id, call.caller, reason));
    if (verb == "resume") return campaign_json(engine_.resume(id, call.caller));
    if (verb == "advance") return campaign_json(engine_.advance(id, call.caller));
    if (verb == "retry") {
        auto serial = serial_of(p.required("device"));
        engine_.retry(id, call.caller, serial);
        return device_json(*load_device(ctx, id, serial), ctx.now(), ctx.wall());
    }
    if (verb != "cancel") throw refusal{404, "api.no_such_method", "no method campaign." + std::string{verb}};
    cancel_count n;
    auto c = engine_.cancel(id, call.caller, reason, n);
    auto counts = kit::json_object{}.number("stopped", n.stopped).number("asked", n.asked).number("too_late", n.too_late).number("offline", n.offline).str();
    return campaign_json(c, "\"cancel\":" + counts);
}

std::string campaign_plugin::list(params const& p) {
    auto status = p.text("status"), after = p.text("after");
    auto limit = p.number("limit", 50, 1, 1000);
    auto ids = ctx.sql("SELECT campaign_id FROM campaigns WHERE (?1 = '' OR status = ?1) AND (?2 = '' OR (created_at, campaign_id) < "
                       "(SELECT created_at, campaign_id FROM campaigns WHERE campaign_id = ?2)) ORDER BY created_at DESC, campaign_id DESC LIMIT ?3",
                       {status, after, limit + 1});
    kit::json_array out;
    kit::json_object reply;
    std::string last;
    for (std::size_t i = 0; i < ids.size() && i < static_cast<std::size_t>(limit); ++i)
        last = kit::text(ids[i][0]), out.add(campaign_json(*load_campaign(ctx, last)));
    reply.raw("campaigns", out.str());
    ids.size() > static_cast<std::size_t>(limit) ? reply.text("next", last) : reply.null("next");
    return reply.str();
}

std::string campaign_plugin::devices(params const& p) {
    auto c = load(p);
    auto limit = p.number("limit", 100, 1, 1000);
    auto rows = load_devices(ctx, "c.campaign_id = ? AND c.serial_no > ? AND (?3 = '' OR c.status = ?3) AND (?4 = '' OR c.stage = ?4) AND "
                                  "(?5 = '' OR c.reason = ?5) ORDER BY c.serial_no LIMIT ?6",
                             {c.id, p.text("after"), p.text("status"), p.text("stage"), p.text("reason"), limit + 1});
    kit::json_array out;
    kit::json_object reply;
    for (std::size_t i = 0; i < rows.size() && i < static_cast<std::size_t>(limit); ++i) out.add(device_json(rows[i], ctx.now(), ctx.wall()));
    reply.raw("devices", out.str());
    rows.size() > static_cast<std::size_t>(limit) ? reply.text("next", rows[static_cast<std::size_t>(limit) - 1].serial_no) : reply.null("next");
    return reply.str();
}

std::string campaign_plugin::one_device(params const& p) {
    auto c = load(p);
    auto serial = serial_of(p.required("device"));
    auto d = load_device(ctx, c.id, serial);
    moment now{engine_.connected(serial), ctx.now(), ctx.wall()};
    if (!d) {
        auto facts = targets::load_facts(ctx, serial);
        if (!facts) throw refusal{404, "campaign.no_such_device", "no device " + serial};
        auto e = explain_absence(ctx, c, *facts, now);
        return kit::json_object{}.text("serial_no", serial).text("campaign_id", c.id).null("status").text("condition", e.condition).text("why", e.why).text("change", e.change)
            .raw("events", "[]").str();
    }
    kit::json_array events;
    for (auto const& v : ctx.sql("SELECT " + std::string{event_columns} + " FROM campaign_events WHERE campaign_id = ? AND serial_no = ? ORDER BY seq DESC LIMIT 100",
                                 {c.id, serial}))
        events.add(event_json(v));
    auto e = explain(ctx, c, *d, now);
    auto out = device_json(*d, ctx.now(), ctx.wall());
    out.pop_back();
    auto more = kit::json_object{}.text("condition", e.condition).text("why", e.why).text("change", e.change).str();
    more.front() = ',', more.pop_back();
    out += more;
    return out + ",\"events\":" + events.str() + "}";
}

std::string campaign_plugin::events(params const& p, bool with_campaign) {
    auto c = load(p);
    auto after = p.number("after", 0, 0, INT64_MAX), limit = p.number("limit", 500, 1, 5000);
    kit::json_array out;
    std::int64_t last = after;
    for (auto const& v : ctx.sql("SELECT " + std::string{event_columns} + " FROM campaign_events WHERE campaign_id = ? AND seq > ? ORDER BY seq LIMIT ?", {c.id, after, limit}))
        out.add(event_json(v)), last = kit::integer(v[0]);
    auto tail = "\"events\":" + out.str() + ",\"next\":" + std::to_string(last);
    return with_campaign ? campaign_json(c, tail) : "{" + tail + "}";
}

std::string campaign_plugin::audit(params const& p) {
    auto c = load(p);
    auto again = recount(ctx, c.id);
    std::int64_t drift = again == c.n ? 0 : 1;
    for (int i = 0; i < 6; ++i) drift += std::abs(again.by_status[i] - c.n.by_status[i]);
    return kit::json_object{}.number("drift", drift).raw("stored", counters_json(c.n)).raw("recounted", counters_json(again)).str();
}

std::string campaign_plugin::say(params const& p) {
    custom_command c;
    c.command = p.required("command"), c.serial_no = p.required("serial_no"), c.campaign_id = p.text("campaign_id"), c.command_id = p.text("command_id"), c.fault = p.text("fault");
    c.life_s = p.number("life_s", 3600, 1, 365 * 86'400);
    if (p.find("params")) c.params = as_json(p, "params");
    bool here = engine_.connected(c.serial_no);
    engine_.say_custom(std::move(c), p.text("firmware_id"));
    return kit::json_object{}.flag("connected", here).str();
}

/// Devices that poll have no session: somebody else says when they are here.
void campaign_plugin::presence(campaign::report const& r) {
    constexpr std::uint64_t no_session = std::uint64_t{1} << 62;
    if (r.kind == "left") engine_.gone(r.serial_no, no_session);
    else if (!engine_.connected(r.serial_no)) engine_.ready(r.serial_no, no_session);
}

std::string campaign_plugin::report(std::string_view json, int& status) {
    campaign::report r;
    std::pair<std::string_view, std::string*> const texts[] = {
        {"kind", &r.kind}, {"serial_no", &r.serial_no}, {"campaign_id", &r.campaign_id}, {"command_id", &r.command_id}, {"word", &r.word},
        {"reason", &r.reason}, {"error", &r.error}, {"current_firmware", &r.current_firmware}, {"failed_firmware", &r.failed_firmware},
        {"last_command_id", &r.last_command_id}, {"last_result", &r.last_result}, {"boot", &r.boot}};
    bool good = kit::each_field(json, [&](std::string_view name, kit::field const& f) {
        if (f.is_string())
            for (auto const& [key, to] : texts)
                if (key == name) to->assign(f.text);
        if (name == "progress") r.progress = f.integer().value_or(-1);
        if (name == "bytes") r.bytes = f.integer().value_or(0);
        if (name == "first") r.first = f.text == "true";
        if (name == "changed") r.changed = f.text == "true";
    });
    if (!good) throw refusal{400, "campaign.bad_report", "not a report"};
    bool watch = false;
    if (r.kind == "here" || r.kind == "left") return presence(r), R"({"watch":false})";
    status = engine_.take(r, watch);
    if (status == 404) ctx.metric_add("airmail_campaign_unknown_reports_total", 1);
    return watch ? R"({"watch":true})" : R"({"watch":false})";
}

}
