#include "broker/handlers/words.hpp"

namespace airmail::handlers {

std::string_view words(codec::reason r) {
    using enum codec::reason;
    switch (r) {
    case unspecified_error: return "something failed here; the same request may succeed later";
    case malformed_packet: return "the packet cannot be read: its bytes break the format";
    case protocol_error: return "the packet can be read, but MQTT does not allow it here";
    case implementation_specific_error: return "this broker does not take such a packet, although MQTT allows it";
    case unsupported_protocol_version: return "this broker speaks MQTT 5, 3.1.1 and 3.1";
    case client_identifier_not_valid: return "the client identifier is empty, too long or has control characters in it";
    case bad_user_name_or_password: return "user name or password is wrong";
    case not_authorized: return "the access rules do not allow this client to do that";
    case server_unavailable: return "the broker takes no clients at the moment; try again later";
    case server_busy: return "the broker is busy with this client's other connection; try again";
    case server_shutting_down: return "the broker is shutting down; sessions are kept";
    case bad_authentication_method: return "this authentication method is not offered here; SCRAM-SHA-256 is, where there is a password file";
    case keep_alive_timeout: return "nothing was heard from the client for one and a half times its keep alive";
    case session_taken_over: return "another connection came with the same client identifier";
    case topic_filter_invalid: return "the topic filter is malformed, or longer or deeper than this listener allows";
    case topic_name_invalid: return "the topic name has a wildcard or is longer or deeper than this listener allows";
    case packet_identifier_not_found: return "no message with this packet identifier is under way";
    case receive_maximum_exceeded: return "more QoS 1 and 2 messages are under way than Receive Maximum in CONNACK allows";
    case topic_alias_invalid: return "the topic alias is 0 or above Topic Alias Maximum in CONNACK";
    case packet_too_large: return "the packet is larger than Maximum Packet Size in CONNACK allows";
    case message_rate_too_high: return "messages come faster than this listener allows";
    case quota_exceeded: return "a limit of this client or of the broker is reached, or the message could not be stored";
    case administrative_action: return "an operator has ended this connection";
    case payload_format_invalid: return "the payload is said to be UTF-8 and is not";
    case retain_not_supported: return "retained messages are turned off on this listener";
    case qos_not_supported: return "the QoS is above Maximum QoS in CONNACK";
    case use_another_server: return "this broker is being emptied; connect to the server named here";
    default: return codec::name(r);
    }
}

}
