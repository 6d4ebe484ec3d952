#pragma once
// ota.registry: which devices there are, may they take part, and are they here.

#include "plugins/kit/params.hpp"
#include "plugins/sdk/plugin.hpp"

#include <array>
#include <string>
#include <unordered_map>

namespace airmail::plugins {

/// Owned by: the registry lane.
class registry_plugin final : public sdk::plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "ota.registry"; }
    static sdk::declaration declare();

    void configure() override;
    void start() override;
    void session(sdk::session_view const& s) override;
    void method(sdk::call_view const& c) override;

private:
    enum class mode { allow, quarantine, deny };

    std::string seen(std::string_view json, int& status);
    std::string list(kit::params const& p);
    std::int64_t count_once(std::string const& where, std::vector<sdk::sql_value> const& args, bool later_page);
    std::string get(std::string const& id);
    std::string fleet();
    std::string add(kit::params const& p, int& status);
    std::string import(kit::params const& p);
    std::string set_registration(kit::params const& p, char const* to);
    std::string tag(kit::params const& p);
    std::string attributes(kit::params const& p);
    std::string remove(kit::params const& p);
    /// device_id of a serial_no or device_id. Throws refusal 404.
    std::string find(std::string const& id, std::string* serial = nullptr);
    void insert(std::string const& serial, std::string const& model, std::string const& registration);
    void add_tags(std::string const& device_id, std::vector<std::string> const& tags);
    void tell_campaign(char const* kind, std::string const& serial);

    mode mode_ = mode::allow;
    std::unordered_map<std::string, std::uint64_t> presence_;      // serial -> newest connection; bound: the broker's sessions
    struct counted {
        std::string where;
        std::vector<sdk::sql_value> args;
        std::int64_t at = 0, total = 0;                            // at: ms
    };
    std::array<counted, 8> counted_;                               // the newest counts of lists; the oldest gives way
    std::size_t next_counted_ = 0;
};

}
