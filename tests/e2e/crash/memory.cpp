// B28: a control group with a MemoryMax. The broker finds the limit by itself, refuses and sheds before the kernel kills.

#include "tests/e2e/crash/lab.hpp"

#include <algorithm>

using namespace airmail::testing;

namespace {

/// A group of its own with a limit, version 1 or 2, whichever is mounted. Empty path: not permitted here.
class memory_group {
public:
    explicit memory_group(std::uint64_t bytes) {
        auto const name = "airmail-test-" + std::to_string(::getpid());
        for (auto const& [base, file] : {std::pair<std::string, std::string>{"/sys/fs/cgroup/memory/", "memory.limit_in_bytes"}, {"/sys/fs/cgroup/", "memory.max"}}) {
            if (!std::filesystem::exists(base + "cgroup.procs")) continue;
            std::error_code ec;
            if (!std::filesystem::create_directory(base + name, ec)) continue;
            std::ofstream out(base + name + "/" + file);
            out << bytes << std::flush;
            if (out.good()) {
                path = base + name;
                return;
            }
            std::filesystem::remove(base + name, ec);
        }
    }
    ~memory_group() {
        if (path.empty()) return;
        eventually([&] { return ::rmdir(path.c_str()) == 0 || errno != EBUSY; }, 10s);
    }
    std::string path;
};

}

TEST_CASE("B28: under a control group's limit, a flood to readers that do not read is shed; nobody is killed") {
    constexpr std::uint64_t limit = 192u << 20;
    memory_group group(limit);
    if (group.path.empty()) {
        MESSAGE("skipped: no control group for memory may be made here");
        return;
    }
    // Bounds so wide that only memory is left to stop it.
    broker_process d{plain_house + "limit_output_pause 64MiB\nlimit_output_cut 64MiB\nlimit_connections_per_address 0\n"};
    d.run_under({"/bin/sh", "-c", "echo $$ > " + group.path + "/cgroup.procs; exec \"$@\"", "sh"});
    up(d);
    std::vector<std::unique_ptr<blocking_client>> stuck;
    for (int i = 0; i < 40; ++i) {
        stuck.push_back(std::make_unique<blocking_client>());
        connects(*stuck.back(), plain_options(d, "stuck-" + std::to_string(i)));
        REQUIRE(stuck.back()->subscribe("flood", 0).has_value());
    }
    blocking_client publisher;
    connects(publisher, plain_options(d, "publisher"));
    std::string const payload(1'000, 'x');   // small ones are copied for each reader
    bool shed = false;
    // 40 readers x 15 MB: three times the limit, when nobody is cut.
    for (int i = 0; i < 15'000 && d.alive() && !shed; ++i) {
        if (!publisher.publish({.topic = "flood", .payload = payload, .qos = static_cast<std::uint8_t>(i % 100 == 99)})) break;
        if (i % 500 == 499) shed = shed || d.metric("airmail_net_cut_total{cause=\"memory\"}") > 0;
    }
    CHECK(d.alive());
    CHECK(eventually([&] { return shed || d.metric("airmail_net_cut_total{cause=\"memory\"}") > 0; }, 10s));
    CHECK(d.says("memory runs out"));
    stuck.clear();
    CHECK(eventually([&] { return d.metric("airmail_net_memory_level") == 0; }));
    blocking_client again;
    connects(again, plain_options(d, "again"));
    CHECK(d.stop() == 0);
}
