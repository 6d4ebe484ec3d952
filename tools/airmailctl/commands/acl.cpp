// airmailctl acl: why something is allowed or not, by the rules the broker runs with now.

#include "tools/airmailctl/commands/commands.hpp"
#include "tools/airmailctl/show.hpp"

namespace airmail::ctl {

namespace {
struct explain_options { std::string identity, action, topic, role = "device", client_id; };
}

void add_acl(CLI::App& app, context& c) {
    auto& acl = *app.add_subcommand("acl", "access rules");
    acl.require_subcommand(1);
    command<explain_options>(acl, "explain", "may IDENTITY do ACTION on TOPIC, and which rule says so; exit 4 when not", [](CLI::App& s, explain_options& o) {
        s.add_option("identity", o.identity, "device or user name")->required();
        s.add_option("action", o.action, "publish, subscribe or receive")->required()->check(CLI::IsMember({"publish", "subscribe", "receive"}));
        s.add_option("topic", o.topic, "topic, or filter for subscribe")->required();
        s.add_option("--role", o.role, "role of the identity")->capture_default_str();
        s.add_option("--client-id", o.client_id, "client id, for rules that name it");
    }, [&c](explain_options const& o) {
        auto v = c.broker().get("/api/v1/acl/explain?identity=" + encoded(o.identity) + "&action=" + o.action + "&topic=" + encoded(o.topic) + "&role=" + encoded(o.role) +
                                "&client_id=" + encoded(o.client_id));
        c.json ? json_line(v) : record(v);
        if (text_of(v, "allowed") != "true") throw trouble(exit_code::refused, o.identity + " may not " + o.action + " " + o.topic);
    });
}

}
