#pragma once
// Wires storage/replicate into the broker: settings in, metrics, log lines and alerts out.

#include "broker/config/config.hpp"
#include "broker/host/plugin_host.hpp"
#include "broker/log/metrics.hpp"
#include "storage/replicate/replicator.hpp"

#include <memory>
#include <string>
#include <vector>

namespace airmail {

/// Owned by the broker. Made after the plugins' tables, started after the plugins, stopped after them.
class replication {
public:
    /// `database` is registry.db, migrated. Throws startup_error(74) when it cannot be opened.
    replication(config::config const& settings, std::string const& database, host::plugin_host& plugins, std::function<std::int64_t()> wall_ms);
    void start();
    void stop() { carrier_->stop(); }
    /// One line a destination that does not follow; the broker is ready all the same. Any thread.
    std::string degraded() const { return carrier_->degraded(); }
    /// For GET /api/v1/replication: JSON. Any thread.
    std::string report() const;

private:
    void count();

    std::unique_ptr<storage::replicate::replicator> carrier_;
    std::vector<metrics::probe> probes_;
};

}
