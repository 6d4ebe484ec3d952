#pragma once
// Every subcommand adds itself to the program; one file each.

#include "tools/airmailctl/api.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

namespace airmail::ctl {

/// What every command shares: filled by the global options before a command runs.
struct context {
    target where;
    bool json = false;
    api broker() const { return api(where); }
};

void add_ca(CLI::App& app, context& c);
void add_key(CLI::App& app, context& c);
void add_passwd(CLI::App& app, context& c);
void add_device(CLI::App& app, context& c);
void add_firmware(CLI::App& app, context& c);
void add_campaign(CLI::App& app, context& c);
void add_acl(CLI::App& app, context& c);
void add_session(CLI::App& app, context& c);
void add_config(CLI::App& app, context& c);
void add_plugin(CLI::App& app, context& c);
void add_audit(CLI::App& app, context& c);
void add_alert(CLI::App& app, context& c);
void add_user(CLI::App& app, context& c);
void add_migrate(CLI::App& app, context& c);
void add_db(CLI::App& app, context& c);
void add_backup(CLI::App& app, context& c);
void add_crashtest(CLI::App& app, context& c);

/// Adds a subcommand whose options live as long as the program: `make` gets the subcommand and a fresh options object.
template <class Options, class Make, class Run>
CLI::App* command(CLI::App& parent, std::string name, std::string doc, Make make, Run run) {
    auto* sub = parent.add_subcommand(std::move(name), std::move(doc));
    auto options = std::make_shared<Options>();
    make(*sub, *options);
    sub->callback([options, run] { run(*options); });
    return sub;
}

}
