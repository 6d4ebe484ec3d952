#include "broker/host/message_properties.hpp"

#include "broker/codec/properties.hpp"
#include "broker/codec/reader.hpp"

namespace airmail::host {

message_properties read_message_properties(std::span<std::uint8_t const> bytes) {
    message_properties out;
    codec::reader in{byte_view{bytes.data(), bytes.size()}};
    auto text = [&] {
        auto b = in.binary();
        return std::string_view{reinterpret_cast<char const*>(b.data()), b.size()};
    };
    while (in.ok() && in.left() > 0) {
        switch (static_cast<codec::prop>(in.u8())) {
        case codec::prop::payload_format: in.u8(); break;
        case codec::prop::content_type: out.content_type = text(); break;
        case codec::prop::response_topic: out.response_topic = text(); break;
        case codec::prop::correlation_data: out.correlation_data = text(); break;
        case codec::prop::user_property: {
            auto key = text(), value = text();
            if (key == "traceparent") out.traceparent = value;     // W3C Trace Context for MQTT
            break;
        }
        default: return out;
        }
    }
    return out;
}

}
