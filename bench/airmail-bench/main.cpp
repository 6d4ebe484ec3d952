// airmail-bench: the same load on several brokers in turn, A B A B, each time on a fresh process; JSON and a table.

#include "bench/airmail-bench/failure.hpp"
#include "bench/airmail-bench/report.hpp"
#include "tools/command_line/command_line.hpp"

#include <csignal>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <optional>
#include <sstream>
#include <sys/resource.h>
#include <unistd.h>

namespace {

using namespace airmail::bench;

struct request {
    std::vector<std::string> brokers, configs, names;
    std::string peer, json_file;
    int rounds = 3;
    bool keep = false, threads = false;
    load sizes;
};

std::string text_of(std::string const& path) {
    std::ifstream in(path);
    if (!in) throw failure("cannot read " + path);
    std::ostringstream all;
    all << in.rdbuf();
    return all.str();
}

std::pair<std::string, std::string> named(std::string const& given) {
    auto const at = given.find('=');
    if (at == std::string::npos || at == 0) throw failure(fmt::format("'{}' is not NAME=VALUE", given));
    return {given.substr(0, at), given.substr(at + 1)};
}

std::vector<broker_spec> specs(request const& q) {
    std::vector<broker_spec> all;
    for (auto const& b : q.brokers) {
        auto const [name, command] = named(b);
        all.push_back({name, command, {}});
    }
    for (auto const& c : q.configs) {
        auto const [name, path] = named(c);
        auto const it = std::find_if(all.begin(), all.end(), [&](auto const& s) { return s.name == name; });
        if (it == all.end()) throw failure("--config for a broker that is not given: " + name);
        it->config = text_of(path);
    }
    return all;
}

std::vector<scenario const*> chosen(request const& q) {
    std::vector<scenario const*> all;
    for (auto const& s : scenarios())
        if (q.names.empty() && !s.config) all.push_back(&s);       // those that only airmaild knows are asked for by name
    for (auto const& name : q.names) {
        bool found = false;
        for (auto const& s : scenarios())
            if (s.name.starts_with(name)) all.push_back(&s), found = true;
        if (!found) throw failure("no scenario begins with " + name);
    }
    return all;
}

std::size_t certificates_needed(request const& q, std::vector<scenario const*> const& all) {
    std::size_t n = 0;
    for (auto const* s : all) {
        if (s->name == "idle-mtls" || s->name == "storm-mtls") n = std::max(n, q.sizes.idle_mtls);
        if (q.sizes.mtls && s->name == "heartbeats") n = std::max(n, q.sizes.devices);
        if (q.sizes.mtls && s->name == "commands") n = std::max(n, q.sizes.commanded);
    }
    return n;
}

figures one_round(request const& q, scenario const& s, broker_spec const& spec, certificates const& certs, std::string const& dir) {
    std::filesystem::create_directories(dir);
    certs.write(dir);
    std::ofstream(dir + "/acl") << acl_of_1000_rules();
    broker_place const place{dir, dir + "/acl", free_port(), free_port(), s.persistence};
    auto started = spec;
    if (s.config) {   // after the broker's own lines, which they may change; before {base}, where the listeners begin
        if (started.config.empty()) started.config = "{base}";
        auto const at = started.config.find("{base}");
        started.config.insert(std::min(at, started.config.size()), s.config(dir));
    }
    figures out;
    {
        broker_process broker(started, place);
        bench_run run{broker, q.sizes, &certs};
        out = s.run(run);
        if (q.threads)
            for (auto const& [name, seconds] : broker.threads())
                if (seconds >= 0.05) fmt::print(stderr, "    {:<16} {:.2f} CPU-s\n", name, seconds);
    }
    if (!q.keep) std::filesystem::remove_all(dir);
    return out;
}

int run(request const& q) {
    auto const brokers = specs(q);
    auto const wanted = chosen(q);
    certificates const certs(certificates_needed(q, wanted));
    auto const root = (std::filesystem::temp_directory_path() / fmt::format("airmail-bench-{}", ::getpid())).string();
    std::vector<scenario_result> all;
    int broken = 0;
    for (auto const* s : wanted) {
        scenario_result result{s, {}};
        for (auto const& b : brokers) result.brokers.push_back({b.name, {}});
        for (int round = 0; round < q.rounds; ++round)
            for (std::size_t i = 0; i < brokers.size(); ++i) try {
                    fmt::print(stderr, "{} round {} {}\n", s->name, round + 1, brokers[i].name);
                    result.brokers[i].rounds.push_back(one_round(q, *s, brokers[i], certs, fmt::format("{}/{}-{}-{}", root, s->name, round, brokers[i].name)));
                } catch (failure const& f) {
                    fmt::print(stderr, "airmail-bench: {} {}: {}\n", s->name, brokers[i].name, f.what());
                    ++broken;
                }
        fmt::print("{}", table(result, q.peer.empty() && brokers.size() > 1 ? brokers[1].name : q.peer));
        std::fflush(stdout);
        all.push_back(std::move(result));
    }
    if (!q.json_file.empty()) std::ofstream(q.json_file) << json(all, q.sizes, q.peer) << '\n';
    if (!q.keep) std::filesystem::remove_all(root);
    return broken ? 1 : 0;
}

/// Thousands of connections need thousands of descriptors, here and in the broker, which inherits the limit.
void raise_descriptor_limit() {
    rlimit l{};
    ::getrlimit(RLIMIT_NOFILE, &l);
    l.rlim_cur = l.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &l);
}

}

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    request q;
    airmail::command_line::program app{"The load lab: connections, throughput, latency, heartbeats and commands, against any broker."};
    app.add_option("--broker", q.brokers, "NAME=COMMAND; {port} {tls_port} {dir} {acl} {conf} are filled in; repeatable, measured in turn").required();
    app.add_option("--config", q.configs, "NAME=FILE: configuration template of a broker, written to {conf}; {base} is Mosquitto's syntax");
    app.add_option("--peer", q.peer, "the broker that ratios are to; the second by default");
    app.add_option("--scenario", q.names, "names or beginnings of names; all by default").delimiter(',');
    app.add_option("--rounds", q.rounds, "of each scenario and broker, interleaved").between(1, 100);
    app.add_option("--seconds", q.sizes.seconds, "of each throughput, rate and heartbeat measurement");
    app.add_option("--idle-plain", q.sizes.idle_plain, "connections");
    app.add_option("--idle-mtls", q.sizes.idle_mtls, "connections");
    app.add_option("--devices", q.sizes.devices, "that send heartbeats");
    app.add_option("--window", q.sizes.window, "heartbeats under way per device").between(1, 60000);
    app.add_option("--commanded", q.sizes.commanded, "devices that each get a command");
    app.add_option("--rate", q.sizes.rate, "messages a second in rate-*");
    app.add_flag("--mtls", q.sizes.mtls, "devices of heartbeats and commands use TLS 1.3 with client certificates");
    app.add_flag("!--no-watcher", q.sizes.watcher, "nobody subscribes to heartbeats: the broker's heartbeat plugin consumes them (conf/airmail-plugins.conf)");
    app.add_option("--json", q.json_file, "file for all rounds");
    app.add_flag("--threads", q.threads, "print the CPU time of each broker thread");
    app.add_flag("--keep", q.keep, "leave the brokers' folders");
    if (auto const ended = app.parse(argc, argv)) return *ended;
    raise_descriptor_limit();
    try {
        return run(q);
    } catch (std::exception const& e) {
        fmt::print(stderr, "airmail-bench: {}\n", e.what());
        return 2;
    }
}
