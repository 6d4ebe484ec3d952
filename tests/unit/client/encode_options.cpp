#include "tools/client/encode_options.hpp"

#include "tests/support/packet_bytes.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace airmail;
using namespace airmail::client;

TEST_CASE("options become the CONNECT they describe") {
    connect_options o;
    o.client_id = "dev";
    o.clean_start = false;
    o.session_expiry = 3600;
    o.receive_maximum = 20;
    o.user_name = "u";
    o.password = "p";
    o.will_delay = std::chrono::seconds(5);
    user_property const user[] = {{"k", "v"}};
    o.will = publication{.topic = "w", .payload = "gone", .qos = 1, .retain = true, .user_properties = user};
    bytes out;
    encode_connect(out, o);
    CHECK(out == test::packet("10[<MQTT> 05 EC 003C [11 00000E10 21 0014] <dev> [18 00000005 26 <k> <v>] <w> <gone> <u> <p>]"));

    o.protocol = codec::version::v311;
    out.clear();
    encode_connect(out, o);
    CHECK(out == test::packet("10[<MQTT> 04 EC 003C <dev> <w> <gone> <u> <p>]"));
}

TEST_CASE("what the protocol cannot carry is refused before it is encoded") {
    std::string const longer(65536, 'x'), bad = "\xFF";
    CHECK(encodable(publication{.topic = "a"}));
    CHECK_FALSE(encodable(publication{.topic = ""}));
    CHECK(encodable(publication{.topic = "", .topic_alias = 1}));
    CHECK_FALSE(encodable(publication{.topic = "a/+"}));
    CHECK_FALSE(encodable(publication{.topic = longer}));
    CHECK_FALSE(encodable(publication{.topic = bad}));
    CHECK_FALSE(encodable(publication{.topic = "a", .qos = 3}));
    CHECK_FALSE(encodable(publication{.topic = "a", .response_topic = "#"}));
    CHECK_FALSE(encodable(publication{.topic = "a", .correlation_data = longer}));
    user_property const user[] = {{"k", bad}};
    CHECK_FALSE(encodable(publication{.topic = "a", .user_properties = user}));

    connect_options o;
    CHECK(encodable(o));
    o.password = "p";
    CHECK(encodable(o));
    o.protocol = codec::version::v311;
    CHECK_FALSE(encodable(o));
    o.password.reset();
    o.keep_alive = std::chrono::seconds(65536);
    CHECK_FALSE(encodable(o));
}
