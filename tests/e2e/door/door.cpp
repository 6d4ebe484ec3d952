// How those are told who are sent away, and what the door makes of odd names and odd clocks.

#include "tests/e2e/broker/house.hpp"

#include <set>

using namespace airmail::testing;
namespace client = airmail::client;

namespace {

std::string const plain = "listener {plain} 127.0.0.1\nallow_anonymous true\n";

std::string faketime_library() {
    for (auto const* p : {"/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"})
        if (std::filesystem::exists(p)) return p;
    return {};
}

}

TEST_CASE("a stop tells each MQTT 5 client when to come back: not before retry_after_s, each its own time, the same one each time") {
    broker_process d{plain + "airmail_retry_after 20s\n"};
    auto const told = [&](char const* prefix) {
        std::vector<std::unique_ptr<blocking_client>> all;
        std::map<std::string, std::chrono::seconds> waits;
        for (int i = 0; i < 20; ++i) connects(*all.emplace_back(std::make_unique<blocking_client>()), plain_options(d, prefix + std::to_string(i)));
        d.signal(SIGTERM);
        for (int i = 0; i < 20; ++i) {
            auto const end = all[static_cast<std::size_t>(i)]->wait_closed();
            REQUIRE(end.has_value());
            CHECK(end->code == reason::server_shutting_down);
            CHECK(end->retry_after >= 20s);
            CHECK(end->retry_after <= 40s);
            waits[std::to_string(i)] = end->retry_after;
        }
        CHECK(d.stop() == 0);
        return waits;
    };
    up(d);
    auto const first = told("client-");
    std::set<std::chrono::seconds> different;
    for (auto const& [who, wait] : first) different.insert(wait);
    CHECK(different.size() >= 8);   // twenty clients over twenty-one seconds
    up(d);
    CHECK(told("client-") == first);
}

TEST_CASE("a refusal that passes says when to come back, one that does not says nothing") {
    broker_process d{plain + "global_max_clients 1\n"};
    up(d);
    blocking_client first, second, third;
    connects(first, plain_options(d, "first", false));
    CHECK_FALSE(second.connect(plain_options(d, "second", false)).has_value());
    REQUIRE(second.closed());
    CHECK(second.closed()->code == reason::quota_exceeded);
    CHECK(second.closed()->retry_after >= 10s);
    CHECK(second.closed()->retry_after <= 20s);
    CHECK_FALSE(third.connect(plain_options(d, "not\x01valid")).has_value());
    if (third.closed()) CHECK(third.closed()->retry_after == 0s);
}

TEST_CASE("a start that fails when threads run already ends in one line and an exit code") {
    auto const& f = fleet::get().ours;
    broker_process d{fleet::get().device_listener() + "http_certfile " + f.server().certificate + "\nhttp_keyfile " + f.server().key + "\nhttp_port {https}\n"};
    std::filesystem::create_directories(d.dir() / "data/dashboard.key");   // where a file should be: the dashboard, begun last, cannot start
    auto const end = d.try_start();
    INFO(end.text);
    CHECK(end.code == 74);
    CHECK(end.text.find("dashboard") != end.text.npos);
    CHECK(end.text.find("terminate called") == end.text.npos);
    // Nothing of it is left behind.
    std::filesystem::remove_all(d.dir() / "data/dashboard.key");
    up(d);
}

TEST_CASE("A15: a server name with control characters opens no other door and writes no line of its own into the log") {
    broker_process d{fleet::get().device_listener()};
    up(d);
    for (std::string const name : {"evil\r\n2026-01-01 error forged", "\x1b[2J", "\xe2\x80\xae txt.exe"}) {
        auto const own = fleet::get().ours.device("sn-1");
        auto o = device_options(d, "sn-1");
        o.tls = *client::tls_context::make({.ca = fleet::get().ours.ca_file(), .certificate = own.certificate, .key = own.key, .verify = false});
        o.server_name = name;
        blocking_client c;
        (void)c.connect(o);   // served or refused; the name decides nothing
    }
    blocking_client c;
    connects(c, device_options(d, "sn-1"));
    CHECK(d.stop() == 0);   // the log is whole
    for (std::string const word : {"forged", "\x1b", "\xe2\x80\xae"}) CHECK_MESSAGE(d.said().find(word) == std::string::npos, d.said());
}

TEST_CASE("D16: with a clock that was never set nobody comes in by mistake, the log says why, and nothing is lost when it is set") {
    if (faketime_library().empty()) {
        MESSAGE("skipped: libfaketime is not installed");
        return;
    }
    broker_process d{fleet::get().device_listener()};
    up(d);
    blocking_client before;
    connects(before, device_options(d, "sn-1"));
    before.drop();
    CHECK(d.stop() == 0);
    d.run_under({"/usr/bin/env", "LD_PRELOAD=" + faketime_library(), "ASAN_OPTIONS=verify_asan_link_order=0", "DONT_FAKE_MONOTONIC=1", "FAKETIME=@1970-01-02 00:00:00"});
    up(d);
    blocking_client c;
    CHECK_FALSE(c.connect(device_options(d, "sn-1")).has_value());
    CHECK(d.says("the clock is before the server's certificate"));
    CHECK(d.says("certificate is not yet valid"));
    CHECK(d.stop() == 0);
    d.run_under({});
    up(d);
    blocking_client after;
    connects(after, device_options(d, "sn-1"));
    CHECK(after.connack()->session_present);
}

TEST_CASE("B29: a client that is refused thousands of times writes a few lines, the rest are counted") {
    broker_process d{"shard_count 2\n" + fleet::get().device_listener()};
    up(d);
    blocking_client c;
    connects(c, device_options(d, "sn-1"));
    constexpr int tries = 3000;
    auto const begin = std::chrono::steady_clock::now();
    for (int i = 0; i < tries; ++i) REQUIRE(c.publish({.topic = "devices/sn-2/status", .payload = "x", .qos = 1}) == reason::not_authorized);
    auto const seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin).count() + 2;
    std::size_t lines = 0;
    // The log is written by a thread of its own: in the end every refusal is a line or counted.
    CHECK(eventually([&] {
        auto const text = d.said();
        lines = 0;
        for (std::size_t at = 0; (at = text.find("publish refused by the rules", at)) != text.npos; ++at) ++lines;
        return d.get("/metrics").text.find("airmail_log_lines_spared_total " + std::to_string(tries - static_cast<int>(lines)) + "\n") != std::string::npos;
    }, 10s));
    CHECK(lines >= 1);
    CHECK(lines <= static_cast<std::size_t>(2 * 20 * seconds));   // its shard is run by either thread
}
