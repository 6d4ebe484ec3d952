#pragma once
// A store whose disk is a map and whose sync happens when the test says: what is submitted is not durable before commit().

#include "storage/store.hpp"
#include "tests/support/fake_clock.hpp"

#include <deque>
#include <map>
#include <set>

namespace airmail::test {

/// Survives the broker under test: `replay` is what a restart would read. Single-threaded.
class scripted_store final : public storage::store {
public:
    explicit scripted_store(fake_clock& c) : clock_{c} {}

    struct delivery {
        storage::reference what;
        storage::delivery_state state = storage::delivery_state::queued;
        std::uint16_t packet_id = 0;
    };
    struct record {
        storage::message_ptr body;
        std::map<storage::session_number, delivery> references;
        bool retained = false;
    };
    std::map<storage::lsn, record> log;
    std::map<storage::session_number, storage::session_record> sessions;
    std::map<std::pair<storage::session_number, std::string>, storage::subscription_record> subscriptions;
    std::map<std::string, storage::lsn> retained;
    std::set<std::pair<storage::session_number, std::uint16_t>> qos2_in;
    std::size_t messages_put = 0;
    bool automatic = true;                                // wire_script commits whenever nothing else is left to do
    bool refuse = false;                                  // submit answers errc::full
    boost::system::error_code fail_next;                  // the next commit fails with this

    /// Messages with at least one reference or a retained place.
    std::size_t living() const {
        std::size_t n = 0;
        for (auto const& [at, r] : log) n += !r.references.empty() || r.retained;
        return n;
    }
    bool idle() const { return queue_.empty(); }
    /// One transaction for all that was submitted.
    void commit() {
        auto batch = std::exchange(queue_, {});
        auto const failed = std::exchange(fail_next, {});
        std::map<scripted_port*, storage::durable> mail;
        for (auto& [from, number, what] : batch) {
            auto& d = mail[from];
            if (d.lsns.empty()) d.first = number, d.error = failed;
            d.lsns.push_back(failed ? 0 : apply(what));
        }
        for (auto& [to, d] : mail)
            to->deliver([to = to, d = std::make_shared<storage::durable>(std::move(d))] { to->on_durable(std::move(*d)); });
    }
    void replay(storage::recovery const& r) const {
        for (auto const& [n, s] : sessions) r.on_session(storage::session_record{s});
        for (auto const& [k, s] : subscriptions) r.on_subscription(storage::subscription_record{s});
        for (auto const& [at, m] : log)
            for (auto const& [n, d] : m.references)
                r.on_reference(at, d.what, d.state, d.packet_id, static_cast<std::uint32_t>(m.body->payload().size()), m.body->expires_at_ms());
        for (auto const& [topic, at] : retained) r.on_retained(at, log.at(at).body);
        for (auto const& [n, id] : qos2_in) r.on_qos2_in(n, id);
    }
    /// The broker died: what was not committed is lost, ports are gone.
    void crash() { queue_.clear(), ports_.clear(); }

