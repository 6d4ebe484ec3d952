// airmailctl alert: what needs a person.

#include "tools/airmailctl/commands/commands.hpp"
#include "tools/airmailctl/show.hpp"

namespace airmail::ctl {

namespace {
struct list_options { bool all = false; };
struct id_options { std::string id; };
}

void add_alert(command_line::command app, context& c) {
    auto alert = app.add_subcommand("alert", "alerts of campaigns and devices");
    alert.require_subcommand();
    command<list_options>(alert, "list", "open alerts", [](command_line::command s, list_options& o) { s.add_flag("--all", o.all, "acknowledged ones too"); },
        [&c](list_options const& o) {
            auto v = c.broker().get(std::string("/api/v1/alerts?open=") + (o.all ? "false" : "true"));
            c.json ? json_line(v) : table(v.at("alerts"), {{"ALERT", "alert_id"}, {"AT", "at"}, {"SEVERITY", "severity"}, {"KIND", "kind"}, {"DEVICE", "serial_no"}, {"TEXT", "text"}});
        });
    command<id_options>(alert, "ack", "acknowledge one", [](command_line::command s, id_options& o) { s.add_option("id", o.id, "alert").required(); },
        [&c](id_options const& o) {
            auto v = c.broker().post("/api/v1/alerts/" + encoded(o.id) + "/ack", boost::json::object{});
            c.json ? json_line(v) : record(v);
        });
}

}
