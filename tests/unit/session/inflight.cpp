#include "broker/session/inflight.hpp"

#include <doctest/doctest.h>
#include <set>
#include <string>

using namespace airmail;
using namespace airmail::session;
using what = outgoing::what;

namespace {

storage::message_ptr body(std::string const& text, std::int64_t expires = 0) {
    storage::message_fields f;
    f.qos = 2, f.topic = "t", f.expires_at_ms = expires;
    f.payload = {reinterpret_cast<std::uint8_t const*>(text.data()), text.size()};
    return storage::message::make(f);
}
entry of(std::uint8_t qos, std::string const& text = "x", bool owed = false) {
    entry e;
    e.body = body(text), e.qos = qos, e.owed_lsn = owed;
    return e;
}
queue_limits const wide{};

}

TEST_CASE("ids rise, come round, and skip those in use [MQTT-2.2.1-4]") {
    packet_ids ids;
    CHECK(ids.next([](auto) { return false; }) == 1);
    ids.resume_after(65534);
    CHECK(ids.next([](auto) { return false; }) == 65535);
    CHECK(ids.next([](auto id) { return id < 3; }) == 3);
}

TEST_CASE("no id is used twice at the same time over many turns of the circle") {
    outgoing o;
    std::vector<std::uint16_t> open;
    std::set<std::uint16_t> in_use;
    for (int i = 0; i < 200'000; ++i) {
        REQUIRE(o.push(of(1), wide));
        auto const s = o.next(100, false, 0);
        if (s.kind == what::publish) {
            REQUIRE(in_use.insert(s.e.packet_id).second);
            open.push_back(s.e.packet_id);
        }
        if (open.size() >= 50) {
            auto const at = static_cast<std::size_t>(i * 7919) % open.size();
            REQUIRE(o.acknowledged(open[at]).known);
            in_use.erase(open[at]);
            open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
        }
    }
}

TEST_CASE("Receive Maximum bounds what is in flight [MQTT-3.3.4-9]") {
    outgoing o;
    for (int i = 0; i < 5; ++i) o.push(of(1), wide);
    auto const a = o.next(2, false, 0), b = o.next(2, false, 0);
    CHECK(a.kind == what::publish);
    CHECK(b.kind == what::publish);
    CHECK(o.next(2, false, 0).kind == what::nothing);
    CHECK(o.acknowledged(b.e.packet_id).known);
    CHECK_FALSE(o.acknowledged(b.e.packet_id).known);
    CHECK(o.next(2, false, 0).kind == what::publish);
    CHECK(o.in_flight() == 2);
}

TEST_CASE("a new connection sends again in order, with DUP, then goes on [MQTT-4.4.0-1]") {
    outgoing o;
    for (int i = 0; i < 4; ++i) o.push(of(static_cast<std::uint8_t>(i == 1 ? 2 : 1), std::to_string(i)), wide);
    auto const a = o.next(3, false, 0), b = o.next(3, false, 0), c = o.next(3, false, 0);
    CHECK(o.received(b.e.packet_id).known);
    o.detach();
    auto s = o.next(3, false, 0);
    CHECK(s.dup);
    CHECK(s.e.packet_id == a.e.packet_id);
    s = o.next(3, false, 0);
    CHECK(s.kind == what::pubrel);
    CHECK(s.e.packet_id == b.e.packet_id);
    s = o.next(3, false, 0);
    CHECK(s.e.packet_id == c.e.packet_id);
    CHECK(o.next(3, false, 0).kind == what::nothing);
    CHECK(o.completed(b.e.packet_id).known);
    s = o.next(3, false, 0);
    CHECK_FALSE(s.dup);
    CHECK(s.e.body->payload()[0] == '3');
}

TEST_CASE("PUBREL of a stored delivery waits until its PUBREC is on disk, on whatever connection, and leaves once [reliability 3.3]") {
    outgoing o;
    auto e = of(2, "x");
    e.at = 77;
    o.push(std::move(e), wide);
    auto const step = o.next(9, true, 0);
    REQUIRE(step.kind == what::advance);
    REQUIRE(o.stored(step.number).kind == what::publish);
    auto const id = step.e.packet_id;
    auto const read = o.received(id, true);
    CHECK(read.waits);
    CHECK(read.at == 77);
    CHECK_FALSE(o.completed(id).known);                  // nobody has been asked for it
    SUBCASE("the same connection") {
        CHECK(o.received(id, true).waits);               // PUBREC again
        CHECK(o.released(read.number) == id);
        CHECK(o.released(read.number) == 0);
    }
    SUBCASE("another connection, which came before the disk answered") {
        o.detach();
        CHECK(o.next(9, true, 0).kind == what::nothing); // neither PUBLISH nor PUBREL
        CHECK(o.in_flight() == 1);
        CHECK(o.released(read.number) == id);
    }
    SUBCASE("no connection when the disk answers") {
        o.detach();
        CHECK(o.released(read.number) == 0);
        auto const again = o.next(9, true, 0);
        CHECK(again.kind == what::pubrel);
        CHECK(again.e.packet_id == id);
    }
    CHECK_FALSE(o.received(id, true).waits);
    CHECK(o.completed(id).known);
}

