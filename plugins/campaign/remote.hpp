#pragma once
// ota.commands: an operator's own commands to devices: `airmailctl device command ID|--target EXPR NAME [JSON]`. Like an update, a command
// is minted when it leaves, signed for one device, sent again under the same id, and ends by an answer or by its expiry.
//
//   pending -> sent -> delivered (PUBACK) -> accepted -> completed | failed | rejected
//      '---------'---------'---- expired, cancelled

#include "plugins/kit/params.hpp"
#include "plugins/sdk/plugin.hpp"

#include <map>
#include <string>
#include <unordered_set>

namespace airmail::plugins {

/// Owned by: the registry lane.
class command_plugin final : public sdk::plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "ota.commands"; }
    static sdk::declaration declare();
    void configure() override;
    void start() override;
    void session(sdk::session_view const& s) override;
    void tick(std::uint64_t timer, sdk::instant now) override;
    void method(sdk::call_view const& c) override;

private:
    std::string send(kit::params const& p, sdk::call_view const& c, int& status);
    std::string list(kit::params const& p);
    std::string get(kit::params const& p);
    std::string cancel(kit::params const& p);
    std::string answered(std::string_view json, int& status);
    void deliver(std::string const& where, std::vector<sdk::sql_value> const& values);
    void allow(std::string const& name, std::string_view role) const;

    std::map<std::string, std::string> allowed_;       // name -> least role
    std::unordered_set<std::string> here_;             // bound: the broker's sessions
};

}
