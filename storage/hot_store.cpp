// The store behind store.hpp: clock and numbers, one journal, one writer.
#include "storage/lmdb/lmdb_journal.hpp"
#include "storage/memory_journal.hpp"
#include "storage/writer.hpp"

#include <algorithm>
#include <cassert>
#include <chrono>

namespace airmail::storage {

namespace {

constexpr std::int64_t day_ms = 24 * 60 * 60 * 1'000;

std::int64_t system_wall_ms() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::int64_t system_steady_ms() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

class hot_store final : public store {
public:
    explicit hot_store(store_options o) : options_(std::move(o)) {
        if (!options_.wall_ms) options_.wall_ms = system_wall_ms;
        if (!options_.steady_ms) options_.steady_ms = system_steady_ms;
        options_.batch_changes_max = std::max<std::size_t>(options_.batch_changes_max, 1);
        vitals_.now_ms = [this] { return now_ms(); };
        begin_clock(0);
    }
    ~hot_store() override { stop(); }

    boost::system::result<void> begin(recovery const& r, disk_watch* disk, std::string& why) {
        if (options_.in_memory) {
            journal_ = std::make_unique<memory_journal>(vitals_);
        } else {
            std::int64_t stored_ms = 0;
            auto j = lmdb::lmdb_journal::open(options_, vitals_, r, stored_ms, why);
            if (!j) return j.error();
            begin_clock(stored_ms);
            if (auto begun = (*j)->begin_life(why); !begun) return begun.error();
            journal_ = std::move(*j);
        }
        writer_ = std::make_unique<writer>(options_, *journal_, vitals_, options_.in_memory ? nullptr : disk);
        return {};
    }

    port& make_port(std::function<void(std::function<void()>)> deliver, std::function<void(durable&&)> on_durable) override {
        assert(!started_);
        return writer_->make_port(std::move(deliver), std::move(on_durable));
    }
    std::uint32_t add_consumer(consumer& c) override {
        assert(!started_);
        return writer_->readers_of_the_log().add(c);
    }
    void start() override {
        started_ = true;
        writer_->start();
    }
    void stop() override {
        if (!writer_) return;
        if (started_) writer_->stop();
        else if (!std::exchange(closed_, true)) journal_->close();
    }

    std::vector<std::pair<lsn, message_ptr>> read(std::uint32_t consumer_bit, lsn after, std::size_t max) override {
        return journal_->read(consumer_bit, after, max);
    }
    bool caught_up(std::uint32_t consumer_bit, lsn upto) override { return writer_->readers_of_the_log().caught_up(consumer_bit, upto); }
    void scan_state(std::uint32_t plugin, std::function<void(std::uint64_t, std::vector<std::uint8_t>)> const& f) override {
        journal_->scan_state(plugin, f);
    }
    void submit(change c, std::function<void(boost::system::error_code, lsn)> done) override {
        writer_->submit(std::move(c), std::move(done));
    }

    boost::system::result<void> backup(std::string const& directory, std::string& why) override { return journal_->backup(directory, why); }

    std::int64_t now_ms() const override { return clock_base_ms_ + options_.steady_ms(); }
    session_number new_session_number() override { return vitals_.next_session.fetch_add(1); }

    statistics stats() const override {
        return {.commits = vitals_.commits,
                .syncs_failed = vitals_.syncs_failed,
                .changes = vitals_.changes,
                .records_damaged = vitals_.damaged,
                .cleaned = vitals_.cleaned,
                .bytes_used = vitals_.bytes_used,
                .commit_us_total = vitals_.commit_us,
                .queue_depth = writer_->queued()};
    }
    std::string trouble() const override { return journal_->trouble(); }
    std::vector<std::string> damaged() const override { return journal_->damaged(); }

private:
    /// The stored clock goes on from where it was, plus what the wall says has passed, but never back and never by more
    /// than a day: a wall clock set wrong must not expire every session at once.
    void begin_clock(std::int64_t stored_ms) {
        auto wall = options_.wall_ms();
        auto const start = stored_ms == 0 ? wall : stored_ms + std::clamp<std::int64_t>(wall - stored_ms, 0, day_ms);
        clock_base_ms_ = start - options_.steady_ms();
    }

    store_options options_;
    vitals vitals_;
    std::int64_t clock_base_ms_ = 0;
    bool started_ = false, closed_ = false;
    std::unique_ptr<journal> journal_;   // outlives the writer
    std::unique_ptr<writer> writer_;
};

}

namespace {

boost::system::result<std::unique_ptr<store>> open_hot(store_options o, recovery const& r, disk_watch* disk, std::string& why) {
    auto s = std::make_unique<hot_store>(std::move(o));
    if (auto begun = s->begin(r, disk, why); !begun) return begun.error();
    return std::unique_ptr<store>{std::move(s)};
}

}

boost::system::result<std::unique_ptr<store>> store::open(store_options o, recovery const& r, std::string& why) {
    return open_hot(std::move(o), r, nullptr, why);
}

boost::system::result<std::unique_ptr<store>> open_watched(store_options o, recovery const& r, disk_watch& disk, std::string& why) {
    return open_hot(std::move(o), r, &disk, why);
}

}
