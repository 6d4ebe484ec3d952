#include "broker/codec/varint.hpp"

#include <doctest/doctest.h>

using namespace airmail::codec;

TEST_CASE("variable byte integers use the fewest bytes, both ways [MQTT-1.5.5-1]") {
    struct { std::uint32_t value; std::size_t size; } const edges[] = {
        {0, 1}, {1, 1}, {127, 1}, {128, 2}, {16383, 2}, {16384, 3}, {2097151, 3}, {2097152, 4}, {varint_max, 4}};
    for (auto const& e : edges) {
        CAPTURE(e.value);
        std::uint8_t room[4];
        auto const size = static_cast<std::size_t>(put_varint(room, e.value) - room);
        CHECK(size == e.size);
        CHECK(varint_size(e.value) == e.size);
        auto const back = get_varint(room, size);
        CHECK(back.state == varint_step::done);
        CHECK(back.value == e.value);
        CHECK(back.size == e.size);
        CHECK(get_varint(room, size - 1).state == varint_step::more);
    }
    std::uint8_t const longer[] = {0x80, 0x80, 0x00}, endless[] = {0xFF, 0xFF, 0xFF, 0xFF};
    CHECK(get_varint(longer, 3).state == varint_step::malformed);
    CHECK(get_varint(endless, 4).state == varint_step::malformed);
}
