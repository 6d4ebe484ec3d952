#include "broker/net/connection.hpp"

#include "broker/net/counters.hpp"
#include "tests/unit/net/rig.hpp"

#include <doctest/doctest.h>
#include <malloc.h>

using namespace airmail;
using namespace airmail::net;
using test::client;
using test::rig;

TEST_CASE("a client connects, is answered, and gone is told exactly once") {
    rig r;
    r.listen();
    r.start();
    {
        client c{r.port};
        REQUIRE(c.login("one"));
        CHECK(c.ping());
        CHECK(r.on_shard(0, [&] { return r.on(0).peers.at("one")->address().starts_with("127.0.0.1:"); }));
    }
    CHECK(r.until(0, [&] { return r.network->at(0).connections() == 0; }));
    CHECK(r.on_shard(0, [&] { return r.on(0).gones; }) == 1);
    CHECK(r.on_shard(0, [&] { return r.network->doors().connections(); }) == 0);
    client again{r.port};
    REQUIRE(again.login("two"));
    CHECK(again.send({0xE0, 0}));
    CHECK(again.closed());
    CHECK(r.until(0, [&] { return r.on(0).gones == 2; }));
}

TEST_CASE("a connection moves to the shard of its session, and the bytes after CONNECT move with it") {
    rig r{3};
    r.listen();
    r.start();
    std::vector<std::unique_ptr<client>> clients;
    for (int i = 0; i < 30; ++i) {
        auto id = "device-" + std::to_string(i);
        auto& c = *clients.emplace_back(std::make_unique<client>(r.port));
        auto first = client::connect_packet(id);
        first.insert(first.end(), {0xC0, 0, 0xC0, 0, 0xC0});  // two pings and half of a third, in one segment
        REQUIRE(c.send(first));
        CHECK(c.read(9) == bytes{0x20, 3, 0, 0, 0, 0xD0, 0, 0xD0, 0});
        REQUIRE(c.send({0}));
        CHECK(c.read(2) == bytes{0xD0, 0});
        auto const home = static_cast<unsigned>(test::test_hash({.client_id = id}) % 3);
        CHECK(r.on_shard(home, [&] { return r.on(home).peers.contains(id); }));
    }
}

TEST_CASE("a client without a name gets one before it moves [MQTT-3.1.3-6]") {
    rig r{2};
    r.listen();
    r.start();
    client c{r.port};
    REQUIRE(c.login(""));
    auto const home = static_cast<unsigned>(test::test_hash({.client_id = "am-assigned"}) % 2);
    CHECK(r.on_shard(home, [&] { return r.on(home).peers.contains("am-assigned"); }));
}

TEST_CASE("what is not a CONNECT gets no answer, a CONNECT of another version its refusal [MQTT-3.1.0-1]") {
    rig r;
    r.listen();
    r.start();
    client http{r.port};
    REQUIRE(http.send(as_bytes("GET / HTTP/1.1\r\n\r\n")));
    CHECK(http.closed());
    client ping{r.port};
    REQUIRE(ping.send({0xC0, 0}));
    CHECK(ping.closed());
    client huge{r.port};
    REQUIRE(huge.send({0x10, 0xFF, 0xFF, 0xFF, 0x7F}));
    CHECK(huge.closed());
    client future{r.port};
    auto b = client::connect_packet("x");
    b[8] = 6;
    REQUIRE(future.send(b));
    auto const answer = future.read(4);
    REQUIRE(answer.size() == 4);
    CHECK(answer[0] == 0x20);
    CHECK(answer[3] == 0x84);
    CHECK(r.on_shard(0, [&] { return r.on(0).connects; }) == 0);
}

TEST_CASE("B01 B02 a silent stranger is cut at the CONNECT deadline, one that drips bytes too") {
    rig r;
    r.listen({.limits = {.connect_timeout = 150}});
    r.start();
    client silent{r.port}, dripping{r.port};
    REQUIRE(dripping.send({0x10}));
    CHECK(silent.closed());
    CHECK(dripping.closed());
    CHECK(r.until(0, [&] { return r.network->at(0).newcomers() == 0; }));
}

TEST_CASE("packets after CONNECT wait for the CONNACK [MQTT-3.1.4-5]") {
    rig r;
    r.listen();
    r.start();
    client c{r.port};
    auto b = client::connect_packet("parked");
    b.insert(b.end(), {0xC0, 0});
    REQUIRE(c.send(b));
    REQUIRE(r.until(0, [&] { return r.on(0).peers.contains("parked"); }));
    CHECK(r.on_shard(0, [&] { return r.on(0).packets; }) == 0);
    r.on_shard(0, [&] { codec::encode(r.on(0).peers["parked"]->out(), codec::connack_view{}, codec::version::v5); });
    CHECK(c.read(7) == bytes{0x20, 3, 0, 0, 0, 0xD0, 0});
}