TEST_CASE("an acknowledged entry waits for its LSN and is settled then") {
    outgoing o;
    auto const n = *o.push(of(1, "x", true), wide);
    auto const s = o.next(10, true, 0);
    CHECK(o.acknowledged(s.e.packet_id).at == 0);
    CHECK(o.size() == 0);
    CHECK(o.told(n, 77, true) == 77);
    CHECK(o.told(n, 77, true) == 0);
}

TEST_CASE("QoS 2 of a stored session: LSN, then its id, then PUBLISH [reliability 3.3]") {
    outgoing o;
    auto const n = *o.push(of(2, "x", true), wide);
    CHECK(o.next(10, true, 0).kind == what::nothing);
    o.told(n, 5, true);
    auto const s = o.next(10, true, 0);
    CHECK(s.kind == what::advance);
    CHECK(s.e.at == 5);
    CHECK(o.stored(n).kind == what::publish);
    CHECK(o.stored(n).kind == what::nothing);
}

TEST_CASE("bodies on disk are let go when the client is, and fetched in pages") {
    outgoing o;
    for (int i = 0; i < 100; ++i) o.told(*o.push(of(1, "x", true), wide), 1000 + i, false);
    std::vector<storage::lsn> at;
    std::vector<std::uint32_t> numbers;
    CHECK(o.next(10, true, 0).kind == what::fetch);
    o.missing(64, at, numbers);
    REQUIRE(at.size() == 64);
    CHECK(at[63] == 1063);
    CHECK(o.body(numbers[0], body("y")));
    CHECK_FALSE(o.body(numbers[1], nullptr));  // damaged: over
    CHECK(o.next(10, true, 0).e.at == 1000);
    CHECK(o.next(10, true, 0).e.at == 1002);
}

TEST_CASE("expired ones are over before they leave, not after [MQTT-3.3.2-5] [MQTT-4.3.3-7]") {
    outgoing o;
    entry e = of(1);
    e.body = body("x", 100);
    o.push(std::move(e), wide);
    CHECK(o.next(10, false, 50).kind == what::publish);
    o.detach();
    CHECK(o.next(10, false, 150).kind == what::publish);
    entry late = of(1);
    late.body = body("x", 100);
    o.push(std::move(late), wide);
    CHECK(o.next(10, false, 150).kind == what::expired);
    CHECK(o.size() == 1);
}

TEST_CASE("the queue is bounded by count and by bytes") {
    outgoing o;
    CHECK(o.push(of(1), {2, 0}));
    CHECK(o.push(of(1), {2, 0}));
    CHECK_FALSE(o.push(of(1), {2, 0}));
    outgoing p;
    CHECK(p.push(of(1, std::string(900, 'x')), {0, 1500}));
    CHECK_FALSE(p.push(of(1, std::string(900, 'x')), {0, 1500}));
    auto const s = p.next(10, false, 0);
    p.acknowledged(s.e.packet_id);
    CHECK(p.bytes() == 0);
    CHECK(p.push(of(1, std::string(900, 'x')), {0, 1500}));
}

TEST_CASE("one that is never acknowledged does not stop the others soon, nor grow the queue for ever") {
    outgoing o;
    o.push(of(1), wide);
    o.next(10, false, 0);
    unsigned passed = 0;
    while (o.push(of(1), wide)) {
        REQUIRE(o.acknowledged(o.next(10, false, 0).e.packet_id).known);
        ++passed;
    }
    CHECK(passed == outgoing::over_max);
    CHECK(o.size() == 1);
    CHECK(o.acknowledged(1).known);
    CHECK(o.push(of(1), wide));
}

