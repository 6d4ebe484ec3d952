#include "tests/support/scripted_server.hpp"

#include "tools/client/blocking_client.hpp"

#include <doctest/doctest.h>
#include <malloc.h>

using namespace airmail;
using namespace airmail::client;
using namespace std::chrono_literals;
using airmail::test::scripted_server;
using airmail::test::step;
using codec::reason;

namespace {

constexpr auto hello = "10[<MQTT> 05 02 003C [] <c>]";
constexpr auto welcome = "20[00 00 []]";

connect_options to(scripted_server const& s) {
    connect_options o;
    o.port = s.port();
    o.client_id = "c";
    return o;
}

}

TEST_CASE("QoS 2 is delivered once, however often the server says it [MQTT-4.3.3-10]") {
    scripted_server s{{{step::accept}, {step::expect, hello}, {step::send, welcome}, {step::send, "34[<t> 0005 [] 'one'] 3C[<t> 0005 [] 'one'] 34[<t> 0006 [] 'two']"},
                       {step::expect, "50[0005] 50[0005] 50[0006]"}, {step::send, "62[0005] 62[0006]"}, {step::expect, "70[0005] 70[0006]"},
                       {step::expect, "E0[]"}, {step::close}}};
    blocking_client c;
    REQUIRE(c.connect(to(s)).has_value());
    CHECK(c.receive()->payload == "one");
    CHECK(c.receive()->payload == "two");
    c.receive(50ms);
    CHECK(c.waiting() == 0);
    CHECK(!c.disconnect());
    CHECK(s.wait() == "");
}

TEST_CASE("what was in flight is sent again on a resumed session, with its id and DUP, and PUBREL where it was due [MQTT-4.4.0-1] [MQTT-3.3.1-1]") {
    auto const again = "10[<MQTT> 05 00 003C [11 0000012C] <c>]";
    scripted_server s{{{step::accept}, {step::expect, again}, {step::send, welcome}, {step::expect, "32[<a> 0001 [] 'x'] 34[<b> 0002 [] 'y']"},
                       {step::send, "50[0002]"}, {step::expect, "62[0002]"}, {step::close},
                       {step::accept}, {step::expect, again}, {step::send, "20[01 00 []]"}, {step::expect, "3A[<a> 0001 [] 'x'] 62[0002]"},
                       {step::send, "40[0001] 70[0002]"}, {step::expect, "E0[]"}, {step::close}}};
    blocking_client c;
    auto o = to(s);
    o.clean_start = false;
    o.session_expiry = 300;
    REQUIRE(c.connect(o).has_value());
    REQUIRE(*c.async().publish({.topic = "a", .payload = "x", .qos = 1}) == 1);
    REQUIRE(*c.async().publish({.topic = "b", .payload = "y", .qos = 2}) == 2);
    REQUIRE(c.wait_closed().has_value());
    CHECK(c.async().unanswered() == 2);
    REQUIRE(c.connect(o).has_value());
    c.receive(50ms);
    CHECK(c.async().unanswered() == 0);
    CHECK(!c.disconnect());
    CHECK(s.wait() == "");
}

TEST_CASE("without a session on the server what was in flight is counted as lost [MQTT-3.2.2-5]") {
    auto const again = "10[<MQTT> 05 00 003C [] <c>]";
    scripted_server s{{{step::accept}, {step::expect, again}, {step::send, welcome}, {step::expect, "32[<a> 0001 [] 'x']"}, {step::close},
                       {step::accept}, {step::expect, again}, {step::send, welcome}, {step::expect, "32[<a> 0002 [] 'z']"}, {step::send, "40[0002]"}, {step::close}}};
    blocking_client c;
    auto o = to(s);
    o.clean_start = false;
    REQUIRE(c.connect(o).has_value());
    REQUIRE(c.async().publish({.topic = "a", .payload = "x", .qos = 1}).has_value());
    REQUIRE(c.wait_closed().has_value());
    REQUIRE(c.connect(o).has_value());
    CHECK(c.async().counted().lost == 1);
    CHECK(c.publish({.topic = "a", .payload = "z", .qos = 1}).has_value());
    c.drop();
    CHECK(s.wait() == "");
}

TEST_CASE("the server's reasons reach the caller") {
    SUBCASE("a refusal") {
        scripted_server s{{{step::accept}, {step::expect, hello}, {step::send, "20[00 87 [1F <who?>]]"}, {step::close}}};
        blocking_client c;
        CHECK(c.connect(to(s)).error() == make_error_code(errc::refused));
        CHECK(c.closed()->code == reason::not_authorized);
        CHECK(c.closed()->detail == "who?");
    }
    SUBCASE("a DISCONNECT") {
        scripted_server s{{{step::accept}, {step::expect, hello}, {step::send, welcome}, {step::send, "E0[8E]"}, {step::close}}};
        blocking_client c;
        REQUIRE(c.connect(to(s)).has_value());
        auto const why = c.wait_closed();
        CHECK(why->error == make_error_code(errc::disconnected));
        CHECK(why->code == reason::session_taken_over);
    }
    SUBCASE("nonsense") {
        for (auto bad : {"36[<a> 0001 []]", "C0[]", "30 8080808001", "30[<a> [23 0001]]", "20[00 00 []]", "F0[]", "90[0009 [] 00]"}) {
            scripted_server s{{{step::accept}, {step::expect, hello}, {step::send, welcome}, {step::send, bad}, {step::close}}};
            blocking_client c;
            REQUIRE(c.connect(to(s)).has_value());
            CHECK_MESSAGE(c.wait_closed()->error == make_error_code(errc::protocol_violation), bad);
        }
    }
    SUBCASE("silence, then the end") {
        scripted_server s{{{step::accept}, {step::expect, hello}, {step::close}}};
        blocking_client c;
        CHECK(c.connect(to(s)).error() == make_error_code(errc::connection_closed));
    }
}