TEST_CASE("close says why to a v5 client that is logged in, and only to such [MQTT-3.14.0-1]") {
    rig r;
    r.listen();
    r.start();
    client c{r.port};
    REQUIRE(c.login("a"));
    r.on_shard(0, [&] { r.on(0).peers["a"]->close(codec::reason::session_taken_over, "by b"); });
    auto const last = c.read(100);
    REQUIRE(last.size() > 3);
    CHECK(last[0] == 0xE0);
    CHECK(last[2] == 0x8E);
    CHECK(as_text(last).ends_with("by b"));
    client refused{r.port};
    REQUIRE(refused.send(client::connect_packet("refused")));
    CHECK(refused.read(100) == bytes{0x20, 3, 0, 0x87, 0});
    client old{r.port};
    REQUIRE(old.send(client::connect_packet("old", codec::version::v311)));
    CHECK(old.read(4) == bytes{0x20, 2, 0, 0});
    r.on_shard(0, [&] { r.on(0).peers["old"]->close(codec::reason::session_taken_over, "by b"); });
    CHECK(old.closed());
    CHECK(r.until(0, [&] { return r.on(0).gones == 3; }));
}

TEST_CASE("B03 a client that is silent for too long is cut, one that pings lives [MQTT-3.1.2-22]") {
    rig r;
    r.on(0).silence_ms = 300;
    r.listen();
    r.start();
    client silent{r.port}, alive{r.port};
    REQUIRE(silent.login("silent"));
    REQUIRE(alive.login("alive"));
    for (int i = 0; i < 12; ++i) {
        ::poll(nullptr, 0, 50);
        REQUIRE(alive.ping());
    }
    auto const last = silent.read(100);
    REQUIRE(last.size() > 3);
    CHECK(last[2] == 0x8D);
    CHECK(r.on_shard(0, [&] { return r.on(0).peers.size(); }) == 1);
}

TEST_CASE("all replies of a turn leave in one write") {
    rig r;
    r.listen();
    r.start();
    client c{r.port};
    REQUIRE(c.login("a"));
    auto const before = count::writes.value();
    bytes pings;
    for (int i = 0; i < 100; ++i) pings.insert(pings.end(), {0xC0, 0});
    REQUIRE(c.send(pings));
    CHECK(c.read(200).size() == 200);
    CHECK(count::writes.value() - before <= 2);  // the kernel may have cut the 200 bytes in two
}

