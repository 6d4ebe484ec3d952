#pragma once
// Wires storage/replicate and storage/reads into the broker: settings in, metrics, log lines and alerts out.

#include "broker/config/config.hpp"
#include "broker/host/plugin_host.hpp"
#include "broker/log/metrics.hpp"
#include "storage/reads/reads.hpp"
#include "storage/replicate/replicator.hpp"

#include <memory>
#include <string>
#include <vector>

namespace airmail {

/// Throws startup_error(78) when replicate_reads cannot be as it is written.
void check_reads(config::config const& settings);

/// Owned by the broker. Made after the plugins' tables, started after the plugins, stopped after them.
class replication {
public:
    /// `database` is registry.db, migrated. Throws startup_error: 74 when it cannot be opened, 78 for a replicate_reads that cannot be.
    replication(config::config const& settings, std::string const& database, host::plugin_host& plugins, std::function<std::int64_t()> wall_ms);
    void start();
    void stop();
    /// The status of one device or campaign, from where replicate_reads says; `done` from any thread.
    void ask(storage::reads::subject about, std::string id, storage::reads::answered done);
    /// One line a destination that does not follow; the broker is ready all the same. Any thread.
    std::string degraded() const { return carrier_->degraded() + reads_->degraded(); }
    /// For GET /api/v1/replication: JSON. Any thread.
    std::string report() const;

private:
    void count();
    void count_reads();

    std::unique_ptr<storage::replicate::replicator> carrier_;
    std::unique_ptr<storage::reads::reads> reads_;
    std::vector<std::unique_ptr<metrics::histogram>> took_;     // by place
    std::vector<metrics::probe> probes_;
};

}