TEST_CASE("aliases of the server stand for their topics, up to our maximum [MQTT-3.3.2-11]") {
    scripted_server s{{{step::accept}, {step::expect, "10[<MQTT> 05 02 003C [22 0002] <c>]"}, {step::send, welcome},
                       {step::send, "30[<long/topic> [23 0001] '1'] 30[<> [23 0001] '2'] 30[<x> [23 0001] '3'] 30[<> [23 0001] '4'] 30[<> [23 0002] '5']"}, {step::close}}};
    blocking_client c;
    auto o = to(s);
    o.topic_alias_maximum = 2;
    REQUIRE(c.connect(o).has_value());
    for (auto topic : {"long/topic", "long/topic", "x", "x"}) CHECK(c.receive()->topic == topic);
    CHECK(c.wait_closed()->code == reason::protocol_error);
}

TEST_CASE("packets are put together however they are cut") {
    std::vector<step> script{{step::accept}, {step::expect, hello}, {step::send, welcome}};
    for (auto byte : test::packet("30[<a/b> [26 <k> <v>] 'payload'] 30[<c> [] '']")) {
        std::string hex;
        (hex += "0123456789ABCDEF"[byte >> 4]) += "0123456789ABCDEF"[byte & 15];
        script.push_back({step::send, hex});
    }
    script.push_back({step::close});
    scripted_server s{script};
    blocking_client c;
    REQUIRE(c.connect(to(s)).has_value());
    CHECK(c.receive()->payload == "payload");
    CHECK(c.receive()->topic == "c");
}

TEST_CASE("the queue has a bound, and what it refuses is counted") {
    scripted_server s{{{step::accept}, {step::expect, hello}, {step::send, welcome}, {step::close}}};
    blocking_client c;
    auto o = to(s);
    o.queue_bytes_max = 10'000;
    REQUIRE(c.connect(o).has_value());
    std::string const kilobyte(1000, 'k');
    int taken = 0;
    for (int i = 0; i < 100; ++i) taken += c.async().publish({.topic = "t", .payload = kilobyte}).has_value();
    CHECK(taken == 9);
    CHECK(c.async().counted().dropped == 91);
    CHECK(c.async().queued_bytes() <= 10'000);
    CHECK(c.async().publish({.topic = "t/#", .payload = "x"}).error() == make_error_code(errc::invalid_argument));
    CHECK(c.async().publish({.topic = "", .payload = "x"}).error() == make_error_code(errc::invalid_argument));
    c.drop();
}

TEST_CASE("a server that never answers is given up at the deadline, a dead connection at the ping") {
    scripted_server s{{{step::accept}, {step::close}}};
    boost::asio::io_context io{1};
    std::vector<close_info> closed;
    bool online = false;
    handlers h;
    h.on_closed = [&](client::client&, close_info const& why) { closed.push_back(why); };
    h.on_connack = [&](client::client&, codec::connack_view const&) { online = true; };
    auto const c = client::client::make(io, std::make_shared<handlers const>(h));
    auto o = to(s);
    o.own_timer = false;

    REQUIRE(!c->connect(o));
    CHECK(c->connect(o) == make_error_code(errc::already_connected));
    c->tick(c->began() + 11s);  // before anything came
    REQUIRE(closed.size() == 1);
    CHECK(closed[0].error == make_error_code(errc::connect_timeout));
    io.restart();
    io.poll();
    {
        scripted_server silent{{{step::accept}, {step::expect, hello}, {step::send, welcome}, {step::expect, "C0[]"}}};
        o.port = silent.port();
        REQUIRE(!c->connect(o));
        while (!online) {
            io.restart();
            io.run_one();
        }
        auto const now = client::client::clock::now();
        c->tick(now);
        c->tick(now + 50s);
        io.poll();
        c->tick(now + 100s);
        REQUIRE(closed.size() == 2);
        CHECK(closed[1].error == make_error_code(errc::ping_timeout));
        io.restart();
        io.poll();
    }
}

TEST_CASE("an idle client costs less than two kilobytes") {
    constexpr std::size_t count = 100;
    std::vector<step> script;
    for (std::size_t i = 0; i < count; ++i) {
        script.insert(script.end(), {{step::accept}, {step::expect, hello}, {step::send, welcome}});
    }
    scripted_server s{script};
    boost::asio::io_context io{1};
    std::size_t online = 0;
    handlers h;
    h.on_connack = [&](client::client&, codec::connack_view const&) { ++online; };
    auto const shared = std::make_shared<handlers const>(h);
    std::vector<std::shared_ptr<client::client>> fleet(count + 1);
    auto o = to(s);
    o.own_timer = false;
    auto const join = [&](std::size_t i) {
        fleet[i] = client::client::make(io, shared);
        REQUIRE(!fleet[i]->connect(o));
        while (online <= i) {
            io.restart();
            io.run_one();
        }
    };
    join(0);  // pays for what all share
    auto const before = ::mallinfo2().uordblks;
    for (std::size_t i = 1; i < count; ++i) join(i);
    auto const each = (::mallinfo2().uordblks - before) / (count - 1);
    MESSAGE("bytes per idle client: " << each << ", of which the object: " << sizeof(client::client));
    CHECK(each < 2048);
    for (auto& c : fleet)
        if (c) c->drop();
    io.restart();
    io.poll();
}
