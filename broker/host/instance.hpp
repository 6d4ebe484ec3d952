#pragma once
// One plugin in its lane: its table, what it declared, its living object, and the host table it speaks through.
// Owned by: its lane. Lane thread only, after start-up.

#include "broker/host/schema.hpp"
#include "broker/log/metrics.hpp"
#include "plugins/sdk/plugin.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace airmail::host {

class lane;

class instance {
public:
    instance(airmail_plugin_v1_t const* table, sdk::declaration what, std::string where, bool built_in);
    instance(instance const&) = delete;
    instance& operator=(instance const&) = delete;

    /// Registers (or finds) the cell of a declared metric; 0 = not declared, or too many label sets (bound: 1,024).
    std::uint64_t metric(std::string_view name, std::string_view labels_json);
    void metric_add(std::uint64_t cell, double delta);
    void metric_set(std::uint64_t cell, double value);

    std::string id, where;              // where: "built-in" or the path
    airmail_plugin_v1_t const* table;
    sdk::declaration what;
    bool built_in;
    bool inline_logins = false;         // its on_connect is asked on whatever thread logs in
    decltype(airmail_plugin_v1_t::on_delivered) on_delivered = nullptr;     // null also when its table is older
    lane* home = nullptr;
    void* body = nullptr;
    airmail_host host{};
    std::uint32_t scope = 0;            // of its SQL, for the authorizer; 1, 2 ... in its lane
    std::uint32_t number = 0;           // of its state in the hot store; the same for ever
    bool migrating = false;
    std::string last_error;
    std::vector<std::unique_ptr<schema>> schemas;   // beside what.topics; null = any payload

private:
    struct cell {
        std::unique_ptr<metrics::counter> up;
        std::unique_ptr<metrics::gauge> level;
    };
    std::mutex cells_mutex_;            // metric_* may be called from the plugin's own threads
    std::unordered_map<std::string, std::uint64_t> names_;
    std::vector<cell> cells_;
};

/// Fills the table of functions a plugin calls (host_table.cpp).
airmail_host host_table_of(instance& i);

}