TEST_CASE("large packets arrive whole through many reads, and too large ones are told so") {
    rig r;
    std::size_t size = 0;
    std::uint8_t last = 0;
    r.on(0).on_packet = [&](handlers::peer& from, codec::frame const& f) {
        size = f.body.size(), last = f.body.back();
        codec::encode_pingresp(from.out());
        return true;
    };
    r.listen();
    r.start();
    client c{r.port};
    REQUIRE(c.login("a"));
    bytes packet{0x30, 0xA0, 0x8D, 0x06};  // 100,000 bytes
    packet.resize(4 + 100'000);
    packet.back() = 77;
    packet.insert(packet.end(), packet.begin(), packet.end());
    REQUIRE(c.send(packet));
    CHECK(c.read(4).size() == 4);
    CHECK(r.on_shard(0, [&] { return size; }) == 100'000);
    CHECK(last == 77);
    REQUIRE(c.send({0x30, 0xFF, 0xFF, 0x7F}));
    auto const bye = c.read(100);
    REQUIRE(bye.size() > 3);
    CHECK(bye[2] == 0x95);
}

TEST_CASE("more small packets than one turn's budget are all handled, with others in between") {
    rig r;
    r.listen();
    r.start();
    client flood{r.port}, other{r.port};
    REQUIRE(flood.login("flood"));
    REQUIRE(other.login("other"));
    bytes pings;
    for (int i = 0; i < 20'000; ++i) pings.insert(pings.end(), {0xC0, 0});
    std::thread writer{[&] { flood.send(pings); }};
    CHECK(other.ping());
    CHECK(flood.read(40'000).size() == 40'000);
    writer.join();
}

TEST_CASE("a paused peer is not read, and all it sent comes when it is resumed") {
    rig r;
    r.on(0).silence_ms = 200;  // a pause is not the peer's silence
    r.listen();
    r.start();
    client c{r.port};
    REQUIRE(c.login("a"));
    r.on_shard(0, [&] { r.on(0).peers["a"]->pause_reading(true); });
    REQUIRE(c.send({0xC0, 0, 0xC0, 0}));
    ::poll(nullptr, 0, 400);
    CHECK(r.on_shard(0, [&] { return r.on(0).packets; }) == 0);
    r.on_shard(0, [&] { r.on(0).peers["a"]->pause_reading(false); });
    CHECK(c.read(4).size() == 4);
    // Paused in the middle of a read: the rest of it is kept.
    r.on(0).on_packet = [&](handlers::peer& from, codec::frame const&) {
        codec::encode_pingresp(from.out());
        from.pause_reading(true);
        return true;
    };
    REQUIRE(c.send({0xC0, 0, 0xC0, 0, 0xC0, 0}));
    CHECK(c.read(2).size() == 2);
    for (int i = 0; i < 2; ++i) {
        r.on_shard(0, [&] { r.on(0).peers["a"]->pause_reading(false); });
        CHECK(c.read(2).size() == 2);
    }
}

TEST_CASE("B13 B24 a reader that stops is cut, by bytes at the bound and by time when it takes nothing") {
    rig r;
    SUBCASE("bytes") { r.rules->output_cut_bytes = 300'000; }
    SUBCASE("time") { r.rules->output_cut_bytes = 1 << 30; }
    bool const by_time = r.rules->output_cut_bytes == 1 << 30;
    r.listen({.limits = {.stalled_writer = by_time ? 200 : 60000}, .socket = {.send_buffer_bytes = 16384}});
    r.start();
    client slow{r.port};
    REQUIRE(slow.login("slow"));
    auto const before = by_time ? count::cut_stalled.value() : count::cut_output_overflow.value();
    for (int i = 0; i < 100 && r.on_shard(0, [&] { return r.on(0).peers.contains("slow"); }); ++i)
        r.on_shard(0, [&] {
            auto i = r.on(0).peers.find("slow");
            if (i == r.on(0).peers.end()) return;
            auto& out = i->second->out();
            out.resize(out.size() + 100'000);
        });
    CHECK(r.until(0, [&] { return r.network->at(0).connections() == 0; }));
    CHECK((by_time ? count::cut_stalled.value() : count::cut_output_overflow.value()) == before + 1);
}

TEST_CASE("shared bodies and small packets arrive in order, plain and however slowly they are read") {
    rig r;
    r.rules->output_cut_bytes = 1 << 30;
    r.listen({.socket = {.send_buffer_bytes = 8192}});
    r.start();
    client c{r.port};
    REQUIRE(c.login("a"));
    bytes payload(5000);
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<std::uint8_t>(i * 7);
    auto const body = storage::message::make({.topic = "t", .payload = payload});
    bytes expected;
    r.on_shard(0, [&] {
        auto& p = *r.on(0).peers["a"];
        for (std::uint8_t i = 0; i < 200; ++i) {
            p.out().push_back(i), expected.push_back(i);
            bytes const head{i, 1, 2};
            p.out_shared(head, body);
            expected.insert(expected.end(), head.begin(), head.end());
            expected.insert(expected.end(), payload.begin(), payload.end());
        }
    });
    CHECK(c.read(expected.size()) == expected);
    CHECK(r.until(0, [&] { return r.on(0).peers["a"]->out_bytes() == 0; }));
}

TEST_CASE("draining says goodbye to all and ends when the last has gone") {
    rig r{2};
    r.listen();
    r.start();
    std::vector<std::unique_ptr<client>> clients;
    for (int i = 0; i < 20; ++i) REQUIRE(clients.emplace_back(std::make_unique<client>(r.port))->login("c" + std::to_string(i)));
    client stranger{r.port};
    std::promise<void> done;
    r.network->stop_accepting();
    r.network->drain(codec::reason::server_shutting_down, [&] { done.set_value(); });
    for (auto& c : clients) {
        auto const last = c->read(100);
        REQUIRE(last.size() > 3);
        CHECK(last[2] == 0x8B);
        c->close();
    }
    CHECK(stranger.closed());
    CHECK(done.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready);
}

TEST_CASE("an idle plain connection costs little") {
    MESSAGE("sizeof(connection) = " << sizeof(connection));
    CHECK(sizeof(connection) <= 384);
}
