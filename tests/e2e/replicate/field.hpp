#pragma once
// A whole broker with Postgres and Redis following, and a fleet on plain sockets that keeps time: heartbeats at a fixed rate, statuses of a
// running campaign between them, the PUBACK of each timed from the moment it was due.

#include "bench/airmail-bench/meter.hpp"
#include "bench/airmail-bench/swarm.hpp"
#include "tests/e2e/broker/house.hpp"
#include "tests/e2e/replicate/ledger.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <condition_variable>
#include <atomic>
#include <deque>
#include <sys/resource.h>
#include <thread>

namespace airmail::testing {

/// Owned by: one test. Its files, keys and broker live in its own folder.
class field {
public:
    field(std::size_t devices, std::string const& dsn, redis_server& redis, std::string const& more = {})
        : dsn_(dsn), redis_(redis), keys_(made_keys()),
          broker(fmt::format("listener {{plain}} 127.0.0.1\nallow_anonymous true\nairmail_plugin ota\nhttp_port 0\nota_command_key {0}/keys/command.pem\nota_release_keys {0}/keys/release.pem.pub\n"
                             "ota_url_base https://localhost:8443\nota_probation 0s\nlimit_accept_rate 0\nreplicate_postgres {1}\nreplicate_redis {2}\n{3}", keys_, dsn, redis.url(), more)) {
        rlimit l{};
        ::getrlimit(RLIMIT_NOFILE, &l);
        l.rlim_cur = l.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &l);
        up(broker);
        auto const o = ctl({"db", "migrate", "--dsn", dsn});
        REQUIRE_MESSAGE(o.code == 0, o.text);
        connect(devices);
    }

