#pragma once
// Every subcommand adds itself to the program; one file each.

#include "tools/airmailctl/api.hpp"
#include "tools/command_line/command_line.hpp"

#include <memory>

namespace airmail::ctl {

/// What every command shares: filled by the global options before a command runs.
struct context {
    target where;
    bool json = false;
    api broker() const { return api(where); }
};

void add_ca(command_line::command app, context& c);
void add_key(command_line::command app, context& c);
void add_passwd(command_line::command app, context& c);
void add_device(command_line::command app, context& c);
void add_firmware(command_line::command app, context& c);
void add_campaign(command_line::command app, context& c);
void add_acl(command_line::command app, context& c);
void add_session(command_line::command app, context& c);
void add_config(command_line::command app, context& c);
void add_plugin(command_line::command app, context& c);
void add_audit(command_line::command app, context& c);
void add_alert(command_line::command app, context& c);
void add_user(command_line::command app, context& c);
void add_migrate(command_line::command app, context& c);
void add_db(command_line::command app, context& c);
void add_backup(command_line::command app, context& c);
void add_crashtest(command_line::command app, context& c);

/// Adds a subcommand whose options live as long as the program: `make` gets the subcommand and a fresh options object.
template <class Options, class Make, class Run>
command_line::command command(command_line::command parent, std::string name, std::string doc, Make make, Run run) {
    auto sub = parent.add_subcommand(std::move(name), std::move(doc));
    auto options = std::make_shared<Options>();
    make(sub, *options);
    sub.on_chosen([options, run] { run(*options); });
    return sub;
}

}
