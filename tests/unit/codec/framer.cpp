#include "broker/codec/framer.hpp"

#include "tests/support/packet_bytes.hpp"

#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::codec;
using test::packet;

TEST_CASE("packets behind each other are taken one by one") {
    auto const in = packet("C0[] 30[<a> [] 'hi'] D0");
    byte_view rest{in};
    auto f = next_frame(rest);
    REQUIRE(f.has_value());
    CHECK(f->type == packet_type::pingreq);
    CHECK(f->size == 2);
    f = next_frame(rest = rest.subspan(2));
    REQUIRE(f.has_value());
    CHECK(f->type == packet_type::publish);
    CHECK(f->body.size() == 6);
    f = next_frame(rest = rest.subspan(f->size));
    REQUIRE(f.has_value());
    CHECK_FALSE(f->complete());
    CHECK(f->need == 1);
}

TEST_CASE("a packet too large is refused from its header alone") {
    auto const in = packet("30 FF7F");  // 16,383 bytes of body to come
    CHECK(next_frame(in, version::v5, 16386)->need == 16383);
    CHECK(next_frame(in, version::v5, 16385).error() == reason::packet_too_large);
}

TEST_CASE("reserved flags are refused from the first byte [MQTT-2.1.3-1]") {
    for (unsigned first = 0; first < 256; ++first) {
        CAPTURE(first);
        std::uint8_t const one[] = {static_cast<std::uint8_t>(first)};
        auto const type = first >> 4, flags = first & 15;
        bool const two = type == 6 || type == 8 || type == 10;
        bool const good = type == 3 || (type != 0 && flags == (two ? 2u : 0u));
        CHECK(next_frame(one).has_value() == good);
    }
}

TEST_CASE("the longest length is understood and nothing beyond it [MQTT-1.5.5-1]") {
    CHECK(next_frame(packet("30 FFFFFF7F"))->need == varint_max);
    CHECK(!next_frame(packet("30 FFFFFFFF")));
    CHECK(!next_frame(packet("30 8100")));
    CHECK(next_frame(packet("30 FFFFFF"))->need == 1);
}
