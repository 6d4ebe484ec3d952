// @NAME@: keeps the latest message of every device on @NAME@/{id}, and says so on @NAME@/{id}/stored.
#include <plugins/sdk/plugin.hpp>

namespace sdk = airmail::sdk;

class @NAME@ final : public sdk::plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "local.@NAME@"; }

    static sdk::declaration declare() {
        sdk::declaration d;
        d.topics = {{.filter = "@NAME@/{id}"}, {.filter = "@NAME@/{id}/stored", .dir = sdk::direction::down}};
        d.tables = {{.name = "@NAME@_latest", .primary_key = "device",
                     .migrations = {"CREATE TABLE @NAME@_latest(device TEXT PRIMARY KEY NOT NULL, payload TEXT NOT NULL, at_ms INTEGER NOT NULL)"}}};
        return d;
    }

    // Rows commit together with the message's position in the log; publications leave after the commit.
    sdk::verdict message(sdk::message_view const& m) override {
        std::string device{m.identity};
        ctx.sql("INSERT INTO @NAME@_latest VALUES(?, ?, ?) ON CONFLICT(device) DO UPDATE SET payload = excluded.payload, at_ms = excluded.at_ms",
                {device, std::string{m.payload}, m.received});
        ctx.publish({.topic = "@NAME@/" + device + "/stored", .payload = "{}"});
        return sdk::verdict::ok;
    }
};

AIRMAIL_PLUGIN(@NAME@)
