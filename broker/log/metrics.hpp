#pragma once
// Counters, gauges and histograms, named airmail_<room>_<what>_<unit> and declared where they are counted:
//
//   inline metrics::counter publishes_received{"airmail_net_publishes_received_total", "PUBLISH packets read from peers."};
//   publishes_received.add();
//
// Every thread writes cells of its own (64-byte aligned chunks), so counting is one plain load, add and store, with no
// shared cache line; a scrape sums the cells. Cells of a thread that ended stay and are handed to the next new thread.
//
//   thread A: [c0 c1 c2 ...]   thread B: [c0 c1 c2 ...]      exposition: sum over threads of c<i>
//
// Bound: 64 Ki cells (a histogram takes its buckets + 2); beyond it a metric is registered nowhere, counts nothing, and
// airmail_log_metrics_refused_total says so. Label values must come from configuration or code, never from a peer.

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace airmail::metrics {

using labels = std::vector<std::pair<std::string, std::string>>;
enum class kind : std::uint8_t { counter, gauge, histogram };

namespace detail {
inline constexpr std::uint32_t chunk_cells = 1024, chunk_count = 64;
struct alignas(64) chunk { std::array<std::atomic<std::uint64_t>, chunk_cells> cells{}; };
struct block { std::array<std::atomic<chunk*>, chunk_count> chunks{}; };
/// This thread's block; null until its first count.
inline thread_local constinit block* mine = nullptr;
std::atomic<std::uint64_t>* slow_cell(std::uint32_t id) noexcept;
/// The cell that only this thread writes; never null (a refused metric has id 0, which nobody reads).
inline std::atomic<std::uint64_t>& cell(std::uint32_t id) noexcept {
    if (block* b = mine)
        if (chunk* c = b->chunks[id / chunk_cells].load(std::memory_order_relaxed)) return c->cells[id % chunk_cells];
    return *slow_cell(id);
}
/// First cell of the metric, or 0 when refused. The same name and labels give the same cells again.
std::uint32_t enrol(kind k, std::string_view name, std::string_view help, labels l, std::vector<double> bounds);
std::uint64_t sum(std::uint32_t id) noexcept;
}

/// Only grows. The name ends in `_total`.
class counter {
public:
    /// Registers for the life of the program. `help` is one sentence.
    counter(std::string_view name, std::string_view help, labels l = {})
        : id_{detail::enrol(kind::counter, name, help, std::move(l), {})} {}
    /// Any thread, wait-free.
    void add(std::uint64_t n = 1) noexcept {
        auto& c = detail::cell(id_);
        c.store(c.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    /// Sum over threads; for tests and /readyz, not for hot paths.
    std::uint64_t value() const noexcept { return detail::sum(id_); }

private:
    std::uint32_t id_;
};

/// Goes up and down; the exposed value is the sum of what every thread has added or set.
class gauge {
public:
    gauge(std::string_view name, std::string_view help, labels l = {})
        : id_{detail::enrol(kind::gauge, name, help, std::move(l), {})} {}
    /// Any thread, wait-free; another thread may subtract what this one added.
    void add(std::int64_t n) noexcept {
        auto& c = detail::cell(id_);
        c.store(c.load(std::memory_order_relaxed) + static_cast<std::uint64_t>(n), std::memory_order_relaxed);
    }
    /// Sets this thread's share. A shard is not always run by the same thread: its share is a `share`.
    void set(std::int64_t n) noexcept { detail::cell(id_).store(static_cast<std::uint64_t>(n), std::memory_order_relaxed); }
    std::int64_t value() const noexcept { return static_cast<std::int64_t>(detail::sum(id_)); }

private:
    std::uint32_t id_;
};

/// One object's part of a gauge, for what is known as a number rather than as a difference. Owned by that object; set by one
/// thread at a time, whichever. Takes its part back when it dies.
class share {
public:
    explicit share(gauge& of) : of_{of} {}
    share(share const&) = delete;
    share& operator=(share const&) = delete;
    ~share() { set(0); }
    void set(std::int64_t n) noexcept {
        if (n != last_) of_.add(n - last_);
        last_ = n;
    }

private:
    gauge& of_;
    std::int64_t last_ = 0;
};

/// Counts observations into buckets. The name says a base unit: `_seconds`, `_bytes`.
class histogram {
public:
    /// `bounds`: upper bounds, rising; the +Inf bucket is added. At most 30.
    histogram(std::string_view name, std::string_view help, std::initializer_list<double> bounds, labels l = {});
    /// Any thread, wait-free. `v` in the unit of the name.
    void observe(double v) noexcept;
    std::uint64_t count() const noexcept;

private:
    std::uint32_t id_;
    std::vector<double> bounds_;
};

/// Buckets for times from 100 us to 10 s.
inline constexpr std::initializer_list<double> seconds_buckets = {.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};

/// A value asked for at scrape time: for leaves that keep their own statistics (storage). `read` runs on the scraping
/// thread. Unregisters itself when it dies, so whatever `read` looks at must outlive it.
class probe {
public:
    probe() = default;
    probe(kind k, std::string_view name, std::string_view help, std::function<double()> read, labels l = {});

private:
    std::shared_ptr<void> registration_;
};

/// Everything, in Prometheus' text format 0.0.4, families sorted by name. Any thread; about 1 us per cell and thread.
std::string exposition();
/// The Content-Type that goes with it.
inline constexpr std::string_view exposition_type = "text/plain; version=0.0.4; charset=utf-8";

}
