// Walking a property block that was validated before: what travels on with a message, and User Properties one by one.

#include "broker/codec/properties.hpp"
#include "broker/codec/reader.hpp"
#include "broker/codec/writer.hpp"

namespace airmail::codec {
namespace {

/// Steps over the value of `id`.
void skip_value(reader& in, prop id) {
    switch (id) {
    case prop::payload_format: case prop::request_problem_info: case prop::request_response_info: case prop::maximum_qos:
    case prop::retain_available: case prop::wildcard_available: case prop::subscription_ids_available: case prop::shared_available:
        in.u8();
        return;
    case prop::server_keep_alive: case prop::receive_maximum: case prop::topic_alias_maximum: case prop::topic_alias:
        in.u16();
        return;
    case prop::message_expiry: case prop::session_expiry: case prop::will_delay: case prop::maximum_packet_size:
        in.u32();
        return;
    case prop::subscription_id: in.varint(); return;
    case prop::user_property:
        in.binary();
        in.binary();
        return;
    case prop::content_type: case prop::response_topic: case prop::correlation_data: case prop::assigned_client_id:
    case prop::auth_method: case prop::auth_data: case prop::response_info: case prop::server_reference: case prop::reason_string:
        in.binary();
        return;
    }
    in.fail(reason::malformed_packet);
}

}

bool next_user_property(byte_view& rest, user_property_view& out) {
    reader in{rest};
    while (in.left() != 0) {
        auto const id = static_cast<prop>(in.u8());
        if (id != prop::user_property) {
            skip_value(in, id);
            continue;
        }
        out.key = as_text(in.binary());
        out.value = as_text(in.binary());
        rest = rest.last(in.left());
        return in.ok();
    }
    return false;
}

void append_user_property(bytes& out, std::string_view key, std::string_view value) {
    writer w{out};
    w.u8(static_cast<std::uint8_t>(prop::user_property));
    w.utf8(key);
    w.utf8(value);
}

byte_view forwardable_properties(byte_view raw, prop_set present, bytes& scratch) {
    if ((present & ~allowed::forwarded) == 0) return raw;
    scratch.clear();
    reader in{raw};
    while (in.left() != 0) {
        auto const* const begin = in.at();
        auto const id = in.u8();
        skip_value(in, static_cast<prop>(id));
        // Order is kept, of everything and so of User Properties. [MQTT-3.3.2-18]
        if (in.ok() && id < 64 && (allowed::forwarded >> id & 1)) scratch.insert(scratch.end(), begin, in.at());
    }
    return scratch;
}

}
