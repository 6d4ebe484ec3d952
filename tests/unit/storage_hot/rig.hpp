#pragma once
// A store in a folder of its own, a shard that runs its mail when the test says so, and what came back at the last start.
#include "storage/store.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <doctest/doctest.h>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>

namespace airmail::storage::test {

/// Removed with all it holds.
class folder {
public:
    folder() {
        std::string t = (std::filesystem::temp_directory_path() / "airmail-store-XXXXXX").string();
        path_ = ::mkdtemp(t.data());
    }
    ~folder() { std::error_code ec; std::filesystem::remove_all(path_, ec); }
    folder(folder const&) = delete;
    std::string hot() const { return path_ + "/hot"; }
    std::string const& path() const { return path_; }

private:
    std::string path_;
};

/// The mail of one shard.
class mailbox {
public:
    void post(std::function<void()> f) {
        std::lock_guard l{lock_};
        mail_.push_back(std::move(f));
        some_.notify_one();
    }
    /// What an earlier store still posted counts other tickets.
    void forget() {
        std::lock_guard l{lock_};
        mail_.clear();
    }
    /// Runs mail until `done()`; fails the test after 60 s without.
    template <class P> void run_until(P done) {
        while (!done()) {
            std::unique_lock l{lock_};
            REQUIRE(some_.wait_for(l, std::chrono::seconds{60}, [&] { return !mail_.empty(); }));
            auto f = std::move(mail_.front());
            mail_.pop_front();
            l.unlock();
            f();
        }
    }

private:
    std::mutex lock_;
    std::condition_variable some_;
    std::deque<std::function<void()>> mail_;
};

struct shard {
    mailbox mail;
    port* way_in = nullptr;
    std::map<ticket, lsn> stored;
    std::map<ticket, boost::system::error_code> refused;
    std::size_t mails = 0;

    void attach(store& s) {
        way_in = &s.make_port([this](std::function<void()> f) { mail.post(std::move(f)); }, [this](durable&& d) {
            ++mails;
            for (std::size_t i = 0; i < d.lsns.size(); ++i) {
                if (d.error) refused[d.first + i] = d.error;
                else stored[d.first + i] = d.lsns[i];
            }
        });
    }
    ticket submit(change c) {
        auto t = way_in->submit(std::move(c));
        REQUIRE(t.has_value());
        return *t;
    }
    bool answered(ticket t) const { return stored.contains(t) || refused.contains(t); }
    /// Submits and waits; the LSN, or 0 when refused.
    lsn put(change c) {
        auto t = submit(std::move(c));
        mail.run_until([&] { return answered(t); });
        return stored.contains(t) ? stored[t] : 0;
    }
    std::vector<message_ptr> fetch(std::vector<lsn> which) {
        std::optional<std::vector<message_ptr>> got;
        way_in->fetch(std::move(which), [&](std::vector<message_ptr> m) { got = std::move(m); });
        mail.run_until([&] { return got.has_value(); });
        return *got;
    }
};

/// What a start handed out.
struct found {
    struct ref { reference r; delivery_state state; std::uint16_t packet_id; std::uint32_t payload_bytes; };
    std::map<session_number, session_record> sessions;
    std::map<std::pair<session_number, std::string>, subscription_record> subscriptions;
    std::map<std::pair<lsn, session_number>, ref> references;
    std::map<std::string, std::pair<lsn, std::string>> retained;   // topic -> LSN, payload
    std::set<std::pair<session_number, std::uint16_t>> qos2_in;
    std::vector<lsn> order;

    recovery hooks() {
        recovery r;
        r.on_session = [this](session_record&& s) { sessions[s.number] = std::move(s); };
        r.on_subscription = [this](subscription_record&& s) { subscriptions[{s.session, s.filter}] = std::move(s); };
        r.on_reference = [this](lsn at, reference const& r, delivery_state s, std::uint16_t id, std::uint32_t bytes, std::int64_t) {
            references[{at, r.session}] = {r, s, id, bytes};
            order.push_back(at);
        };
        r.on_retained = [this](lsn at, message_ptr m) {
            retained[std::string{m->topic()}] = {at, std::string{m->payload().begin(), m->payload().end()}};
        };
        r.on_qos2_in = [this](session_number n, std::uint16_t id) { qos2_in.emplace(n, id); };
        return r;
    }
};

struct rig {
    store_options options;
    found was;
    shard one;
    std::unique_ptr<store> hot;
    std::vector<consumer*> lanes;
    std::string why;
    boost::system::error_code error;

    explicit rig(std::string directory) {
        options.directory = std::move(directory);
        options.map_bytes = 1ull << 30;
        options.wall_ms = [] { return std::int64_t{1'800'000'000'000}; };
    }
    bool open(bool start = true) {
        return take([&](recovery const& r) { return store::open(options, r, why); }, start);
    }
    /// `opens`: how, from the hooks that see what is found.
    template <class Open> bool take(Open opens, bool start = true) {
        was = {};
        auto s = opens(was.hooks());
        error = s ? boost::system::error_code{} : s.error();
        if (!s) return false;
        hot = std::move(*s);
        one.mail.forget();
        one.stored.clear(), one.refused.clear();
        one.attach(*hot);
        for (auto* l : lanes) hot->add_consumer(*l);
        if (start) hot->start();
        return true;
    }
    void close() { hot.reset(); }
    bool again() { close(); return open(); }
};

inline message_ptr text(std::string_view topic, std::string_view payload) {
    return message::make({.qos = 1, .topic = topic, .payload = {reinterpret_cast<std::uint8_t const*>(payload.data()), payload.size()}});
}
inline session_record session(session_number n, std::string client) {
    session_record s;
    s.number = n;
    s.client_id = std::move(client);
    s.identity = "id-" + s.client_id;
    s.expiry_s = 3600;
    return s;
}
inline put_message to(message_ptr m, std::vector<session_number> sessions) {
    put_message p{.body = std::move(m)};
    for (auto n : sessions) p.references.push_back({.session = n});
    return p;
}
inline put_message keep(std::string_view topic, std::string_view payload) {
    put_message p{.body = text(topic, payload)};
    p.retain_set = true;
    return p;
}
inline put_message clear(std::string_view topic) {
    put_message p{.body = text(topic, "")};
    p.retain_clear = true;
    return p;
}

}
