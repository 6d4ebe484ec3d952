#include "storage/writer.hpp"

#include "storage/admit.hpp"

#include <algorithm>
#include <cassert>
#include <chrono>

namespace airmail::storage {

namespace {

constexpr std::size_t side_max = 8'192;
constexpr std::chrono::seconds ask_again{1};   // a disk in trouble or with little room, when nothing is submitted
constexpr std::chrono::seconds glance{10};     // at a disk with plenty of it

/// About what a change takes in the log and its tables, for the bound of a transaction and for the room it needs.
std::size_t bytes_of(change const& c) {
    constexpr std::size_t row = 48;
    struct {
        std::size_t operator()(put_message const& m) const { return 3 * row + m.body->footprint() + m.references.size() * 40; }
        std::size_t operator()(put_session const& s) const {
            auto will = s.record.will ? s.record.will->topic.size() + s.record.will->payload.size() + s.record.will->properties.size() : 0;
            return 3 * row + s.record.identity.size() + s.record.client_id.size() + will;
        }
        std::size_t operator()(put_subscription const& s) const { return 2 * row + s.record.filter.size(); }
        std::size_t operator()(drop_subscription const& s) const { return 2 * row + s.filter.size(); }
        std::size_t operator()(put_state const& s) const { return row + s.value.size(); }
        std::size_t operator()(drop_session const&) const { return 2 * row; }
        std::size_t operator()(settle const&) const { return row; }
        std::size_t operator()(advance const&) const { return row; }
        std::size_t operator()(forget_qos2_in const&) const { return row; }
    } bytes;
    return std::visit(bytes, c);
}

}

ring_port::ring_port(writer& w, deliverer deliver, listener on_durable)
    : writer_(w), deliver_(std::move(deliver)), on_durable_(std::make_shared<listener const>(std::move(on_durable))) {}

boost::system::result<ticket> ring_port::submit(change c) {
    if (!ring_.push(std::move(c))) return errc::full;
    writer_.nudge();
    return ring_.pushed();
}

void ring_port::fetch(std::vector<lsn> which, std::function<void(std::vector<message_ptr>)> done) {
    writer_.fetcher().fetch(std::move(which), [deliver = deliver_, done = std::move(done)](std::vector<message_ptr> found) {
        deliver([done, found = std::move(found)]() mutable { done(std::move(found)); });
    });
}

void ring_port::post(durable&& d) {
    deliver_([to = on_durable_, d = std::move(d)]() mutable { (*to)(std::move(d)); });
}

writer::writer(store_options const& o, journal& j, vitals& v, disk_watch* disk) : options_(o), journal_(j), vitals_(v), disk_(disk), reader_(j) {}

port& writer::make_port(ring_port::deliverer deliver, ring_port::listener on_durable) {
    return *ports_.emplace_back(std::make_unique<ring_port>(*this, std::move(deliver), std::move(on_durable)));
}

void writer::start() {
    consumers_.begin(journal_.newest_for());
    reader_.start();
    thread_ = std::thread{[this] { run(); }};
}

void writer::stop() {
    stopping_.store(true);
    if (thread_.joinable()) {
        nudge();
        thread_.join();
    }
    reader_.stop();
}

void writer::submit(change c, completion done) {
    {
        std::unique_lock l{side_lock_};
        if (side_.size() >= side_max) {
            l.unlock();
            return done(errc::full, 0);
        }
        side_.push_back({std::move(c), std::move(done)});
        side_size_.store(side_.size(), std::memory_order_seq_cst);
    }
    nudge();
}

void writer::nudge() {
    if (!sleeping_.load(std::memory_order_seq_cst)) return;
    {
        std::lock_guard l{wake_lock_};
        woken_ = true;
    }
    wake_.notify_one();
}

bool writer::anything() const {
    return side_size_.load(std::memory_order_seq_cst) != 0 ||
           std::any_of(ports_.begin(), ports_.end(), [](auto const& p) { return p->ring_.ready() != 0; });
}

std::uint64_t writer::queued() const {
    std::uint64_t n = side_size_.load();
    for (auto const& p : ports_) n += p->ring_.size();
    return n;
}

bool writer::sleep() {
    bool woken = true;
    sleeping_.store(true, std::memory_order_seq_cst);
    // Looked at again after saying so: who submits now either is seen here or sees us sleeping.
    if (!anything() && !stopping_.load()) {
        bool const troubled = !journal_.trouble().empty() || (disk_ && disk_->level() != disk_level::plenty);
        std::unique_lock l{wake_lock_};
        if (troubled) woken = wake_.wait_for(l, ask_again, [&] { return woken_; });
        else if (disk_) woken = wake_.wait_for(l, glance, [&] { return woken_; });
        else wake_.wait(l, [&] { return woken_; });
    }
    sleeping_.store(false, std::memory_order_seq_cst);
    std::lock_guard l{wake_lock_};
    woken_ = false;
    return woken;
}

std::uint64_t writer::reusable() const {
    auto const file = vitals_.bytes_file.load(std::memory_order_relaxed), used = vitals_.bytes_used.load(std::memory_order_relaxed);
    return file - std::min(file, used);
}

void writer::run() {
    for (;;) {
        if (disk_) disk_->look_if_due(reusable());
        bool const some = gather();
        if (some) commit();
        if (!batch_.changes.empty()) continue;
        // All that was taken may have been turned away: then cleaning has not gone with it.
        if (!some && stopping_.load()) break;
        journal_.applied(consumers_.applied(journal_.next() - 1));
        if (!cleaning_failed_ && journal_.wants_cleaning()) {
            cleaning_failed_ = static_cast<bool>(journal_.commit(batch_));
            continue;
        }
        // In trouble nobody may come any more (not ready, so no traffic): an empty transaction asks the disk now and then.
        if (!some && !sleep() && !journal_.trouble().empty()) cleaning_failed_ = static_cast<bool>(journal_.commit(batch_));
    }
    // While the disk is in trouble a reader may be waiting for it: closing lets it go. Otherwise it answers first.
    if (journal_.trouble().empty()) reader_.stop();
    journal_.close();
}

bool writer::take(change& c) {
    if (batch_.changes.size() >= options_.batch_changes_max || batch_.bytes >= options_.batch_bytes_max) return false;
    normalise(c);
    if (level_ != disk_level::plenty && turns_away(c)) return true;
    batch_.changes.push_back(&c);
    batch_.bytes += bytes_of(c);
    return true;
}

bool writer::turns_away(change const& c) {
    bool const away = !admitted(c, level_, [this](session_number n) { return journal_.knows(n); });
    turned_away_.push_back(away);
    if (away) disk_->turned_away();
    return away;
}

void writer::normalise(change& c) const {
    auto* m = std::get_if<put_message>(&c);
    if (m == nullptr) return;
    assert(m->body);
    m->consumers &= consumers_.mask();
    auto by_session = [](reference const& a, reference const& b) { return a.session < b.session; };
    if (!std::is_sorted(m->references.begin(), m->references.end(), by_session))
        std::stable_sort(m->references.begin(), m->references.end(), by_session);
    auto twice = std::unique(m->references.begin(), m->references.end(),
                             [](reference const& a, reference const& b) { return a.session == b.session; });
    m->references.erase(twice, m->references.end());
}

bool writer::gather() {
    batch_.clear();
    turned_away_.clear();
    level_ = disk_ ? disk_->level() : disk_level::plenty;
    gather_side();
    bool some = !side_taken_.empty();
    for (std::size_t i = 0; i < ports_.size(); ++i) {
        auto& p = *ports_[(first_port_ + i) % ports_.size()];
        auto ready = p.ring_.ready();
        p.taken_ = 0;
        while (p.taken_ < ready && take(p.ring_.at(p.taken_))) ++p.taken_;
        some |= p.taken_ != 0;
    }
    ++first_port_;
    return some;
}

void writer::gather_side() {
    if (side_size_.load(std::memory_order_seq_cst) == 0) return;
    std::lock_guard l{side_lock_};
    // At most a quarter of a batch: the lanes must not starve the shards.
    auto most = std::max<std::size_t>(options_.batch_changes_max / 4, 1);
    while (!side_.empty() && side_taken_.size() < most && batch_.bytes < options_.batch_bytes_max) {
        side_taken_.push_back(std::move(side_.front()));
        side_.pop_front();
        take(side_taken_.back().c);
    }
    side_size_.store(side_.size(), std::memory_order_seq_cst);
}

void writer::commit() {
    boost::system::error_code ec;
    if (!batch_.changes.empty()) {
        journal_.applied(consumers_.applied(journal_.next() - 1));
        ec = journal_.commit(batch_);
        cleaning_failed_ = ec && ec != errc::full;   // what is full needs cleaning most
        if (disk_ && ec == errc::full) disk_->look(reusable());   // faster than once a second
    }
    tell_ports(ec);
    if (!ec) consumers_.committed(batch_);
    if (!ec) vitals_.changes.fetch_add(batch_.changes.size(), std::memory_order_relaxed);
    // Only now may the slots be used again: the consumers' bodies came from them.
    for (auto& p : ports_)
        if (p->taken_ != 0) p->ring_.release(p->taken_);
    tell_side(ec);
}

void writer::tell_ports(boost::system::error_code ec) {
    auto taken = side_taken_.size();   // the batch begins with those
    std::size_t stored = 0;
    for (std::size_t n = 0; n < taken; ++n) stored += !was_refused(n);
    for (std::size_t n = 0; n < ports_.size(); ++n) {
        auto& p = *ports_[(first_port_ - 1 + n) % ports_.size()];   // as gather() took them
        // One mail, unless some were turned away: then one for each run of equal fate, since a mail has one error for all.
        for (std::size_t told = 0; told < p.taken_;) {
            bool const away = was_refused(taken);
            std::size_t run = 1;
            if (turned_away_.empty()) run = p.taken_;
            else while (told + run < p.taken_ && was_refused(taken + run) == away) ++run;
            durable d{.first = p.ring_.released() + told + 1, .lsns = std::vector<lsn>(run), .error = away ? errc::full : ec};
            if (!away) {
                for (auto& at : d.lsns) {
                    if (!ec) at = batch_.out[stored].at;
                    ++stored;
                }
            }
            told += run, taken += run;
            p.post(std::move(d));
        }
    }
}

void writer::tell_side(boost::system::error_code ec) {
    std::size_t taken = 0, stored = 0;
    for (auto& s : side_taken_) {
        bool const away = was_refused(taken++);
        auto const failed = away ? make_error_code(errc::full) : ec;
        if (s.done) s.done(failed, failed ? 0 : batch_.out[stored].at);
        if (!away) ++stored;
    }
    side_taken_.clear();
}

}
