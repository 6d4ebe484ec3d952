#include "broker/codec/publish.hpp"

#include "broker/codec/framer.hpp"
#include "tests/support/packet_bytes.hpp"
#include "tests/support/packet_text.hpp"

#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::codec;
using test::packet;

namespace {

/// What the receiver understands of a header made by a router, with `payload` sent after it.
std::string received(publish_parts p, version v, std::string_view payload, publish_layout* where = nullptr) {
    p.payload_size = payload.size();
    bytes out{0xAA, 0xBB};  // something was in the queue before
    auto const layout = encode_publish_header(out, p, v);
    CHECK(layout.header_size == out.size() - 2);
    CHECK(publish_size(p, v) == layout.header_size + payload.size());
    if (where) *where = layout;
    if (p.qos > 0) set_packet_id(out.data() + 2, layout, 0x0102);
    out.erase(out.begin(), out.begin() + 2);
    out.insert(out.end(), payload.begin(), payload.end());
    auto const text = test::describe(out, v, sender::server);
    REQUIRE(text.has_value());
    return *text;
}

}

TEST_CASE("a router's header says what is the receiver's own before what came with the message [MQTT-3.3.2-6] [MQTT-3.3.4-4]") {
    auto const forwarded = packet("01 01 26 <k> <2> 26 <k> <1>");
    std::uint32_t const ids[] = {5, 300};
    publish_parts p{.qos = 1, .retain = true, .topic = "a/b", .forwarded = forwarded, .message_expiry = 9, .topic_alias = 3, .subscription_ids = ids};
    CHECK(received(p, version::v5, "hello") ==
          "PUBLISH qos=1 retain id=258 topic=a/b payload=hello { format=1 expiry=9 sub=5 sub=300 alias=3 k=2 k=1 }");
    CHECK(received(p, version::v311, "hello") == "PUBLISH qos=1 retain id=258 topic=a/b payload=hello");
}

TEST_CASE("a router's header is right on every side of a length's edges") {
    for (std::size_t size : {0, 1, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 16370, 16376, 16377, 16378, 16379, 16380, 16384, 70000}) {
        std::string const payload(size, 'p');
        CHECK(received({.qos = 0, .topic = "t"}, version::v5, payload) == "PUBLISH qos=0 topic=t payload=" + payload);
        CHECK(received({.qos = 2, .topic = "t"}, version::v311, payload) == "PUBLISH qos=2 id=258 topic=t payload=" + payload);
    }
    bytes many;
    for (int i = 0; i < 40; ++i) append_user_property(many, "key", "v");
    CHECK(received({.topic = "t", .forwarded = many}, version::v5, "").size() > 200);
}

TEST_CASE("DUP is set in place on a packet sent again [MQTT-3.3.1-1]") {
    bytes out;
    encode_publish_header(out, {.qos = 1, .packet_id = 7, .topic = "t"}, version::v5);
    set_dup(out.data());
    CHECK(out == packet("3A[<t> 0007 []]"));
}

TEST_CASE("a packet over the format's limit is measured, not encoded") {
    CHECK(publish_size({.topic = "t", .payload_size = varint_max - 3}, version::v311) == packet_size_max);
    CHECK(publish_size({.topic = "t", .payload_size = varint_max - 2}, version::v311) > packet_size_max);
}

TEST_CASE("what travels on with a message keeps its bytes and order; the rest stays behind [MQTT-3.3.2-18]") {
    bytes scratch;
    auto const forward = [&](std::string_view notation) {
        auto const whole = packet(notation);
        auto const f = next_frame(whole);
        auto const p = decode_publish(f->flags, f->body, version::v5);
        REQUIRE(p.has_value());
        auto const kept = forwardable_properties(p->raw_props, p->props.present, scratch);
        bool const copied = kept.data() != p->raw_props.data();
        return std::pair{bytes(kept.begin(), kept.end()), copied};
    };
    SUBCASE("nothing to leave out: the same bytes, no copy") {
        auto const [kept, copied] = forward("30[<t> [26 <b> <1> 01 01 26 <a> <2>] 'x']");
        CHECK(kept == packet("26 <b> <1> 01 01 26 <a> <2>"));
        CHECK_FALSE(copied);
    }
    SUBCASE("expiry and alias are this connection's") {
        auto const [kept, copied] = forward("30[<t> [02 00000001 26 <b> <1> 23 0001 09 <c> 26 <a> <2>] 'x']");
        CHECK(kept == packet("26 <b> <1> 09 <c> 26 <a> <2>"));
        CHECK(copied);
    }
}

TEST_CASE("stored properties are read back; bytes that are not a block are none") {
    auto const block = packet("03 <json> 08 <r> 26 <a> <1>");
    auto const p = decode_forwardable(block);
    CHECK(p.content_type == "json");
    CHECK(p.response_topic == "r");
    CHECK(p.user_property_count == 1);
    CHECK(decode_forwardable(packet("03 00")).present == 0);
    CHECK(decode_forwardable(packet("23 0001")).present == 0);
}

TEST_CASE("User Properties are walked in order, past anything a peer put between them") {
    auto const whole = packet("30[<t> [26 <a> <1> 02 00000005 26 <a> <2> 03 <x> 26 <b> <>]]");
    auto const f = next_frame(whole);
    auto const p = decode_publish(f->flags, f->body, version::v5);
    REQUIRE(p.has_value());
    CHECK(p->props.user_property_count == 3);
    std::string seen;
    user_property_view u;
    for (auto rest = p->props.user_properties; next_user_property(rest, u);) ((seen += u.key) += "=").append(u.value) += ";";
    CHECK(seen == "a=1;a=2;b=;");
}

TEST_CASE("more Subscription Identifiers than fit are still a valid packet, whose block has them all") {
    auto const whole = packet("30[<t> [0B 01 0B 02 0B 03 0B 04 0B 05 0B 06 0B 07 0B 08 0B 09]]");
    auto const f = next_frame(whole);
    auto const p = decode_publish(f->flags, f->body, version::v5, sender::server);
    REQUIRE(p.has_value());
    CHECK(p->props.subscription_id_count == 8);
    CHECK(p->raw_props.size() == 18);
}
