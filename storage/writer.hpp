#pragma once
// The one thread that writes. It takes whatever all queues hold, commits it as one transaction, tells each port once, and
// starts over: under load a batch is what arrived during the previous sync, when idle it is one change at once. No timer.
//
//   port ring (8,192, stays full until committed) --.
//   port ring ---------------------------------------+--> gather --> journal.commit --> durable mail per port
//   side queue (8,192, mutex; lanes) ----------------'       |                      --> consumers, in LSN order
//                                                            '--> turned away when the disk has little room (admit.hpp)

#include "storage/consumers.hpp"
#include "storage/disk_watch.hpp"
#include "storage/journal.hpp"
#include "storage/reader.hpp"
#include "storage/spsc_ring.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace airmail::storage {

class writer;

/// A shard's way in.
class ring_port final : public port {
public:
    using deliverer = std::function<void(std::function<void()>)>;
    using listener = std::function<void(durable&&)>;
    ring_port(writer& w, deliverer deliver, listener on_durable);

    boost::system::result<ticket> submit(change c) override;
    double load() const override { return static_cast<double>(ring_.size()) / static_cast<double>(ring_.capacity); }
    void fetch(std::vector<lsn> which, std::function<void(std::vector<message_ptr>)> done) override;

private:
    friend class writer;
    static constexpr std::size_t changes_max = 8'192;
    void post(durable&& d);

    writer& writer_;
    deliverer deliver_;
    std::shared_ptr<listener const> on_durable_;   // mail may still lie with the shard when the store is gone
    spsc_ring<change, changes_max> ring_;
    std::size_t taken_ = 0;                        // of the batch under way; writer thread
};

class writer {
public:
    using completion = std::function<void(boost::system::error_code, lsn)>;

    /// `disk` may be null: then only the journal says what is full.
    writer(store_options const& o, journal& j, vitals& v, disk_watch* disk);
    ~writer() { stop(); }

    port& make_port(ring_port::deliverer deliver, ring_port::listener on_durable);
    consumers& readers_of_the_log() { return consumers_; }
    reader& fetcher() { return reader_; }
    void start();
    void stop();
    void submit(change c, completion done);
    /// Wakes the thread if it sleeps. Any thread.
    void nudge();
    std::uint64_t queued() const;

private:
    struct side_change { change c; completion done; };
    void run();
    /// False: nothing was there.
    bool gather();
    void gather_side();
    bool take(change& c);
    bool turns_away(change const& c);
    /// Was the n-th of those taken turned away?
    bool was_refused(std::size_t n) const { return !turned_away_.empty() && turned_away_[n]; }
    std::uint64_t reusable() const;
    void normalise(change& c) const;
    void commit();
    void tell_ports(boost::system::error_code ec);
    void tell_side(boost::system::error_code ec);
    bool anything() const;
    /// Until something is submitted. False: nothing was, and it is time to look at the disk again.
    bool sleep();

    store_options const& options_;
    journal& journal_;
    vitals& vitals_;
    disk_watch* const disk_;
    std::vector<std::unique_ptr<ring_port>> ports_;
    consumers consumers_;
    reader reader_;

    mutable std::mutex side_lock_;
    std::deque<side_change> side_;                 // waiting; under side_lock_
    std::deque<side_change> side_taken_;           // of the batch under way
    std::atomic<std::size_t> side_size_{0};

    // Rest of the writer thread's own.
    batch batch_;
    std::vector<bool> turned_away_;                // of all that was taken, in that order; empty = nobody
    disk_level level_ = disk_level::plenty;        // of this batch
    std::size_t first_port_ = 0;                   // who is served first turns, so that a cap starves nobody
    bool cleaning_failed_ = false;                 // do not insist until something was committed

    std::atomic<bool> sleeping_{false}, stopping_{false};
    std::mutex wake_lock_;
    std::condition_variable wake_;
    bool woken_ = false;
    std::thread thread_;
};

}
