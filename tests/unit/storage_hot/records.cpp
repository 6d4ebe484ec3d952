#include "storage/name_hash.hpp"
#include "storage/record/crc32c.hpp"
#include "storage/record/row.hpp"
#include "storage/spsc_ring.hpp"

#include <array>
#include <doctest/doctest.h>
#include <string>
#include <thread>

using namespace airmail::storage;

TEST_CASE("CRC-32C gives the values of RFC 3720 B.4, by instruction and by table") {
    std::array<std::uint8_t, 32> bytes{};
    CHECK(record::crc32c(0, bytes.data(), 32) == 0x8a9136aa);
    bytes.fill(0xff);
    CHECK(record::crc32c(0, bytes.data(), 32) == 0x62a8ab43);
    for (std::uint8_t i = 0; i < 32; ++i) bytes[i] = i;
    CHECK(record::crc32c(0, bytes.data(), 32) == 0x46dd794e);
    for (std::size_t n = 0; n <= 32; ++n) {
        CHECK(record::crc32c(7, bytes.data(), n) == record::crc32c_by_table(7, bytes.data(), n));
        CHECK(record::crc32c(record::crc32c(0, bytes.data(), n), bytes.data() + n, 32 - n) == 0x46dd794e);
    }
}

TEST_CASE("any single changed bit, a cut and another key are noticed in a row") {
    record::encoder enc;
    auto body = enc.message(*message::make({.topic = "devices/1/heartbeat", .identity = "1"}), 1);
    std::vector<std::uint8_t> row(record::head_bytes + body.size());
    record::seal(row.data(), 42, record::kind::message, body);
    record::decoder d;
    REQUIRE(d.open(42, row).has_value());
    CHECK(d.make_message()->topic() == "devices/1/heartbeat");
    CHECK(d.open(43, row).has_error());
    for (std::size_t bit = 0; bit < row.size() * 8; ++bit) {
        row[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
        CHECK(d.open(42, row).has_error());
        row[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    }
    for (std::size_t n = 0; n < row.size(); ++n) CHECK(d.open(42, record::byte_view{row.data(), n}).has_error());
}

TEST_CASE("a row whose checksum is right and whose flatbuffer is not is refused, never read") {
    std::vector<std::uint8_t> body(40), row(record::head_bytes + body.size());
    record::decoder d;
    std::uint32_t seed = 1;
    for (int i = 0; i < 20'000; ++i) {
        for (auto& b : body) b = static_cast<std::uint8_t>((seed = seed * 1664525 + 1013904223) >> 24) & (i % 2 ? 0x1f : 0xff);
        auto k = static_cast<record::kind>(i % 7);
        record::seal(row.data(), 1, k, body);
        if (auto opened = d.open(1, row); opened && *opened == record::kind::message) CHECK(d.make_message());
    }
}

TEST_CASE("the state of a delivery fits twelve bytes and notices damage") {
    std::array<std::uint8_t, 12> key{1, 2, 3}, value;
    record::delivery{.qos = 2, .retain = true, .state = delivery_state::received, .packet_id = 65'534, .subscription_id = 268'435'455}.pack(value.data(), key);
    auto d = record::delivery::unpack(value, key);
    REQUIRE(d.has_value());
    CHECK(d->qos == 2);
    CHECK(d->retain);
    CHECK(d->state == delivery_state::received);
    CHECK(d->packet_id == 65'534);
    CHECK(d->subscription_id == 268'435'455);
    for (std::size_t bit = 0; bit < 96; ++bit) {
        value[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
        CHECK(record::delivery::unpack(value, key).has_error());
        value[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    }
}

TEST_CASE("topics hash apart by tenant and by name, and the same each time") {
    name_hash h;
    CHECK(h.topic(0, "a/b") == h.topic(0, "a/b"));
    CHECK(h.topic(0, "a/b") != h.topic(1, "a/b"));
    CHECK(h.topic(0, "a/b") != h.topic(0, "a/c"));
    CHECK(h.filter("") != h.filter(std::string_view{"\0", 1}));
}

TEST_CASE("the ring hands over in order between two threads, and keeps what is not released") {
    spsc_ring<int, 64> ring;
    std::thread producer{[&] {
        for (int i = 0; i < 20'000;) {
            if (ring.push(int{i})) ++i;
            else std::this_thread::yield();
        }
    }};
    for (int next = 0; next < 20'000;) {
        auto n = ring.ready();
        for (std::size_t i = 0; i < n; ++i) REQUIRE(ring.at(i) == next + static_cast<int>(i));
        ring.release(n);
        next += static_cast<int>(n);
        if (n == 0) std::this_thread::yield();
    }
    producer.join();
    CHECK(ring.released() == 20'000);
}
