#include "tests/support/packets.hpp"

#include "tests/support/packet_bytes.hpp"
#include "tests/support/packet_text.hpp"

#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::test;
using codec::reason;

namespace {

/// Decodes and encodes again; empty when it does not decode.
bytes again(byte_view whole, codec::version v, codec::sender from) {
    bytes out;
    auto const f = codec::next_frame(whole, v);
    if (!f || !f->complete()) return out;
    visit_packet(*f, v, from, encode_any{out, v});
    return out;
}

/// The packet's body cut to `size` bytes under a header that says so.
bytes cut_body(byte_view whole, codec::version v, std::size_t size) {
    auto const f = codec::next_frame(whole, v);
    bytes out{whole[0]};
    std::uint8_t length[4];
    out.insert(out.end(), length, codec::put_varint(length, static_cast<std::uint32_t>(size)));
    out.insert(out.end(), f->body.begin(), f->body.begin() + static_cast<std::ptrdiff_t>(size));
    return out;
}

/// What is accepted must survive our own encoder unchanged in meaning.
bool consistent(byte_view whole, codec::version v, codec::sender from) {
    auto const first = describe(whole, v, from);
    if (!first) return codec::failed(first.error());
    if (v == codec::version::v31) return true;  // cannot say SUBACK failures
    auto const second = describe(again(whole, v, from), v, from);
    return second && *first == *second;
}

}

TEST_CASE("every packet of the table decodes to what it says, or is refused with the reason it deserves") {
    for (auto const& row : packet_table) {
        CAPTURE(row.notation);
        CAPTURE(row.text);
        auto const said = describe(packet(row.notation), row.v, row.from);
        if (row.expected == reason::success) {
            REQUIRE_MESSAGE(said.has_value(), codec::name(said ? reason::success : said.error()));
            CHECK(*said == row.text);
        } else {
            REQUIRE(!said);
            CHECK(codec::name(said.error()) == codec::name(row.expected));
        }
    }
}

TEST_CASE("every packet of the table is encoded to the bytes it came from") {
    for (auto const& row : packet_table) {
        if (row.expected != reason::success) continue;
        CAPTURE(row.notation);
        auto const whole = packet(row.notation);
        auto const encoded = again(whole, row.v, row.from);
        if (row.canonical) CHECK(encoded == whole);
        auto const said = describe(encoded, row.v, row.from);
        REQUIRE(said.has_value());
        CHECK(*said == row.text);
    }
}

TEST_CASE("a packet cut anywhere is not whole, and says how much is missing") {
    for (auto const& row : packet_table) {
        auto const whole = packet(row.notation);
        if (row.expected != reason::success) continue;
        for (std::size_t size = 0; size < whole.size(); ++size) {
            auto const f = codec::next_frame({whole.data(), size}, row.v);
            REQUIRE(f.has_value());
            CHECK_FALSE(f->complete());
            CHECK(f->need >= 1);
            CHECK(f->need <= std::max<std::size_t>(2, whole.size() - size));
        }
    }
}

TEST_CASE("a body cut anywhere under a matching header is refused, or means something our encoder can repeat") {
    for (auto const& row : packet_table) {
        if (row.expected != reason::success) continue;
        auto const whole = packet(row.notation);
        auto const body = codec::next_frame(whole, row.v)->body.size();
        for (std::size_t size = 0; size < body; ++size) CHECK(consistent(cut_body(whole, row.v, size), row.v, row.from));
    }
}

TEST_CASE("a packet with any one byte changed is refused, or means something our encoder can repeat") {
    for (auto const& row : packet_table) {
        auto whole = packet(row.notation);
        bool good = true;
        for (auto& byte : whole) {
            auto const kept = byte;
            for (unsigned flip : {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF, 0x0F}) {
                byte = static_cast<std::uint8_t>(kept ^ flip);
                good = good && consistent(whole, row.v, row.from);
            }
            byte = kept;
        }
        CHECK_MESSAGE(good, row.notation);
    }
}

TEST_CASE("every reason code has the specification's name") {
    CHECK(codec::name(reason::not_authorized) == "Not authorized");
    CHECK(codec::name(static_cast<reason>(0x77)) == "Unknown reason code");
    CHECK_THROWS_AS(codec::decode_connect({}).value(), std::logic_error);
}
