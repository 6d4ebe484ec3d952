#pragma once
// The table of packets: bytes by hand, what they mean, or the reason code they deserve. Unit tests decode, encode, cut and
// flip them; the fuzz corpus is made of them.

#include "broker/codec/packets.hpp"

#include <string_view>

namespace airmail::test {

/// One row. `expected` success: it decodes to `text` (packet_text's form) and, when `canonical`, our encoder writes exactly
/// these bytes. Otherwise decoding fails with `expected`, and `text` says why it should.
struct packet_case {
    codec::version v;
    codec::sender from;
    std::string_view notation;  // packet_bytes.hpp
    codec::reason expected;
    std::string_view text;
    bool canonical = true;
};

namespace rows {
using enum codec::reason;
inline constexpr auto v5 = codec::version::v5, v4 = codec::version::v311, v3 = codec::version::v31;
inline constexpr auto c = codec::sender::client, s = codec::sender::server;
inline constexpr auto malformed = malformed_packet, protocol = protocol_error;

inline constexpr packet_case all[] = {
    // CONNECT
    {v5, c, "10[<MQTT> 05 02 003C [] <c1>]", success, "CONNECT v5 clean keep_alive=60 id=c1"},
    {v5, c, "10[<MQTT> 05 00 0000 [11 00000E10 17 00 19 01 21 0014 22 000A 26 <k> <v> 27 00010000] <>]", success,
     "CONNECT v5 keep_alive=0 id= { session=3600 problem=0 want_response=1 receive=20 aliases=10 packet=65536 k=v }", false},
    {v5, c, "10[<MQTT> 05 EE 000A [15 <SCRAM> 16 0003'abc'] <dev> [01 01 02 0000003C 03 <json> 08 <r/t> 09 0002'cd' 18 00000005 26 <a> <b>] <w/t> <gone> <u> <pw>]",
     success, "CONNECT v5 clean keep_alive=10 id=dev user=u password=pw will(1 retain w/t=gone { format=1 expiry=60 content_type=json response=r/t correlation=cd delay=5 a=b }) { method=SCRAM data=abc }"},
    {v5, c, "10[<MQTT> 05 42 0000 [] <x> <pw>]", success, "CONNECT v5 clean keep_alive=0 id=x password=pw"},
    {v4, c, "10[<MQTT> 04 02 003C <c1>]", success, "CONNECT v4 clean keep_alive=60 id=c1"},
    {v4, c, "10[<MQTT> 04 D6 000F <c1> <w> <> <u> <p>]", success, "CONNECT v4 clean keep_alive=15 id=c1 user=u password=p will(2 w=)"},
    {v4, c, "10[<MQTT> 04 00 0000 <>]", client_identifier_not_valid, "an empty id needs a clean session [MQTT 3.1.1, 3.1.3-8]"},
    {v4, c, "10[<MQTT> 04 42 0000 <x> <pw>]", malformed, "a password needs a user name [MQTT 3.1.1, 3.1.2-22]"},
    {v3, c, "10[<MQIsdp> 03 02 003C <c1>]", success, "CONNECT v3 clean keep_alive=60 id=c1"},
    {v3, c, "10[<MQIsdp> 03 C2 003C <c1>]", success, "CONNECT v3 clean keep_alive=60 id=c1", false},
    {v3, c, "10[<MQIsdp> 03 C2 003C <c1> <u>]", success, "CONNECT v3 clean keep_alive=60 id=c1 user=u", false},
    {v3, c, "10[<MQIsdp> 03 02 003C <>]", client_identifier_not_valid, "3.1 needs a client id"},
    {v5, c, "10[<MQTX> 05 02 003C [] <c1>]", unsupported_protocol_version, "wrong protocol name [MQTT-3.1.2-1]"},
    {v5, c, "10[<MQTT> 06 02 003C [] <c1>]", unsupported_protocol_version, "a later level [MQTT-3.1.2-2]"},
    {v4, c, "10[<MQTT> 86 02 003C <c1>]", unsupported_protocol_version, "a bridge's level of no version"},
    {v5, c, "10[<MQTT> 05 03 003C [] <c1>]", malformed, "the reserved flag is set [MQTT-3.1.2-3]"},
    {v5, c, "10[<MQTT> 05 0A 003C [] <c1>]", malformed, "will QoS without a will [MQTT-3.1.2-11]"},
    {v5, c, "10[<MQTT> 05 22 003C [] <c1>]", malformed, "will retain without a will [MQTT-3.1.2-13]"},
    {v5, c, "10[<MQTT> 05 1E 003C [] <c1> [] <w> <>]", malformed, "will QoS 3 [MQTT-3.1.2-12]"},
    {v5, c, "10[<MQTT> 05 06 003C [] <c1>]", malformed, "the will is missing [MQTT-3.1.2-9]"},
    {v5, c, "10[<MQTT> 05 06 003C [] <c1> [] <w/#> <>]", topic_name_invalid, "a wildcard in the will's topic"},
    {v5, c, "10[<MQTT> 05 02 003C [] <c1> <u>]", malformed, "a user name without its flag [MQTT-3.1.2-16]"},
    {v5, c, "10[<MQTT> 05 82 003C [] <c1>]", malformed, "a flag without its user name [MQTT-3.1.2-17]"},
    {v5, c, "10[<MQTT> 05 02 003C [] 0002 C080]", malformed, "an id in overlong UTF-8 [MQTT-3.1.3-4]"},
    {v5, c, "10[<MQTT> 05 02 003C [21 0000] <c1>]", protocol, "Receive Maximum 0"},
    {v5, c, "10[<MQTT> 05 02 003C [27 00000000] <c1>]", protocol, "Maximum Packet Size 0"},
    {v5, c, "10[<MQTT> 05 02 003C [17 02] <c1>]", protocol, "Request Problem Information 2"},
    {v5, c, "10[<MQTT> 05 02 003C [11 00000001 11 00000001] <c1>]", protocol, "a property twice"},
    {v5, c, "10[<MQTT> 05 02 003C [16 0001'x'] <c1>]", protocol, "Authentication Data without Method"},
    {v5, c, "10[<MQTT> 05 02 003C [23 0001] <c1>]", malformed, "a property of another packet"},
    {v5, c, "10[<MQTT> 05 02 003C [7F 01] <c1>]", malformed, "a property that does not exist"},
    {v5, c, "11[<MQTT> 05 02 003C [] <c1>]", malformed, "reserved header flags [MQTT-2.1.3-1]"},
    // CONNACK
    {v5, s, "20[00 00 []]", success, "CONNACK 0x00"},
    {v5, s, "20[01 00 [11 00000078 12 <auto> 13 001E 1A <info> 21 000A 22 0005 24 01 25 00 27 00001000 28 00 29 00 2A 00]]", success,
     "CONNACK present 0x00 { session=120 assigned=auto keep=30 response_info=info receive=10 aliases=5 max_qos=1 retain=0 packet=4096 wildcard=0 subs=0 shared=0 }"},
    {v5, s, "20[00 9C [1C <other:8883> 1F <full>]]", success, "CONNACK 0x9C { reference=other:8883 reason=full }"},
    {v4, s, "20[01 00]", success, "CONNACK present 0x00"},
    {v4, s, "20[00 05]", success, "CONNACK 0x87"},
    {v4, s, "20[00 01]", success, "CONNACK 0x84"},
    {v3, s, "20[00 02]", success, "CONNACK 0x85"},
    {v4, s, "20[00 06]", protocol, "a return code that does not exist"},
    {v5, s, "20[02 00 []]", malformed, "reserved acknowledge flags [MQTT-3.2.2-1]"},
    {v5, s, "20[01 87 []]", protocol, "Session Present beside a refusal [MQTT-3.2.2-6]"},
    {v5, s, "20[00 93 []]", protocol, "a code of another packet [MQTT-3.2.2-8]"},
    {v5, s, "20[00 00]", malformed, "no Property Length [MQTT-2.2.2-1]"},
    // PUBLISH
    {v5, c, "30[<a/b> [] 'hi']", success, "PUBLISH qos=0 topic=a/b payload=hi"},
    {v5, c, "31[<a> []]", success, "PUBLISH qos=0 retain topic=a payload="},
    {v5, c, "32[<devices/1/heartbeat> 000A [] '{}']", success, "PUBLISH qos=1 id=10 topic=devices/1/heartbeat payload={}"},
    {v5, c, "3D[<q/2> 1234 [] 'x']", success, "PUBLISH qos=2 dup retain id=4660 topic=q/2 payload=x"},
    {v5, c, "32[<t> 0001 [01 01 02 0000000A 03 <text> 08 <re/ply> 09 0003'c d' 23 0007 26 <k> <1> 26 <k> <2>] 'p']", success,
     "PUBLISH qos=1 id=1 topic=t payload=p { format=1 expiry=10 content_type=text response=re/ply correlation=c d alias=7 k=1 k=2 }"},
    {v5, c, "30[<t> [26 <k> <1> 01 00 26 <k> <2>]]", success, "PUBLISH qos=0 topic=t payload= { format=0 k=1 k=2 }", false},
    {v5, c, "30[<> [23 0007] 'p']", success, "PUBLISH qos=0 topic= payload=p { alias=7 }"},
    {v5, s, "30[<t> [0B 01 0B FFFFFF7F]]", success, "PUBLISH qos=0 topic=t payload= { sub=1 sub=268435455 }"},
    {v5, c, "30[0003 EFBBBF []]", success, "PUBLISH qos=0 topic=\xEF\xBB\xBF payload="},
    {v4, c, "32[<a/b> 0007 'xyz']", success, "PUBLISH qos=1 id=7 topic=a/b payload=xyz"},
    {v5, c, "36[<a> 0001 []]", malformed, "QoS 3 [MQTT-3.3.1-4]"},
    {v5, c, "38[<a> []]", protocol, "DUP with QoS 0 [MQTT-3.3.1-2]"},
    {v5, c, "32[<a> 0000 []]", protocol, "packet id 0 [MQTT-2.2.1-3]"},
    {v5, c, "30[<> []]", protocol, "no topic and no alias"},
    {v4, c, "30[<>]", protocol, "no topic"},
    {v5, c, "30[<a/+> []]", topic_name_invalid, "a wildcard [MQTT-3.3.2-2]"},
    {v5, c, "30[<#> []]", topic_name_invalid, "a wildcard [MQTT-3.3.2-2]"},
    {v5, c, "30[<a> [23 0000]]", topic_alias_invalid, "alias 0 [MQTT-3.3.2-8]"},
    {v5, c, "30[<a> [0B 01]]", protocol, "a client's Subscription Identifier [MQTT-3.3.4-6]"},
    {v5, s, "30[<a> [0B 00]]", protocol, "Subscription Identifier 0"},
    {v5, c, "30[<a> [08 <r/#>]]", protocol, "a wildcard in the Response Topic [MQTT-3.3.2-14]"},
    {v5, c, "30[<a> [01 02]]", protocol, "Payload Format 2"},
    {v5, c, "30[<a> [26 <k> 0001 FF]]", malformed, "bad UTF-8 in a User Property [MQTT-1.5.7-1]"},
    {v5, c, "30[<a> [03 0001 FF]]", malformed, "bad UTF-8 in the Content Type [MQTT-3.3.2-19]"},
    {v5, c, "30[0003 EDA080 []]", malformed, "a surrogate in the topic [MQTT-1.5.4-1]"},
    {v5, c, "30[0001 00 []]", malformed, "U+0000 in the topic [MQTT-1.5.4-2]"},
    {v5, c, "30[<a> 8000]", malformed, "a Property Length longer than it need be [MQTT-1.5.5-1]"},
    {v5, c, "30[<a> 05 0101]", malformed, "properties cut short"},
    // PUBACK, PUBREC, PUBREL, PUBCOMP
    {v5, c, "40[0001]", success, "PUBACK id=1 0x00"},
    {v5, c, "40[0001 00]", success, "PUBACK id=1 0x00", false},
    {v5, s, "40[0102 87]", success, "PUBACK id=258 0x87"},
    {v5, s, "40[0001 10 [1F <nobody> 26 <a> <b>]]", success, "PUBACK id=1 0x10 { reason=nobody a=b }"},
    {v5, c, "50[0001 97 [1F <full>]]", success, "PUBREC id=1 0x97 { reason=full }"},
    {v5, c, "62[0003]", success, "PUBREL id=3 0x00"},
    {v5, c, "62[0003 92]", success, "PUBREL id=3 0x92"},
    {v5, c, "70[0003 92]", success, "PUBCOMP id=3 0x92"},
    {v4, c, "40[0001]", success, "PUBACK id=1 0x00"},
    {v4, c, "50[0001]", success, "PUBREC id=1 0x00"},
    {v4, c, "62[0001]", success, "PUBREL id=1 0x00"},
    {v4, s, "70[0001]", success, "PUBCOMP id=1 0x00"},
    {v3, c, "6A[0001]", success, "PUBREL id=1 0x00", false},
    {v4, c, "40[0001 00]", malformed, "a reason code in 3.1.1"},
    {v5, c, "40[0000]", protocol, "packet id 0"},
    {v5, c, "40[0001 92]", protocol, "a code of PUBREL [MQTT-3.4.2-1]"},
    {v5, c, "50[0001 01]", protocol, "a code that is not listed [MQTT-3.5.2-1]"},
    {v5, c, "62[0001 80]", protocol, "a code of PUBACK [MQTT-3.6.2-1]"},
    {v5, c, "70[0001 10]", protocol, "a code of PUBACK [MQTT-3.7.2-1]"},
    {v5, c, "60[0001]", malformed, "PUBREL with flags 0000 [MQTT-3.6.1-1]"},
    {v4, c, "6A[0001]", malformed, "PUBREL with DUP [MQTT-3.6.1-1]"},
    // SUBSCRIBE
    {v5, c, "82[0001 [] <a/#> 01]", success, "SUBSCRIBE id=1 a/#:1"},
    {v5, c, "82[0002 [0B 9601 26 <k> <v>] <a> 2E <+/b> 00 <$share/g/c/#> 12]", success,
     "SUBSCRIBE id=2 a:2nph2 +/b:0 $share/g/c/#:2h1 { sub=150 k=v }"},
    {v4, c, "82[0001 <a> 00 <b/+> 02]", success, "SUBSCRIBE id=1 a:0 b/+:2"},
    {v3, c, "8A[0001 <a> 01]", success, "SUBSCRIBE id=1 a:1", false},
    {v5, c, "80[0001 [] <a> 01]", malformed, "flags 0000 [MQTT-3.8.1-1]"},
    {v5, c, "82[0000 [] <a> 01]", protocol, "packet id 0 [MQTT-2.2.1-3]"},
    {v5, c, "82[0001 []]", protocol, "no filter [MQTT-3.8.3-2]"},
    {v5, c, "82[0001 [] <a>]", malformed, "no options"},
    {v5, c, "82[0001 [] <a> 40]", malformed, "reserved option bits [MQTT-3.8.3-5]"},
    {v5, c, "82[0001 [] <a> 03]", protocol, "QoS 3"},
    {v4, c, "82[0001 <a> 03]", malformed, "QoS 3 [MQTT 3.1.1, 3.8.3-4]"},
    {v4, c, "82[0001 <a> 04]", malformed, "upper bits set [MQTT 3.1.1, 3.8.3-4]"},
    {v5, c, "82[0001 [] <a> 30]", protocol, "Retain Handling 3"},
    {v5, c, "82[0001 [] <$share/g/a> 04]", protocol, "No Local on a shared subscription [MQTT-3.8.3-4]"},
    {v5, c, "82[0001 [] <a/#/b> 00]", topic_filter_invalid, "# not last [MQTT-4.7.1-1]"},
    {v5, c, "82[0001 [] <a+> 00]", topic_filter_invalid, "+ beside text [MQTT-4.7.1-2]"},
    {v5, c, "82[0001 [] <> 00]", topic_filter_invalid, "an empty filter [MQTT-4.7.3-1]"},
    {v5, c, "82[0001 [] <$share/g> 00]", topic_filter_invalid, "a share without a filter [MQTT-4.8.2-2]"},
    {v5, c, "82[0001 [] <$share//a> 00]", topic_filter_invalid, "an empty ShareName [MQTT-4.8.2-1]"},
    {v5, c, "82[0001 [] <$share/+/a> 00]", topic_filter_invalid, "a wildcard in the ShareName [MQTT-4.8.2-2]"},
    {v5, c, "82[0001 [0B 00] <a> 00]", protocol, "Subscription Identifier 0"},
    {v5, c, "82[0001 [0B 01 0B 02] <a> 00]", protocol, "two Subscription Identifiers"},
    // SUBACK, UNSUBACK
    {v5, s, "90[0001 [] 00 01 02 87]", success, "SUBACK id=1 0x00 0x01 0x02 0x87"},
    {v5, s, "90[0001 [1F <no> 26 <a> <b>] A2]", success, "SUBACK id=1 0xA2 { reason=no a=b }"},
    {v4, s, "90[0001 00 80]", success, "SUBACK id=1 0x00 0x80"},
    {v5, s, "90[0001 [] 03]", protocol, "a code that is not listed [MQTT-3.9.3-2]"},
    {v4, s, "90[0001 87]", protocol, "an MQTT 5 code in 3.1.1"},
    {v5, s, "90[0001 []]", protocol, "no code"},
    {v5, s, "B0[0001 [] 00 11]", success, "UNSUBACK id=1 0x00 0x11"},
    {v4, s, "B0[0001]", success, "UNSUBACK id=1"},
    {v4, s, "B0[0001 00]", malformed, "a code in 3.1.1"},
    {v5, s, "B0[0001 [] 01]", protocol, "a code of SUBACK [MQTT-3.11.3-2]"},
    // UNSUBSCRIBE
    {v5, c, "A2[0001 [] <a/#>]", success, "UNSUBSCRIBE id=1 a/#"},
    {v5, c, "A2[0001 [26 <k> <v>] <a> <$share/g/b>]", success, "UNSUBSCRIBE id=1 a $share/g/b { k=v }"},
    {v4, c, "A2[0001 <a> <b>]", success, "UNSUBSCRIBE id=1 a b"},
    {v5, c, "A0[0001 [] <a>]", malformed, "flags 0000 [MQTT-3.10.1-1]"},
    {v5, c, "A2[0001 []]", protocol, "no filter [MQTT-3.10.3-2]"},
    {v5, c, "A2[0001 [] 0001 FF]", malformed, "bad UTF-8 [MQTT-3.10.3-1]"},
    {v5, c, "A2[0000 [] <a>]", protocol, "packet id 0"},
    // PINGREQ, PINGRESP
    {v5, c, "C0[]", success, "PINGREQ"},
    {v4, s, "D0[]", success, "PINGRESP"},
    {v5, c, "C0[00]", malformed, "a ping with a body"},
    {v5, c, "C1[]", malformed, "reserved flags [MQTT-2.1.3-1]"},
    // DISCONNECT
    {v5, c, "E0[]", success, "DISCONNECT 0x00"},
    {v4, c, "E0[]", success, "DISCONNECT 0x00"},
    {v5, c, "E0[04]", success, "DISCONNECT 0x04"},
    {v5, c, "E0[00 [11 00000000 1F <bye>]]", success, "DISCONNECT 0x00 { session=0 reason=bye }"},
    {v5, s, "E0[9D [1C <b:1>]]", success, "DISCONNECT 0x9D { reference=b:1 }"},
    {v5, s, "E0[8E]", success, "DISCONNECT 0x8E"},
    {v5, c, "E0[8E]", protocol, "a server's code from a client [MQTT-3.14.2-1]"},
    {v5, s, "E0[00 [11 00000001]]", malformed, "a server's Session Expiry [MQTT-3.14.2-2]"},
    {v4, c, "E0[00]", malformed, "a reason in 3.1.1"},
    {v5, c, "E1[]", malformed, "reserved flags [MQTT-3.14.1-1]"},
    // AUTH
    {v5, c, "F0[18 [15 <GS2> 16 0002'ab']]", success, "AUTH 0x18 { method=GS2 data=ab }"},
    {v5, s, "F0[00 [15 <GS2> 1F <ok> 26 <a> <b>]]", success, "AUTH 0x00 { method=GS2 reason=ok a=b }"},
    {v5, s, "F0[]", success, "AUTH 0x00"},
    {v5, c, "F0[18 []]", protocol, "no method"},
    {v5, s, "F0[19 [15 <GS2>]]", protocol, "a client's code from a server [MQTT-3.15.2-1]"},
    {v5, c, "F1[18 [15 <GS2>]]", malformed, "reserved flags [MQTT-3.15.1-1]"},
    {v4, c, "F0[]", malformed, "AUTH in 3.1.1"},
    // the fixed header
    {v5, c, "00[]", malformed, "type 0"},
    {v5, c, "30 8080808001", malformed, "a Remaining Length of more than four bytes [MQTT-1.5.5-1]"},
    {v5, c, "C0 8000", malformed, "a Remaining Length longer than it need be [MQTT-1.5.5-1]"},
};
}

/// Every row.
inline constexpr auto& packet_table = rows::all;

}