TEST_CASE("incoming QoS 2 ids") {
    incoming_ids ids;
    ids.add(5);
    CHECK(ids.find(5) == incoming_ids::known::routing);
    ids.answered(5);
    CHECK(ids.find(5) == incoming_ids::known::answered);
    CHECK(ids.remove(5));
    CHECK_FALSE(ids.remove(5));
    CHECK(ids.find(5) == incoming_ids::known::no);
}

TEST_CASE("bytes in flight are bounded, but one message may always leave") {
    outgoing o;
    for (int i = 0; i < 3; ++i) REQUIRE(o.push(of(1, std::string(1000, 'x')), wide));
    auto const first = o.next(10, false, 0, 500);   // larger than the bound by itself
    REQUIRE(first.kind == what::publish);
    CHECK(o.next(10, false, 0, 500).kind == what::nothing);
    CHECK(o.next(10, false, 0, 2500).kind == what::publish);
    CHECK(o.next(10, false, 0, 2500).kind == what::nothing);
    CHECK(o.acknowledged(first.e.packet_id).known);
    CHECK(o.next(10, false, 0, 2500).kind == what::publish);
    o.detach();
    CHECK(o.next(10, false, 0, 1).kind == what::publish);   // a new connection begins at nothing
}

TEST_CASE("QoS 0 that waited leaves in its place, without a packet id, and is over") {
    outgoing o;
    for (std::uint8_t const q : {1, 0, 1}) REQUIRE(o.push(of(q), wide));
    CHECK(o.next(1, true, 0).e.packet_id == 1);
    auto const s = o.next(1, true, 0);   // Receive Maximum counts QoS 1 and 2 only
    CHECK(s.kind == what::publish);
    CHECK(s.e.qos == 0);
    CHECK(s.e.packet_id == 0);
    CHECK(o.next(1, true, 0).kind == what::nothing);
    CHECK(o.size() == 2);
    CHECK(o.acknowledged(1).known);
    CHECK(o.next(1, true, 0).e.qos == 1);
}

TEST_CASE("cut: the newest of what only this queue has goes, whatever else lies between; new messages still fit in") {
    outgoing o;
    auto const each = std::int64_t{64} * ((static_cast<std::int64_t>(body("x")->footprint()) + 63) / 64);
    for (int i = 0; i < 20'000; ++i) REQUIRE(o.push(of(1, "x", i % 2), {.messages = 0}));
    auto const sent = o.next(1, true, 0);
    for (int i = 1; i < 20'000; i += 2) o.told(static_cast<std::uint32_t>(i), static_cast<storage::lsn>(i), false);
    CHECK(o.loose_bytes() == static_cast<std::uint64_t>(each * 9'999));
    auto const gone = o.cut(static_cast<std::uint64_t>(each * 100));
    CHECK(gone.messages == outgoing::over_max / 2);   // each left an empty entry between two that the disk has
    CHECK(gone.bytes == each * gone.messages);
    CHECK(o.loose_bytes() == static_cast<std::uint64_t>(each * (9'999 - gone.messages)));
    CHECK(o.size() == 20'000 - gone.messages);
    CHECK(o.push(of(1), {.messages = 0}));
    CHECK(o.acknowledged(sent.e.packet_id).known);
}

TEST_CASE("cut to nothing: what is in flight stays, new messages fit in again") {
    outgoing o;
    queue_limits const narrow{.messages = 10'000};
    for (int round = 0; round < 5; ++round) {
        while (o.push(of(1), narrow)) {}
        CHECK(o.size() == 10'000);
        auto const first = o.next(1, false, 0);
        if (round == 0) CHECK(first.kind == what::publish);
        CHECK(o.cut(0).messages == 9'999);
        CHECK(o.size() == 1);
        CHECK(o.in_flight() == 1);
        CHECK(o.next(1, false, 0).kind == what::nothing);
    }
}

TEST_CASE("spare: bodies that the disk has are let go of from the cursor on, and fetched when their turn comes") {
    outgoing o;
    for (int i = 0; i < 3; ++i) o.push(of(1, "x", true), wide);
    auto const first = o.next(1, true, 0);
    for (std::uint32_t i = 0; i < 3; ++i) o.told(i, i + 1, true);
    CHECK(o.spare() > 0);
    CHECK(o.spare() == 0);
    CHECK(o.acknowledged(first.e.packet_id).body);
    CHECK(o.next(1, true, 0).kind == what::fetch);
    CHECK(o.body(1, body("x")));
    CHECK(o.next(1, true, 0).kind == what::publish);
    CHECK(o.size() == 2);
}
