#include "storage/replicate/replicator.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/core.h>
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

namespace airmail::storage::replicate {
namespace {

constexpr std::int64_t worth_compacting = 20'000;        // unread rows
constexpr std::size_t compaction_step = 2'000;           // rows of one transaction

}

replicator::replicator(replicator_options o) : options_(std::move(o)) {
    db_ = std::make_unique<sqlite::db>(options_.database, sqlite::db_options{.create = false, .busy_timeout_ms = 30'000});
    box_ = std::make_unique<outbox>(*db_, outbox_options{.node_id = options_.node, .rows_max = options_.outbox_rows_max, .wall_ms = options_.wall_ms});
    around_ = std::make_unique<surroundings>(surroundings{*db_, *box_, options_.node, options_.batch, options_.timeout, options_.wall_ms, options_.say, options_.alarm});
    if (options_.postgres) destinations_.push_back(std::make_unique<postgres>(*around_, *options_.postgres));
    if (options_.redis) {
        auto r = std::make_unique<redis>(*around_, *options_.redis);
        redis_ = r.get();
        destinations_.push_back(std::move(r));
    }
    // A destination that nobody wants any more must not hold rows back.
    for (auto const& known : box_->destinations())
        if (std::none_of(destinations_.begin(), destinations_.end(), [&](auto const& d) { return d->name() == known.name; })) box_->remove_destination(known.name);
    for (auto const& d : destinations_) box_->add_destination(d->name());
}

replicator::~replicator() { stop(); }

void replicator::start() {
    for (auto const& d : destinations_) asio::co_spawn(loop_, d->run(), asio::detached);
    asio::co_spawn(loop_, keep_house(), asio::detached);
    thread_ = std::thread([this] { run(); });
}

void replicator::run() {
    pthread_setname_np(pthread_self(), "airmail-repl");
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 10);      // a drain takes what shards leave over
    loop_.run();
}

void replicator::stop() {
    if (!thread_.joinable()) return;
    stopping_ = true;
    auto const until = std::chrono::steady_clock::now() + options_.linger;
    auto following = [this] {
        return std::any_of(destinations_.begin(), destinations_.end(), [](auto const& d) { return d->counters().connected.load() && (d->counters().lag_rows.load() > 0); });
    };
    do std::this_thread::sleep_for(std::chrono::milliseconds(50));
    while (following() && std::chrono::steady_clock::now() < until);
    loop_.stop();
    thread_.join();
}

void replicator::measure() {
    auto const now = options_.wall_ms();
    for (auto const& known : box_->destinations())
        for (auto& d : destinations_) {
            if (d->name() != known.name) continue;
            d->measured(known, now);
            bool const late = options_.lag_alarm.count() > 0 && d->counters().lag_ms > options_.lag_alarm.count();
            if (late && !alarmed_[known.name]) {
                auto const line = fmt::format("{} is {} s and {} rows behind", known.name, d->counters().lag_ms / 1000, known.lag_rows);
                options_.say(true, line);
                options_.alarm("replicate_lag", line);
            }
            alarmed_[known.name] = late;
        }
}

asio::awaitable<void> replicator::keep_house() {
    for (int turn = 0;; ++turn) {
        try {
            measure();
            if (turn % 5 == 0 || stopping_) {
                for (int i = 0; i < 1000 && box_->trim() > 0; ++i) co_await sleep_for(std::chrono::milliseconds(5));
                outbox_rows_ = box_->size(), dropped_ = box_->dropped();
            }
            auto const rows = outbox_rows_.load();
            if (rows < compacted_at_) compacted_at_ = 0;
            if (!stopping_ && !destinations_.empty() && rows > worth_compacting && rows > compacted_at_ + compacted_at_ / 2) {
                while (box_->compact(compaction_step)) co_await sleep_for(std::chrono::milliseconds(5));
                outbox_rows_ = compacted_at_ = box_->size(), compacted_ = box_->compacted();
            }
        } catch (sqlite::error const& e) { options_.say(true, fmt::format("outbox: {}", e.what())); }
        co_await sleep_for(std::chrono::milliseconds(stopping_ ? 50 : 1000));
    }
}

std::vector<replicator::state> replicator::states() const {
    std::vector<state> out;
    for (auto const& d : destinations_) out.push_back({d->name(), d->degraded(), &d->counters()});
    return out;
}

std::string replicator::degraded() const {
    std::string out;
    for (auto const& d : destinations_)
        if (auto why = d->degraded(); !why.empty()) out += why + "\n";
    return out;
}

double replicator::cpu_seconds() const {
    clockid_t clock{};
    timespec t{};
    if (!thread_.joinable() || pthread_getcpuclockid(const_cast<std::thread&>(thread_).native_handle(), &clock) != 0 || clock_gettime(clock, &t) != 0) return 0;
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

std::vector<std::string> replicator::migration(std::string const& database) {
    sqlite::db d(database, {.create = false, .read_only = true});
    return migration_sql(read_tables(d));
}

}
