// airmailctl: the operator's one tool. Human tables by default, --json everywhere, exit codes that mean something:
// 1 failed, 2 usage, 3 not found, 4 refused, 5 unreachable.

#include "broker/version.hpp"
#include "tools/airmailctl/commands/keys.hpp"
#include "tools/airmailctl/show.hpp"

#include <cstdio>

int main(int argc, char** argv) {
    using namespace airmail::ctl;
    context c;
    airmail::command_line::program app{"airmailctl: certificates, devices, firmware and campaigns of an Airmail broker", std::string("airmailctl ") + airmail::version};
    app.require_subcommand();
    app.add_flag("--json", c.json, "print JSON instead of tables");
    app.add_option("--socket", c.where.socket, "control socket of the broker").environment("AIRMAIL_CONTROL").show_default();
    app.add_option("--url", c.where.url, "talk HTTPS instead: https://host:8443").environment("AIRMAIL_URL");
    app.add_option("--key", c.where.key, "API key for --url (airmailctl key create)").environment("AIRMAIL_KEY");
    app.add_option("--cafile", c.where.ca_file, "CA that signed the server's certificate, for --url").environment("AIRMAIL_CAFILE");
    app.options_anywhere();
    for (auto add : {add_ca, add_key, add_keys, add_passwd, add_device, add_firmware, add_campaign, add_acl, add_session, add_config, add_plugin, add_audit, add_alert, add_user, add_migrate, add_db, add_backup, add_crashtest})
        add(app, c);
    try {
        if (auto const ended = app.parse(argc, argv)) return *ended == 0 ? 0 : static_cast<int>(exit_code::usage);
    } catch (trouble const& e) {
        if (c.json && !e.problem().is_null()) json_line(e.problem());
        std::fprintf(stderr, "airmailctl: %s\n", e.what());
        return static_cast<int>(e.code());
    } catch (failure const& e) {
        std::fprintf(stderr, "airmailctl: %s\n", e.what());
        return static_cast<int>(e.code());
    } catch (std::exception const& e) {
        std::fprintf(stderr, "airmailctl: %s\n", e.what());
        return static_cast<int>(exit_code::failed);
    }
    return 0;
}
