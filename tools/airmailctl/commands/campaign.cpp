// airmailctl campaign: create, start, pause, resume, cancel, watch, explain.

#include "tools/airmailctl/commands/commands.hpp"
#include "tools/airmailctl/show.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value_from.hpp>
#include <chrono>
#include <fmt/core.h>
#include <thread>

namespace airmail::ctl {

namespace json = boost::json;

namespace {

std::vector<column> const columns = {{"CAMPAIGN", "campaign_id"}, {"NAME", "name"}, {"VERSION", "firmware_version"}, {"STATUS", "status"}, {"STAGE", "stage"},
    {"DONE%", "progress"}, {"TOTAL", "counters.total"}, {"COMPLETED", "counters.completed"}, {"FAILED", "counters.failed"}, {"ROLLBACK", "counters.rollback"}};
std::vector<column> const row_columns = {{"DEVICE", "serial_no"}, {"STATUS", "status"}, {"STAGE", "stage"}, {"REASON", "reason"}, {"ATTEMPT", "attempt"},
    {"FROM", "from_version"}, {"TO", "to_version"}, {"PROGRESS", "progress"}, {"COMMAND", "command_id"}};

struct create_options {
    std::string name, firmware, criteria, model, fw_version, phases;
    std::vector<std::string> devices, tags;
    std::int64_t max_in_flight = 0, rate = 0;
    bool start = false, dynamic = false, allow_downgrade = false, preview = false;
};

json::object creation(create_options const& o) {
    json::object target;
    if (auto first = o.criteria.find_first_not_of(' '); first != std::string::npos && o.criteria[first] != '{') target["q"] = o.criteria;
    else if (!o.criteria.empty()) target = json::parse(o.criteria).as_object();
    if (!o.model.empty()) target["model"] = o.model;
    if (!o.fw_version.empty()) target["fw_version"] = o.fw_version;
    if (!o.devices.empty()) target["devices"] = json::value_from(o.devices);
    if (!o.tags.empty()) target["tags"] = json::value_from(o.tags);
    json::object body{{"name", o.name}, {"firmware_id", o.firmware}, {"target_criteria", target}, {"start", o.start}, {"dynamic", o.dynamic}};
    if (o.allow_downgrade) body["allow_downgrade"] = true;
    if (o.max_in_flight) body["max_in_flight"] = o.max_in_flight;
    if (o.rate) body["rate_per_min"] = o.rate;
    if (o.phases == "none") body["phases"] = "none";
    else if (!o.phases.empty()) body["phases"] = json::parse("[" + o.phases + "]");
    return body;
}

void print(context const& c, json::value const& v) { c.json ? json_line(v) : record(v); }

struct watch_options { std::string id; bool once = false; int every_ms = 500; };

/// One look; a broker that restarts while somebody watches is waited for, at most a minute.
json::value look(api& broker, std::string const& id, std::int64_t after, bool patient) {
    for (int left = patient ? 120 : 0;; --left) {
        try {
            return broker.get(fmt::format("/api/v1/campaigns/{}/watch?after={}", encoded(id), after));
        } catch (trouble const& e) {
            if (e.code() != exit_code::unreachable || left <= 0) throw;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
}

/// Follows a campaign to its end: a bar on a terminal, one line an event with --json. Exit 1 when it was cancelled.
void watch(context const& c, watch_options const& o) {
    auto broker = c.broker();
    bar progress(o.id.substr(0, 8));
    std::int64_t after = 0;
    for (bool seen = false;; seen = true) {
        auto v = look(broker, o.id, after, seen);
        auto const& campaign = v.as_object();
        if (auto const* next = campaign.if_contains("next"); next && next->is_number()) after = next->to_number<std::int64_t>();
        if (c.json)
            for (auto const& e : campaign.at("events").as_array()) json_line(e);
        auto const total = campaign.at("counters").at("total").to_number<std::uint64_t>();
        auto const finished = campaign.at("counters").at("finished").to_number<std::uint64_t>();
        progress.update(finished, total, fmt::format("{} of {}, {} completed, {} failed, {} rolled back, {} {}", finished, total, text_of(v, "counters.completed"),
                                                     text_of(v, "counters.failed"), text_of(v, "counters.rollback"), text_of(v, "status"), text_of(v, "stage")));
        auto const status = text_of(v, "status");
        bool const over = status == "completed" || status == "cancelled";
        if (!over && !o.once) {
            std::this_thread::sleep_for(std::chrono::milliseconds(o.every_ms));
            continue;
        }
        if (!c.json) record(v);
        if (status == "cancelled") throw trouble(exit_code::failed, "the campaign was cancelled: " + text_of(v, "reason"));
        return;
    }
}

struct cohort_options {
    std::string id, window = "10m", alpha = "0.05";
    std::vector<std::string> fields;
    bool gate = false;
};

void add_cohort(command_line::command campaign, context& c) {
    command<cohort_options>(campaign, "cohort", "compare updated devices with the others, by what the broker sees of both", [](command_line::command s, cohort_options& o) {
        s.add_option("id", o.id, "campaign").required();
        s.add_option("--window", o.window, "how long a pair is watched").show_default();
        s.add_option("--alpha", o.alpha, "chance of a false alarm, however often one looks").show_default();
        s.add_option("--field", o.fields, "a number in heartbeats and which way is the harm: battery=lower, temperature=higher (repeatable)");
        s.add_flag("--gate", o.gate, "pause the campaign when a difference is shown");
    }, [&c](cohort_options const& o) {
        json::object fields;
        for (auto const& f : o.fields) {
            auto const equals = f.find('=');
            if (equals == f.npos) throw trouble(exit_code::usage, "--field is name=higher or name=lower, not " + f);
            fields[f.substr(0, equals)] = f.substr(equals + 1);
        }
        print(c, c.broker().post("/api/v1/campaigns/" + encoded(o.id) + "/cohort", json::object{{"window", o.window}, {"alpha", o.alpha}, {"gate", o.gate}, {"fields", fields}}));
    });
}

/// A campaign with a comparison shows it as a table of its own.
void show(context const& c, json::value v) {
    if (c.json) return json_line(v);
    json::value cohort;
    if (auto* o = v.if_object()) {
        if (auto* found = o->if_contains("cohort")) cohort = *found;
        o->erase("cohort");
    }
    record(v);
    if (!cohort.is_object()) return;
    auto const alarm = text_of(cohort, "alarm");
    fmt::print("\nupdated devices against the others, watched {} s a pair: {}\n", text_of(cohort, "window_s"), alarm.empty() ? "no difference shown" : alarm + " is worse");
    table(cohort.at("measures"), {{"MEASURE", "measure"}, {"PAIRS", "pairs"}, {"WORSE", "worse"}, {"BETTER", "better"}, {"SAME", "same"}, {"EVIDENCE", "evidence"}, {"NEEDED", "needed"}});
}

struct id_options { std::string id, reason; };
struct list_options { std::string status; int limit = 50; };
struct rows_options { std::string id, status, after; int limit = 100; };
struct explain_options { std::string id, device; };

void add_steps(command_line::command campaign, context& c) {
    for (auto [verb, doc] : {std::pair{"start", "begin admitting devices"}, {"pause", "stop admitting; devices under way go on"}, {"resume", "go on after a pause"},
                             {"advance", "next phase now, whatever the gate says (audited)"},
                             {"approve", "say yes to somebody else's campaign (ota_approval)"}, {"deny", "say no to it"},
                             {"revert", "make the opposite campaign for the devices that took its image"}, {"cancel", "call back what can be called back, and say what could not"}})
        command<id_options>(campaign, verb, doc, [](command_line::command s, id_options& o) {
            s.add_option("id", o.id, "campaign").required();
            s.add_option("--reason", o.reason, "kept with the campaign and in the audit log");
        }, [&c, verb = std::string(verb)](id_options const& o) {
            json::object body;
            if (!o.reason.empty()) body["reason"] = o.reason;
            print(c, c.broker().post("/api/v1/campaigns/" + encoded(o.id) + "/" + verb, body));
        });
}

}

void add_campaign(command_line::command app, context& c) {
    auto campaign = app.add_subcommand("campaign", "deliver a firmware to devices, step by step");
    campaign.require_subcommand();
    command<create_options>(campaign, "create", "make a campaign; counters.total is the number of devices it would reach", [](command_line::command s, create_options& o) {
        s.add_option("--name", o.name, "for people").required();
        s.add_option("--firmware", o.firmware, "firmware_id (airmailctl firmware list)").required();
        s.add_option("--target", o.criteria, R"(a filter: 'model==TX-100;fw=lt=1.1.0', or JSON: {"model":"TX-100","fw_version":"< v1.1.0"})");
        s.add_flag("--preview", o.preview, "only say who it would be for");
        s.add_option("--model", o.model, "criterion: this model");
        s.add_option("--fw-version", o.fw_version, "criterion: versions now running, e.g. \"< v1.1.0\"");
        s.add_option("--device", o.devices, "criterion: these devices (repeatable)");
        s.add_option("--tag", o.tags, "criterion: devices with this tag (repeatable)");
        s.add_option("--phases", o.phases, "percent per phase: 1,10,50,100 (default), or none");
        s.add_option("--max-in-flight", o.max_in_flight, "devices under way at once");
        s.add_option("--rate", o.rate, "devices admitted per minute");
        s.add_flag("--start", o.start, "start at once");
        s.add_flag("--dynamic", o.dynamic, "devices that match later join");
        s.add_flag("--allow-downgrade", o.allow_downgrade, "also devices that run a newer version");
    }, [&c](create_options const& o) { print(c, c.broker().post(o.preview ? "/api/v1/campaigns/preview" : "/api/v1/campaigns", creation(o))); });
    add_steps(campaign, c);
    add_cohort(campaign, c);
    command<list_options>(campaign, "list", "newest first", [](command_line::command s, list_options& o) {
        s.add_option("--status", o.status, "pending, active, completed or cancelled");
        s.add_option("--limit", o.limit, "at most so many").show_default();
    }, [&c](list_options const& o) {
        auto v = c.broker().get(fmt::format("/api/v1/campaigns?limit={}{}", o.limit, o.status.empty() ? "" : "&status=" + encoded(o.status)));
        c.json ? json_line(v) : table(v.at("campaigns"), columns);
    });
    command<id_options>(campaign, "show", "one campaign", [](command_line::command s, id_options& o) { s.add_option("id", o.id, "campaign").required(); },
        [&c](id_options const& o) { show(c, c.broker().get("/api/v1/campaigns/" + encoded(o.id))); });
    command<id_options>(campaign, "status", "how far it is: the nearest source that knows (replicate_reads)", [](command_line::command s, id_options& o) { s.add_option("id", o.id, "campaign").required(); },
        [&c](id_options const& o) { print(c, c.broker().get("/api/v1/campaigns/" + encoded(o.id) + "/status")); });
    command<rows_options>(campaign, "devices", "its devices and how far they are", [](command_line::command s, rows_options& o) {
        s.add_option("id", o.id, "campaign").required();
        s.add_option("--status", o.status, "only these");
        s.add_option("--after", o.after, "continue after this serial number");
        s.add_option("--limit", o.limit, "at most so many (1000)").show_default();
    }, [&c](rows_options const& o) {
        auto v = c.broker().get(fmt::format("/api/v1/campaigns/{}/devices?limit={}{}{}", encoded(o.id), o.limit, o.status.empty() ? "" : "&status=" + encoded(o.status),
                                            o.after.empty() ? "" : "&after=" + encoded(o.after)));
        c.json ? json_line(v) : table(v.at("devices"), row_columns);
    });
    command<explain_options>(campaign, "explain", "why has this device not updated?", [](command_line::command s, explain_options& o) {
        s.add_option("id", o.id, "campaign").required();
        s.add_option("device", o.device, "serial number").required();
    }, [&c](explain_options const& o) { print(c, c.broker().get("/api/v1/campaigns/" + encoded(o.id) + "/devices/" + encoded(o.device))); });
    command<watch_options>(campaign, "watch", "follow it to its end", [](command_line::command s, watch_options& o) {
        s.add_option("id", o.id, "campaign").required();
        s.add_flag("--once", o.once, "look once, do not wait");
        s.add_option("--every", o.every_ms, "milliseconds between looks").show_default();
    }, [&c](watch_options const& o) { watch(c, o); });
    command<id_options>(campaign, "audit", "recount every row and compare", [](command_line::command s, id_options& o) { s.add_option("id", o.id, "campaign").required(); },
        [&c](id_options const& o) { print(c, c.broker().get("/api/v1/campaigns/" + encoded(o.id) + "/audit")); });
    command<explain_options>(campaign, "retry", "a new attempt for one device, also after a rollback", [](command_line::command s, explain_options& o) {
        s.add_option("id", o.id, "campaign").required();
        s.add_option("device", o.device, "serial number").required();
    }, [&c](explain_options const& o) { print(c, c.broker().post("/api/v1/campaigns/" + encoded(o.id) + "/devices/" + encoded(o.device) + "/retry", json::object{})); });
}

}