    storage::port& make_port(std::function<void(std::function<void()>)> deliver, std::function<void(storage::durable&&)> on_durable) override {
        ports_.push_back(std::make_unique<scripted_port>(*this, std::move(deliver), std::move(on_durable)));
        return *ports_.back();
    }
    std::uint32_t add_consumer(storage::consumer&) override { return consumers_++; }
    void start() override {}
    void stop() override {}
    std::vector<std::pair<storage::lsn, storage::message_ptr>> read(std::uint32_t, storage::lsn, std::size_t) override { return {}; }
    bool caught_up(std::uint32_t, storage::lsn) override { return true; }
    void scan_state(std::uint32_t, std::function<void(std::uint64_t, std::vector<std::uint8_t>)> const&) override {}
    void submit(storage::change, std::function<void(boost::system::error_code, storage::lsn)> done) override { done({}, 0); }
    std::int64_t now_ms() const override { return clock_(); }
    boost::system::result<void> backup(std::string const&, std::string& why) override { return why = "not on a scripted disk", boost::system::result<void>{storage::errc::io}; }
    storage::session_number new_session_number() override { return ++last_session_; }
    statistics stats() const override { return {}; }
    std::string trouble() const override { return {}; }
    std::vector<std::string> damaged() const override { return {}; }

private:
    struct scripted_port final : storage::port {
        scripted_port(scripted_store& s, std::function<void(std::function<void()>)> d, std::function<void(storage::durable&&)> o)
            : of{s}, deliver{std::move(d)}, on_durable{std::move(o)} {}
        boost::system::result<storage::ticket> submit(storage::change c) override {
            if (of.refuse) return storage::errc::full;
            of.queue_.push_back({this, ++last, std::move(c)});
            return last;
        }
        double load() const override { return of.refuse ? 1.0 : 0.0; }
        void fetch(std::vector<storage::lsn> which, std::function<void(std::vector<storage::message_ptr>)> done) override {
            std::vector<storage::message_ptr> found;
            for (auto at : which) {
                auto const i = of.log.find(at);
                found.push_back(i == of.log.end() ? nullptr : i->second.body);
            }
            deliver([done = std::move(done), found = std::move(found)] { done(found); });
        }
        scripted_store& of;
        std::function<void(std::function<void()>)> deliver;
        std::function<void(storage::durable&&)> on_durable;
        storage::ticket last = 0;
    };
    struct submitted {
        scripted_port* from;
        storage::ticket number;
        storage::change what;
    };

    storage::lsn apply(storage::change& c) {
        return std::visit([this](auto& each) { return apply(each); }, c);
    }
    storage::lsn apply(storage::put_message& p) {
        auto const at = ++last_lsn_;
        ++messages_put;
        auto& r = log[at];
        r.body = p.body;
        for (auto const& ref : p.references) r.references.emplace(ref.session, delivery{ref});
        auto const topic = std::string{p.body->topic()};
        if (p.retain_set || p.retain_clear) {
            if (auto const old = retained.find(topic); old != retained.end()) log[old->second].retained = false, retained.erase(old);
        }
        if (p.retain_set) retained[topic] = at, r.retained = true;
        if (p.qos2_in) qos2_in.insert(*p.qos2_in);
        return at;
    }
    storage::lsn apply(storage::settle& s) { return log[s.message].references.erase(s.session), 0; }
    storage::lsn apply(storage::advance& a) {
        auto& refs = log[a.message].references;
        if (auto i = refs.find(a.session); i != refs.end()) i->second.state = a.state, i->second.packet_id = a.packet_id;
        return 0;
    }
    storage::lsn apply(storage::forget_qos2_in& f) { return qos2_in.erase({f.session, f.packet_id}), 0; }
    storage::lsn apply(storage::put_session& p) { return sessions[p.record.number] = p.record, ++last_lsn_; }
    storage::lsn apply(storage::drop_session& d) {
        sessions.erase(d.session);
        std::erase_if(subscriptions, [&](auto const& s) { return s.first.first == d.session; });
        std::erase_if(qos2_in, [&](auto const& q) { return q.first == d.session; });
        for (auto& [at, r] : log) r.references.erase(d.session);
        return ++last_lsn_;
    }
    storage::lsn apply(storage::put_subscription& p) { return subscriptions[{p.record.session, p.record.filter}] = p.record, ++last_lsn_; }
    storage::lsn apply(storage::drop_subscription& d) { return subscriptions.erase({d.session, d.filter}), ++last_lsn_; }
    storage::lsn apply(storage::put_state&) { return 0; }

    fake_clock& clock_;
    std::deque<submitted> queue_;
    std::vector<std::unique_ptr<scripted_port>> ports_;
    storage::lsn last_lsn_ = 0;
    storage::session_number last_session_ = 0;
    std::uint32_t consumers_ = 0;
};

}
