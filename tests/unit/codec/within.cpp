#include "broker/codec/within.hpp"

#include "broker/codec/acks.hpp"
#include "broker/codec/connack.hpp"
#include "broker/codec/connect.hpp"
#include "tests/support/packet_bytes.hpp"

#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::codec;
using test::packet;

TEST_CASE("explanations give way to the receiver's Maximum Packet Size [MQTT-3.4.2-2] [MQTT-3.4.2-3]") {
    ack_view p{packet_type::puback, 1, reason::quota_exceeded, {}};
    p.props.reason_string = "full";
    p.props.add(prop::reason_string);
    bytes user;
    append_user_property(user, "a", "b");
    p.props.user_properties = user;
    p.props.add(prop::user_property);

    auto const within = [&](std::size_t maximum) {
        bytes out;
        bool const fits = encode_within(out, p, version::v5, maximum);
        CHECK(fits == !out.empty());
        CHECK(out.size() <= maximum);
        return out;
    };
    CHECK(within(20) == packet("40[0001 97 [1F <full> 26 <a> <b>]]"));
    CHECK(within(19) == packet("40[0001 97 [1F <full>]]"));
    CHECK(within(12) == packet("40[0001 97]"));
    CHECK(within(4).empty());

    drop_problem_info(p.props);  // [MQTT-3.1.2-29]
    CHECK(within(100) == packet("40[0001 97]"));
}

TEST_CASE("an answer to a CONNECT that makes no sense speaks the version it named [MQTT-3.1.2-2]") {
    CHECK(answer_version(packet("<MQTT> 05 03")) == version::v5);
    CHECK(answer_version(packet("<MQTT> 06")) == version::v5);
    CHECK(answer_version(packet("<MQTT> 04")) == version::v311);
    CHECK(answer_version(packet("<MQTT> 84")) == version::v311);
    CHECK(answer_version(packet("<MQIsdp> 03")) == version::v311);
    CHECK(answer_version(packet("0004'MQ'")) == version::v311);
}

TEST_CASE("refusals reach a 3.1.1 client as its own return codes, without Session Present [MQTT-3.2.2-6]") {
    bytes out;
    encode(out, connack_view{true, reason::banned, {}}, version::v311);
    CHECK(out == packet("20[00 05]"));
    out.clear();
    encode(out, connack_view{true, reason::success, {}}, version::v31);
    CHECK(out == packet("20[00 00]"));
    CHECK(old_return_code(reason::server_busy) == 3);
}
