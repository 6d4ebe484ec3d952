// airmailctl acl: why something is allowed or not, what a change of rules would change, and which rules would do.

#include "acl/suggest.hpp"
#include "storage/firmware/files.hpp"
#include "tools/airmailctl/commands/commands.hpp"
#include "tools/airmailctl/failure.hpp"
#include "tools/airmailctl/show.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdio>

namespace airmail::ctl {
namespace {

namespace json = boost::json;

struct explain_options { std::string identity, action, topic, role = "device", client_id; unsigned listener = 0; };
struct diff_options {
    std::string before, after;
    std::vector<std::string> users;
    bool check = false;
};
struct suggest_options { unsigned siblings = 3; bool counts = false; };

acl::ruleset read_rules(std::string const& path) {
    auto text = storage::firmware::read_small_file(path, storage::firmware::secrecy::anyone, 256 << 20);
    if (!text) throw failure(exit_code::not_found, path + ": " + text.error().message());
    acl::ruleset out;
    bool bad = false;
    for (auto const& c : out.parse(std::move(*text), path)) {
        std::fprintf(stderr, "%s:%d: %s: %s\n", path.c_str(), c.line, c.fatal ? "error" : "warning", c.text.c_str());
        bad |= c.fatal;
    }
    if (bad) throw failure(exit_code::failed, path + " cannot be used");
    return out;
}

std::string_view word(acl::action a) { return a == acl::action::publish ? "publish" : a == acl::action::subscribe ? "subscribe" : "receive"; }

/// The sessions that a broker has now, or just the users that were named.
std::vector<acl::identity> people(diff_options const& o, context const& c) {
    std::vector<acl::identity> out;
    for (auto const& u : o.users) out.emplace_back().name = u, out.back().client_id = u;
    if (!o.users.empty()) return out;
    auto const v = c.broker().get("/api/v1/sessions?limit=1000000");
    auto const& rows = v.at("sessions").as_array();
    if (text_of(v, "total") != std::to_string(rows.size())) std::fprintf(stderr, "airmailctl: of %s sessions the first %zu are compared\n", text_of(v, "total").c_str(), rows.size());
    for (auto const& s : rows) {
        auto& who = out.emplace_back();
        who.name = text_of(s, "identity");
        who.client_id = text_of(s, "client_id");
    }
    return out;
}

void diff(diff_options const& o, context const& c) {
    acl::comparison const rules{read_rules(o.before), read_rules(o.after)};
    json::array rows;
    for (auto const& who : people(o, c))
        for (auto const& d : rules.of(who))
            rows.push_back(json::object{{"identity", who.name}, {"client_id", who.client_id}, {"change", d.after ? "gains" : "loses"}, {"action", std::string(word(d.what))}, {"topic", d.topic},
                                        {"rule", d.after ? d.rule_after : d.before ? d.rule_before : std::string{}}});
    bool const any = !rows.empty();
    if (c.json) json_line(json::object{{"changes", std::move(rows)}});
    else if (any) table(rows, {{"IDENTITY", "identity"}, {"CLIENT", "client_id"}, {"", "change"}, {"ACTION", "action"}, {"TOPIC", "topic"}, {"RULE", "rule"}});
    else std::printf("nobody's rights would change\n");
    if (any && o.check) throw failure(exit_code::refused, "rights of sessions would change");
}

void suggest(suggest_options const& o, context const& c) {
    auto const v = c.broker().get("/api/v1/acl/observed");
    if (c.json) return json_line(v);
    if (o.counts) return table(v.at("rules"), {{"TIMES", "times"}, {"RULE", "rule"}});
    std::vector<acl::seen> all;
    for (auto const& e : v.at("denials").as_array()) {
        auto const action = text_of(e, "action");
        all.push_back({text_of(e, "identity"), text_of(e, "client_id"), action == "publish" ? acl::action::publish : action == "subscribe" ? acl::action::subscribe : acl::action::receive, text_of(e, "topic")});
    }
    if (auto const untold = text_of(v, "overflow"); untold != "0") std::fprintf(stderr, "airmailctl: %s more kinds of denial were not listed: the list was full\n", untold.c_str());
    if (all.empty()) std::fprintf(stderr, "nothing would have been denied since acl_mode observe was set%s\n", text_of(v, "observing") == "true" ? "" : " (it is not set)");
    std::fputs(acl::suggest(all, o.siblings).c_str(), stdout);
}

}

void add_acl(command_line::command app, context& c) {
    auto acl = app.add_subcommand("acl", "access rules");
    acl.require_subcommand();
    command<explain_options>(acl, "explain", "may IDENTITY do ACTION on TOPIC, and which rule says so; exit 4 when not", [](command_line::command s, explain_options& o) {
        s.add_option("identity", o.identity, "device or user name").required();
        s.add_option("action", o.action, "publish, subscribe or receive").required().among({"publish", "subscribe", "receive"});
        s.add_option("topic", o.topic, "topic, or filter for subscribe").required();
        s.add_option("--role", o.role, "role of the identity").show_default();
        s.add_option("--client-id", o.client_id, "client id, for rules that name it");
        s.add_option("--listener", o.listener, "port of the listener, with per_listener_settings");
    }, [&c](explain_options const& o) {
        auto v = c.broker().get("/api/v1/acl/explain?identity=" + encoded(o.identity) + "&action=" + o.action + "&topic=" + encoded(o.topic) + "&role=" + encoded(o.role) +
                                "&client_id=" + encoded(o.client_id) + "&listener=" + std::to_string(o.listener));
        c.json ? json_line(v) : record(v);
        if (text_of(v, "allowed") != "true") throw trouble(exit_code::refused, o.identity + " may not " + o.action + " " + o.topic);
    });
    command<diff_options>(acl, "diff", "sessions whose rights would change if rules file NEW replaced OLD", [](command_line::command s, diff_options& o) {
        s.add_option("old", o.before, "rules file in force").required();
        s.add_option("new", o.after, "rules file to come").required();
        s.add_option("--user", o.users, "compare for these users instead of the broker's sessions (client id = name)");
        s.add_flag("--check", o.check, "exit 4 when rights change");
    }, [&c](diff_options const& o) { diff(o, c); });
    command<suggest_options>(acl, "suggest", "the smallest acl_file that covers what acl_mode observe has seen denied", [](command_line::command s, suggest_options& o) {
        s.add_option("--siblings", o.siblings, "so many topics that differ in one level become one rule with +").between(2, 1000).show_default();
        s.add_flag("--counts", o.counts, "instead: how often each rule would have denied");
    }, [&c](suggest_options const& o) { suggest(o, c); });
}

}