    outcome ctl(std::vector<std::string> args) {
        std::vector<std::string> all{AIRMAILCTL, "--socket", broker.dir() / "control.sock"};
        all.insert(all.end(), args.begin(), args.end());
        return run(all);
    }
    /// A campaign for everybody, started; the devices hear of it in turn(). @return its id
    std::string campaign() {
        auto const image = dir_ / "image", release = dir_ / "release";
        std::ofstream(image) << std::string(4096, 'x');
        auto o = run({AIRMAILCTL, "firmware", "sign", image, "--key", keys_ + "/keys/release.pem", "--version", "v2.0.0", "--model", "TX-100", "--security-counter", "2", "-o", release});
        REQUIRE_MESSAGE(o.code == 0, o.text);
        o = ctl({"--json", "firmware", "upload", release});
        REQUIRE_MESSAGE(o.code == 0, o.text);
        auto const firmware = boost::json::parse(o.text).at("firmware_id").as_string();
        o = broker.control("POST", "/api/v1/campaigns", fmt::format(R"({{"name":"outage","phases":"none","max_in_flight":100000,"firmware_id":"{}","model":"TX-100"}})", std::string_view(firmware.data(), firmware.size())));
        REQUIRE_MESSAGE(o.code < 300, o.text);
        auto const id = boost::json::parse(o.text).at("campaign_id").as_string();
        campaign_.assign(id.data(), id.size());
        o = broker.control("POST", "/api/v1/campaigns/" + campaign_ + "/start", "{}");
        REQUIRE_MESSAGE(o.code < 300, o.text);
        for (auto const until = bench::now_ns() + 120'000'000'000; commanded_ < n_ && bench::now_ns() < until;) swarm_.turn(std::chrono::milliseconds(50));
        REQUIRE(commanded_ == n_);
        return campaign_;
    }

    /// What one stretch of load was like.
    struct stretch {
        std::uint64_t beats = 0, statuses = 0;
        double seconds = 0, p50_us = 0, p99_us = 0, broker_cpu = 0, carrier_cpu = 0;
    };
    /// `rate` heartbeats a second for `seconds`, and `statuses` of the campaign spread over it. With `enough` it ends earlier: when that
    /// says so (asked once a second, on a thread of its own: asking must not hold up what is due).
    stretch load(double rate, double seconds, std::uint64_t statuses = 0, std::function<bool()> const& enough = {}) {
        stretch s;
        bench::latencies took;
        took_ = &took;
        auto const cpu = broker_cpu(), carrier = carrier_cpu();
        std::atomic<bool> over{false};
        std::mutex lock;
        std::condition_variable ended;
        bool end = false;
        std::thread looks([&] {
            for (std::unique_lock hold(lock); enough && !ended.wait_for(hold, std::chrono::seconds(1), [&] { return end; });)
                if (enough()) over = true;
        });
        auto const began = bench::now_ns();
        auto const beat_gap = 1e9 / rate, status_gap = statuses ? seconds * 1e9 / double(statuses) : 1e18;
        int unread = 0;
        auto const beats = static_cast<std::uint64_t>(seconds * rate);
        while (!over && (s.beats < beats || s.statuses < statuses)) {
            auto const beat_due = began + static_cast<std::int64_t>(double(s.beats) * beat_gap), status_due = began + static_cast<std::int64_t>(double(s.statuses) * status_gap);
            auto const now = bench::now_ns();
            auto const next = std::min(s.beats < beats ? beat_due : INT64_MAX, s.statuses < statuses ? status_due : INT64_MAX);
            // What is due goes out together, at most 256 before the answers are read: the generator shares two cores with what it measures.
            if (now < next || ++unread == 256) swarm_.turn(std::chrono::nanoseconds(now < next ? std::max<std::int64_t>(next - now, 1'000'000) : 0)), unread = 0;
            else if (s.beats < beats && beat_due <= now) beat(next_beat_++ % n_, beat_due), ++s.beats;
            else status(next_status_++, status_due), ++s.statuses;
        }
        for (auto const until = bench::now_ns() + 30'000'000'000; under_way_ > 0 && bench::now_ns() < until;) swarm_.turn(std::chrono::milliseconds(5));
        s.seconds = double(bench::now_ns() - began) / 1e9;
        {
            std::lock_guard hold(lock);
            end = true;
        }
        ended.notify_one();
        looks.join();
        CHECK(under_way_ == 0);
        s.p50_us = took.microseconds(0.5), s.p99_us = took.microseconds(0.99);
        s.broker_cpu = broker_cpu() - cpu, s.carrier_cpu = carrier_cpu() - carrier;
        took_ = nullptr;
        return s;
    }
    /// Everybody runs the new version, and has said so.
    void finish() {
        version_ = "v2.0.0";
        auto const rate = std::max(500.0, double(n_) / 5);
        for (int round = 0; round < 2; ++round) (void)load(rate, double(n_) / rate);
    }
    std::int64_t metric(std::string const& name) const { return static_cast<std::int64_t>(number(name)); }
    /// The copies have all there is.
    bool settled(std::chrono::seconds patience) {
        return eventually([&] {
            if (broker.get("/readyz").text != "ready\n") return false;
            auto d = registry();
            auto const end = d->integer("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'"), folded = d->integer("SELECT coalesce(max(n), 0) FROM outbox_folded");
            return d->integer("SELECT count(*) FROM airmail_outbox_cursors WHERE seq >= ? AND folded >= ? AND needs_snapshot = 0", {end, folded}) == 2;
        }, patience);
    }
    std::unique_ptr<st::sqlite::db> registry() const { return std::make_unique<st::sqlite::db>(broker.dir() / "data/registry.db", st::sqlite::db_options{.create = false, .read_only = true}); }

private:
    static std::string name(std::size_t i) { return "out-" + std::to_string(i); }
    double number(std::string const& name) const {
        auto const text = broker.get("/metrics").text;
        auto const at = text.find("\n" + name + " ");
        return at == text.npos ? -1 : std::strtod(text.c_str() + at + name.size() + 2, nullptr);
    }
    double broker_cpu() const {
        std::ifstream in("/proc/" + std::to_string(broker.pid()) + "/stat");
        std::string word;
        double ticks = 0;
        for (int i = 1; i <= 15 && in >> word; ++i)
            if (i >= 14) ticks += std::strtod(word.c_str(), nullptr);
        return ticks / double(::sysconf(_SC_CLK_TCK));
    }
    double carrier_cpu() const { return std::max(0.0, number("airmail_replicate_cpu_seconds_total")); }
    std::string made_keys() {
        auto const to = dir_ / "ca";
        auto const o = run({AIRMAILCTL, "ca", "init", "--dir", to});
        if (o.code != 0) throw std::runtime_error(o.text);
        return to;
    }
    void connect(std::size_t devices) {
        n_ = devices;
        waiting_.resize(n_), commands_.resize(n_);
        swarm_.on_puback = [this](bench::peer& p, std::uint16_t) {
            auto& w = waiting_[p.index];
            if (took_) took_->add(bench::now_ns() - w.front());
            w.pop_front(), --under_way_;
        };
        swarm_.on_publish = [this](bench::peer& p, byte_view payload) {
            std::string_view const text{reinterpret_cast<char const*>(payload.data()), payload.size()};
            auto const at = text.find("\"command_id\":\"");
            if (at == text.npos || text.find("\"ota_update\"") == text.npos) return;
            if (commands_[p.index].empty()) ++commanded_;
            commands_[p.index] = text.substr(at + 14, text.find('"', at + 14) - at - 14);
        };
        for (std::size_t i = 0; i < n_; ++i) {
            bench::connect_options o;
            o.port = broker.port(), o.client_id = o.user_name = name(i);
            auto& p = swarm_.open(o);
            swarm_.settle_if_over(64);
            swarm_.subscribe(p, "devices/" + name(i) + "/command", 1);
        }
        swarm_.settle();
        (void)load(std::max(1000.0, double(n_) / 5), std::min(5.0, double(n_) / 1000));
        REQUIRE(eventually([&] {
            auto const o = broker.control("GET", "/api/v1/fleet");
            return o.code == 200 && boost::json::parse(o.text).at("online").to_number<std::size_t>() == n_;
        }, 60s));
    }
    void send(std::size_t i, char const* what, std::string const& payload, std::int64_t due) {
        swarm_.publish(swarm_.at(i), "devices/" + name(i) + "/" + what, {reinterpret_cast<std::uint8_t const*>(payload.data()), payload.size()}, 1);
        waiting_[i].push_back(due), ++under_way_;
    }
    void beat(std::size_t i, std::int64_t due) {
        send(i, "heartbeat", fmt::format(R"({{"serial_no":"{}","model":"TX-100","current_firmware":"{}","timestamp":1795000000}})", name(i), version_), due);
    }
    /// Fourteen of a device: downloading at 0, 7, ... 84 %, then installing.
    void status(std::uint64_t k, std::int64_t due) {
        auto const i = k % n_, step = k / n_;
        auto const rest = step < 13 ? fmt::format(R"("downloading","progress":{},"bytes":{})", step * 7, step * 280) : std::string(R"("installing")");
        send(i, "status", fmt::format(R"({{"campaign_id":"{}","command_id":"{}","status":{}}})", campaign_, commands_[i], rest), due);
    }

    std::string dsn_;
    redis_server& redis_;
    temp_dir dir_;
    std::string keys_, campaign_, version_ = "v1.0.0";
    bench::swarm swarm_;
    std::size_t n_ = 0, commanded_ = 0, under_way_ = 0;
    std::uint64_t next_beat_ = 0, next_status_ = 0;
    std::vector<std::deque<std::int64_t>> waiting_;        // when what is under way was due, oldest first [MQTT-4.6.0-2]
    std::vector<std::string> commands_;
    bench::latencies* took_ = nullptr;

public:
    broker_process broker;
};

}
