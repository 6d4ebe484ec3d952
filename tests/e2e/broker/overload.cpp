// What one client may cost the others: slow consumers, and a broker whose memory runs out. Ids: reference/reliability.md.

#include "tests/e2e/broker/house.hpp"

#include <fstream>

using namespace airmail::testing;
namespace client = airmail::client;

namespace {

std::size_t anonymous_bytes(pid_t pid) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(in, line);)
        if (line.starts_with("RssAnon:")) return std::stoull(line.substr(8)) * 1024;
    return 0;
}

/// The value of a series of /metrics, -1 when it is not there.
}

TEST_CASE("B24 twenty subscribers that stop reading are cut by name, memory stays bounded, and the healthy get everything") {
    broker_process d{"listener {plain} 127.0.0.1\nlistener_allow_anonymous true\nlimit_stalled_writer 2s\nlimit_output_pause 256KiB\nlimit_queue_size 512KiB\n"};
    up(d);
    std::vector<std::unique_ptr<blocking_client>> stuck;
    for (int i = 0; i < 20; ++i) {
        stuck.push_back(std::make_unique<blocking_client>());
        connects(*stuck.back(), plain_options(d, "stuck-" + std::to_string(i)));
        REQUIRE(stuck.back()->subscribe("flood/#", i % 2).has_value());
    }
    blocking_client healthy, publisher;
    connects(healthy, plain_options(d, "healthy"));
    connects(publisher, plain_options(d, "publisher"));
    REQUIRE(healthy.subscribe("flood/#", 1).has_value());
    auto const before = anonymous_bytes(d.pid());
    // 40 MB for each of them. Between calls these clients read nothing.
    std::string const payload(4096, 'x');
    std::size_t most = 0;
    int got = 0;
    for (int batch = 0; batch < 200; ++batch) {
        auto const topic = "flood/" + std::to_string(batch);  // named: a publication only views it
        for (int i = 0; i < 50; ++i) {
            client::publication const p{.topic = topic, .payload = payload, .qos = static_cast<std::uint8_t>(i == 49)};
            auto const sent = publisher.publish(p);
            REQUIRE_MESSAGE(sent.has_value(), "batch " << batch << " message " << i << ": " << (sent ? "" : sent.error().message()) << ", "
                                                       << (publisher.closed() ? publisher.closed()->detail : "") << "\n" << d.said());
        }
        for (int i = 0; i < 50; ++i) got += healthy.receive().has_value();
        most = std::max(most, anonymous_bytes(d.pid()));
    }
    CHECK(got == 10'000);
    // 256 KiB of output and 512 KiB of queue each, and the allocator's share.
    CHECK(most < before + 20 * (1 << 20) + (32 << 20));
    CHECK(eventually([&] { return d.metric("airmail_net_cut_total{cause=\"stalled\"}") == 20; }));
    for (int i = 0; i < 20; ++i) CHECK_MESSAGE(d.says("stuck-" + std::to_string(i)), "nobody named stuck-" << i);
    CHECK(d.metric("airmail_router_deliveries_dropped_total{cause=\"slow\"}") > 0);
    REQUIRE(publisher.publish({.topic = "flood/end", .payload = "end", .qos = 1}).has_value());
    receives_only(healthy, "flood/end", "end");
    CHECK(d.stop() == 0);
}

TEST_CASE("B28 at three quarters of its memory limit the broker takes nobody new, keeps those it has, and says so") {
    std::string const listener = "listener {plain} 127.0.0.1\nlistener_allow_anonymous true\n";
    broker_process d{listener};
    up(d);
    auto const limit = anonymous_bytes(d.pid()) * 100 / 77;
    {
        blocking_client c;
        connects(c, plain_options(d, "before"));
        d.configure("memory_limit " + std::to_string(limit) + "\n" + listener);
        d.reload();
        CHECK(eventually([&] { return d.metric("airmail_net_memory_level") == 1; }));
        blocking_client late;
        CHECK_FALSE(late.connect(plain_options(d, "late")).has_value());
        CHECK(d.metric("airmail_net_refused_total{cause=\"memory\"}") >= 1);
        CHECK(c.publish({.topic = "t", .payload = "still here", .qos = 1}).has_value());
        CHECK(d.says("memory runs out"));
    }
    d.configure("memory_limit 0\n" + listener);
    d.reload();
    CHECK(eventually([&] { return d.metric("airmail_net_memory_level") == 0; }));
    blocking_client again;
    connects(again, plain_options(d, "again"));
    CHECK(d.stop() == 0);
}

TEST_CASE("B28 at nine tenths of its memory limit the longest queue that no disk has loses its newest messages, the others keep theirs, and the log names it") {
    std::string const listener = "store_durability memory\nlimit_queue_messages 0\nlimit_queue_size 128MiB\nlistener {plain} 127.0.0.1\nlistener_allow_anonymous true\n";
    broker_process d{listener};
    up(d);
    for (auto const* who : {"longest", "modest"}) {
        blocking_client c;
        connects(c, plain_options(d, who, false));
        REQUIRE(c.subscribe(who, 1).has_value());
        c.disconnect();
    }
    blocking_client from;
    connects(from, plain_options(d, "from"));
    constexpr int many = 3000;
    for (int i = 0; i < many; ++i) {
        auto const payload = std::to_string(i) + " " + std::string(16'000, 'x');
        REQUIRE(from.publish({.topic = "longest", .payload = payload, .qos = 1}) == reason::success);
    }
    for (int i = 0; i < 20; ++i) REQUIRE(from.publish({.topic = "modest", .payload = "small", .qos = 1}) == reason::success);
    d.configure("memory_limit " + std::to_string(anonymous_bytes(d.pid()) * 100 / 90) + "\n" + listener);
    d.reload();
    CHECK(eventually([&] { return d.metric("airmail_router_deliveries_dropped_total{cause=\"memory\"}") > 0; }));
    CHECK(d.says("longest=longest"));
    CHECK(eventually([&] { return d.metric("airmail_net_memory_level") < 2; }));
    auto const gone = static_cast<int>(d.metric("airmail_router_deliveries_dropped_total{cause=\"memory\"}"));
    CHECK(gone < many);
    d.configure("memory_limit 0\n" + listener);
    d.reload();
    REQUIRE(eventually([&] { return d.metric("airmail_net_memory_level") == 0; }));
    blocking_client longest, modest;
    connects(longest, plain_options(d, "longest", false)), connects(modest, plain_options(d, "modest", false));
    for (int i = 0; i < many - gone; ++i) {
        auto const m = longest.receive();
        REQUIRE_MESSAGE(m.has_value(), i << " of " << many - gone << " came");
        CHECK(m->payload.starts_with(std::to_string(i) + " "));
    }
    for (int i = 0; i < 20; ++i) CHECK(modest.receive().has_value());
    CHECK(d.stop() == 0);
}
