#include "broker/net/front_door.hpp"

#include "broker/net/counters.hpp"
#include "tests/unit/net/rig.hpp"

#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::net;
using test::client;
using test::rig;

namespace {

endpoint v4(std::uint8_t last) { return {.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, last}}; }
endpoint v6(std::uint8_t subnet, std::uint8_t last) { return {.address = {0x20, 1, 0xD, 0xB8, 0, 0, 0, subnet, 0, 0, 0, 0, 0, 0, 0, last}}; }
endpoint const here{.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127, 0, 0, 1}};

bytes login_packet(std::string_view id, std::string_view user) {
    bytes b;
    codec::encode(b, codec::connect_view{.client_id = id, .user_name = user});
    return b;
}

/// The user property retry_after_s of a CONNACK with this reason; 0 when it is another packet.
int retry_after(client& c, codec::reason wanted) {
    auto const head = c.read(4);
    if (head.size() < 4 || head[0] != 0x20 || head[3] != static_cast<std::uint8_t>(wanted)) return 0;
    auto const rest = c.read(head[1] - 2U);
    std::string const text(rest.begin(), rest.end());
    auto const at = text.find("retry_after_s");
    return at == text.npos ? 0 : std::stoi(text.substr(at + 15));
}

}

TEST_CASE("C11 failed logins: at the bound one more try, beyond it a wait that doubles, and quiet is forgotten") {
    back_off b;
    back_off_policy const p{.tries = 10, .window = 60'000, .first = 60'000, .most = 200'000};
    std::int64_t t = 0;
    for (int i = 1; i < 10; ++i) CHECK(b.count("a", p, t) == 0);
    CHECK(b.wait("a", t) == 0);
    CHECK(b.count("a", p, t) == 60'000);
    CHECK(b.wait("a", t) == 60'000);
    CHECK(b.wait("a", t += 59'999) == 1);
    CHECK(b.wait("a", t += 1) == 0);
    CHECK(b.count("a", p, t) == 120'000);
    CHECK(b.count("a", p, t += 120'000) == 200'000);
    CHECK(b.count("a", p, t += 200'000) == 200'000);
    CHECK(b.wait("b", t) == 0);
    CHECK(b.count("a", p, t += 400'000) == 0);
}

TEST_CASE("C11 failures that are spread over more than the window never add up; success forgives") {
    back_off b;
    back_off_policy const p{.tries = 3, .window = 1000, .first = 1000, .most = 1000};
    for (int i = 0; i < 100; ++i) CHECK(b.count("slow", p, i * 600) == 0);
    CHECK(b.count("good", p, 0) == 0);
    CHECK(b.count("good", p, 0) == 0);
    b.forgive("good");
    CHECK(b.count("good", p, 0) == 0);
    CHECK(b.count("none", {.tries = 0}, 0) == 0);
    CHECK(b.size() == 2);
}

TEST_CASE("a flood of names does not become memory, and what has passed makes room") {
    back_off b{100};
    back_off_policy const p{.tries = 1, .window = 10, .first = 10, .most = 10};
    auto const full = count::back_off_full.value();
    for (int i = 0; i < 100; ++i) CHECK(b.count("n" + std::to_string(i), p, 0) == 10);
    CHECK(b.count("one more", p, 5) == 0);
    CHECK(b.size() == 100);
    CHECK(count::back_off_full.value() == full + 1);
    CHECK(b.count("later", p, 2000) == 10);
    CHECK(b.size() == 1);
}

TEST_CASE("B20 an address has its burst and then its rate; a /64 is one address, loopback has none") {
    front_door d;
    d.set({.address_rate = 10, .address_burst = 3});
    using answer = front_door::answer;
    for (int i = 0; i < 3; ++i) CHECK(d.admit(v4(1), false, 0) == answer::welcome);
    CHECK(d.admit(v4(1), false, 0) == answer::rate);
    CHECK(d.admit(v4(1), false, 99) == answer::rate);
    CHECK(d.admit(v4(1), false, 100) == answer::welcome);
    CHECK(d.admit(v4(1), false, 100) == answer::rate);
    CHECK(d.admit(v4(2), false, 100) == answer::welcome);
    for (std::uint8_t i = 0; i < 3; ++i) CHECK(d.admit(v6(1, i), false, 0) == answer::welcome);
    CHECK(d.admit(v6(1, 9), false, 0) == answer::rate);
    CHECK(d.admit(v6(2, 9), false, 0) == answer::welcome);
    for (int i = 0; i < 100; ++i) CHECK(d.admit(here, false, 0) == answer::welcome);
}

TEST_CASE("C11 an address whose guesses fail waits, loopback too; where certificates decide it does not") {
    front_door d;
    d.set({.login = {.tries = 2, .window = 1000, .first = 1000, .most = 1000}});
    using answer = front_door::answer;
    d.failed(here, {.client = "x", .user = "u"}, 0);
    CHECK(d.admit(here, true, 0) == answer::welcome);
    d.failed(here, {.client = "y", .user = "u"}, 0);
    CHECK(d.admit(here, true, 999) == answer::held);
    CHECK(d.admit(here, false, 999) == answer::welcome);
    CHECK(d.admit(v4(1), true, 999) == answer::welcome);
    CHECK(d.wait({.client = "z", .user = "u"}, 999) == 1);  // the user's name is held off wherever it comes from
    CHECK(d.wait({.client = "z", .user = "w"}, 999) == 0);
    CHECK(d.admit(here, true, 1000) == answer::welcome);
}

TEST_CASE("C11 whoever guesses is refused before it is read, and a held user is told when to come again") {
    rig r{1, {.front = {.login = {.tries = 3, .window = 60'000, .first = 60'000, .most = 60'000}}}};
    r.listen();
    r.start();
    auto const held = count::refused_held_off.value();
    for (int i = 0; i < 3; ++i) {
        client c{r.port};
        c.send(login_packet("refused" + std::to_string(i), "root"));
        CHECK(c.read(5).size() == 5);
    }
    client fourth{r.port};
    CHECK(fourth.closed());
    CHECK(count::refused_held_off.value() == held + 1);
}

TEST_CASE("B18 a client that flaps is welcome up to the bound, then held off and told for how long; others are not") {
    rig r{2};
    listener_limits limits;
    limits.flapping = {.tries = 3, .window = 60'000, .first = 20'000, .most = 60'000};
    r.listen({.limits = limits});
    r.start();
    auto const held = count::held_off_flapping.value();
    for (int i = 0; i < 3; ++i) {
        client c{r.port};
        REQUIRE(c.login("flapper"));
    }
    client fourth{r.port};
    fourth.send(client::connect_packet("flapper"));
    auto const wait = retry_after(fourth, codec::reason::connection_rate_exceeded);
    CHECK(wait >= 19);
    CHECK(wait <= 32);
    CHECK(count::held_off_flapping.value() == held + 1);
    client old{r.port};
    old.send(client::connect_packet("flapper", codec::version::v311));
    CHECK(old.read(4) == bytes{0x20, 2, 0, 3});
    client other{r.port};
    CHECK(other.login("calm"));
}

TEST_CASE("B28 memory: nobody new from 70 % on, the largest outputs are cut from 85 % on, and a level is not left at its mark") {
    std::uint64_t used = 0;
    memory_watch w{{.bytes = 1000, .refuse = 70, .shed = 85}, [&] { return used; }};
    REQUIRE(w.limit() == 1000);
    auto const at = [&](std::uint64_t n) { return used = n, w.look(); };
    CHECK(at(699) == memory_level::plenty);
    CHECK(at(700) == memory_level::refuse);
    CHECK(at(650) == memory_level::refuse);
    CHECK(at(649) == memory_level::plenty);
    CHECK(at(849) == memory_level::refuse);
    CHECK(at(850) == memory_level::shed);
    CHECK(at(800) == memory_level::shed);
    CHECK(at(799) == memory_level::refuse);
    front_door d;
    d.set(memory_level::refuse);
    CHECK(d.admit(here, false, 0) == front_door::answer::memory);
    CHECK(memory_available() > 0);
    memory_watch mine{memory_limits{}};
    mine.look();
    CHECK(mine.used() > 1 << 20);
    CHECK(mine.used() < mine.limit());
}

TEST_CASE("B28 shedding cuts those for whom most waits and leaves the others") {
    rig r;
    r.rules->output_cut_bytes = 64 << 20;
    r.listen();
    r.start();
    r.on(0).on_packet = [&](handlers::peer& from, codec::frame const& f) {
        if (f.type != codec::packet_type::pingreq) return true;
        if (r.on(0).names[&from] == "greedy") from.out().resize(from.out().size() + (4 << 20));
        else codec::encode_pingresp(from.out());
        return true;
    };
    client greedy{r.port}, modest{r.port};
    REQUIRE(greedy.login("greedy"));
    REQUIRE(modest.login("modest"));
    greedy.send({0xC0, 0});
    REQUIRE(r.until(0, [&] { return r.on(0).peers.at("greedy")->out_bytes() > 1 << 20; }));
    auto const cut = count::cut_memory.value();
    r.on_shard(0, [&] { r.network->at(0).shed(); });
    CHECK(r.until(0, [&] { return r.on(0).peers.count("greedy") == 0; }));
    CHECK(count::cut_memory.value() == cut + 1);
    CHECK(r.on(0).sheds == 1);   // queues are the sessions' affair
    CHECK(modest.ping());
}
