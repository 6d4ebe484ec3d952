// airmailctl session: who is connected, and cutting a connection.

#include "tools/airmailctl/commands/commands.hpp"
#include "tools/airmailctl/show.hpp"

#include <fmt/core.h>

namespace airmail::ctl {

namespace {
struct list_options { std::string identity; int limit = 100; };
struct kick_options { std::string identity; };
}

void add_session(command_line::command app, context& c) {
    auto session = app.add_subcommand("session", "MQTT sessions");
    session.require_subcommand();
    command<list_options>(session, "list", "sessions, connected or kept", [](command_line::command s, list_options& o) {
        s.add_option("--identity", o.identity, "only this device or user");
        s.add_option("--limit", o.limit, "at most so many").show_default();
    }, [&c](list_options const& o) {
        auto v = c.broker().get(fmt::format("/api/v1/sessions?limit={}{}", o.limit, o.identity.empty() ? "" : "&identity=" + encoded(o.identity)));
        c.json ? json_line(v) : table(v.at("sessions"), {{"IDENTITY", "identity"}, {"CLIENT ID", "client_id"}, {"CONNECTED", "connected"}, {"ADDRESS", "address"}, {"FILTERS", "filters"}, {"QUEUED", "queued"}, {"EXPIRY s", "expiry_s"}});
    });
    command<kick_options>(session, "kick", "cut every connection of an identity (0x98)", [](command_line::command s, kick_options& o) { s.add_option("identity", o.identity, "device or user").required(); },
        [&c](kick_options const& o) {
            auto v = c.broker().del("/api/v1/sessions/" + encoded(o.identity));
            c.json ? json_line(v) : record(v);
        });
}

}
