#pragma once
// A host without a broker: real SQLite file in a directory of its own, an outlet that writes down, a clock the test moves,
// and a log the test owns. By default no thread: pump() does what is there.

#include "broker/host/plugin_host.hpp"

#include <deque>
#include <filesystem>
#include <mutex>
#include <string>
#include <unistd.h>
#include <vector>

namespace airmail::host::test {

struct scratch {
    std::filesystem::path path;
    scratch() {
        std::string t = (std::filesystem::temp_directory_path() / "airmail-host-XXXXXX").string();
        path = mkdtemp(t.data());
    }
    ~scratch() { std::filesystem::remove_all(path); }
};

/// Writes down what leaves. `before` is called first: a test may stop the machine there.
struct recorder : outlet {
    struct sent { std::string plugin, topic, payload, correlation_data; };
    std::vector<sent> published;
    std::vector<std::string> revoked, lines;
    std::vector<std::pair<std::string, int>> disconnected;
    std::map<std::pair<std::uint32_t, std::uint64_t>, std::string> state;
    mutable std::mutex mutex;
    bool dead = false;     // the machine has stopped: nothing leaves any more

    void publish(outgoing const& m) override {
        std::lock_guard l{mutex};
        if (!dead) published.push_back({std::string{m.plugin}, std::string{m.topic}, std::string{m.payload}, std::string{m.correlation_data}});
    }
    void revoke(std::string_view t) override { revoked.emplace_back(t); }
    void disconnect(std::string_view who, std::uint8_t reason) override { disconnected.emplace_back(who, reason); }
    void state_put(std::uint32_t p, std::uint64_t k, std::string_view v) override { state[{p, k}] = v; }
    void state_scan(std::uint32_t p, std::function<bool(std::uint64_t, std::string_view)> const& f) override {
        for (auto& [key, v] : state)
            if (key.first == p && !f(key.second, v)) return;
    }
    void log(sdk::level, std::string_view plugin, std::string_view text, std::string_view) override {
        std::lock_guard l{mutex};
        lines.push_back(std::string{plugin} + ": " + std::string{text});
    }
    bool logged(std::string_view part) const {
        std::lock_guard l{mutex};
        for (auto& s : lines)
            if (s.find(part) != s.npos) return true;
        return false;
    }
    std::size_t count() const {
        std::lock_guard l{mutex};
        return published.size();
    }
};

inline storage::message_ptr message(std::string_view topic, std::string_view payload, std::string_view identity = "dev-1", std::uint8_t qos = 1) {
    storage::message_fields f;
    f.topic = topic, f.qos = qos, f.identity = identity, f.client_id = identity;
    f.payload = {reinterpret_cast<std::uint8_t const*>(payload.data()), payload.size()};
    return storage::message::make(f);
}

/// The part of a store that consumers see: a list of messages, and the rule "full = read it back".
struct pretend_log : storage::store {
    std::vector<std::pair<storage::lsn, storage::message_ptr>> all;
    std::vector<storage::consumer*> consumers;
    std::vector<bool> live;

    /// Commits one message and hands it over to whoever is live.
    void put(storage::message_ptr m) {
        all.emplace_back(all.size() + 1, std::move(m));
        for (std::size_t i = 0; i < consumers.size(); ++i)
            if (live[i] && !consumers[i]->committed({all.back()})) live[i] = false;
    }
    std::uint32_t add_consumer(storage::consumer& c) override { return consumers.push_back(&c), live.push_back(true), static_cast<std::uint32_t>(consumers.size() - 1); }
    std::vector<std::pair<storage::lsn, storage::message_ptr>> read(std::uint32_t, storage::lsn after, std::size_t max) override {
        std::vector<std::pair<storage::lsn, storage::message_ptr>> out;
        for (auto& e : all)
            if (e.first > after && out.size() < max) out.push_back(e);
        return out;
    }
    bool caught_up(std::uint32_t bit, storage::lsn upto) override {
        if (!all.empty() && all.back().first > upto) return false;
        return live[bit] = true;
    }
    storage::port& make_port(std::function<void(std::function<void()>)>, std::function<void(storage::durable&&)>) override { std::abort(); }
    void start() override {}
    void stop() override {}
    void scan_state(std::uint32_t, std::function<void(std::uint64_t, std::vector<std::uint8_t>)> const&) override {}
    void submit(storage::change, std::function<void(boost::system::error_code, storage::lsn)>) override {}
    std::int64_t now_ms() const override { return 0; }
    storage::session_number new_session_number() override { return 1; }
    statistics stats() const override { return {}; }
    std::string trouble() const override { return {}; }
    std::vector<std::string> damaged() const override { return {}; }
    boost::system::result<void> backup(std::string const&, std::string& why) override { return why = "a pretend log", boost::system::result<void>{storage::errc::io}; }
};

struct rig {
    scratch own;
    std::filesystem::path dir = own.path;
    recorder out;
    pretend_log log;
    std::atomic<std::int64_t> now{1'000'000};
    host_options options;
    std::unique_ptr<plugin_host> host;
    std::map<std::string, std::string> settings;

    rig() {
        options.database = (dir / "registry.db").string();
        options.now_ms = [this] { return now.load(); };
        options.wall_ms = [this] { return now.load() + 1'763'000'000'000; };
        options.option = [this](std::string_view, std::string_view key) {
            auto at = settings.find(std::string{key});
            return at == settings.end() ? std::string{} : at->second;
        };
        options.threads = false;
        options.retry_first = std::chrono::milliseconds{1};
    }
    plugin_host& make(bool with_log = true) {
        host.reset();
        for (auto& c : log.consumers) (void)c;
        log.consumers.clear(), log.live.clear();
        return *(host = std::make_unique<plugin_host>(options, out, with_log ? &log : nullptr));
    }
    template <class... P>
    plugin_host& with() {
        make();
        (host->add(sdk::make_descriptor<P>()), ...);
        host->prepare(), host->start();
        return *host;
    }
    /// A call, pumped until it is answered.
    std::pair<int, std::string> call(std::string_view name, std::string params = "{}", std::string role = "admin") {
        auto got = std::make_shared<std::pair<int, std::string>>(0, "");
        host->call(name, std::move(params), {.name = "tester", .role = std::move(role), .request_id = "r-1"},
                   [got](int s, std::string j) { *got = {s, std::move(j)}; });
        host->pump();
        return *got;
    }
    /// Somebody wants copies: from now on changes are told.
    void copied() { storage::sqlite::db{options.database}.exec("INSERT INTO airmail_outbox_cursors(destination, seq) VALUES('postgres', 0)"); }
    std::int64_t number(std::string_view sql) { return storage::sqlite::db{options.database}.integer(sql); }
    std::string text(std::string_view sql) {
        auto v = storage::sqlite::db{options.database}.scalar(sql);
        auto* s = std::get_if<std::string>(&v);
        return s ? *s : "";
    }
};

}
