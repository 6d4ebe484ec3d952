#include "broker/way_out.hpp"

#include "broker/codec/writer.hpp"
#include "broker/handlers/operate.hpp"
#include "broker/log/log.hpp"

namespace airmail {
namespace {

/// The forwardable properties of a plugin's message, as a PUBLISH carries them.
bytes encode_properties(host::outgoing const& m) {
    using codec::prop;
    bytes out;
    codec::writer w(out);
    auto text = [&](prop p, std::string_view s) {
        if (s.empty()) return;
        w.u8(static_cast<std::uint8_t>(p));
        w.utf8(s);
    };
    text(prop::content_type, m.content_type);
    text(prop::response_topic, m.response_topic);
    text(prop::correlation_data, m.correlation_data);  // binary data has the same shape: two bytes of length, then the bytes
    if (!m.traceparent.empty()) {
        w.u8(static_cast<std::uint8_t>(prop::user_property));
        w.utf8("traceparent");
        w.utf8(m.traceparent);
    }
    return out;
}

}

void way_out::publish(host::outgoing const& m) {
    auto const properties = encode_properties(m);
    auto const now = world_.store->now_ms();
    storage::message_fields f;
    f.qos = m.qos;
    f.retain = m.retain;
    f.topic = m.topic;
    f.properties = properties;
    f.payload = as_bytes(m.payload);
    f.received_at_ms = now;
    f.expires_at_ms = m.expiry_s ? now + std::int64_t{m.expiry_s} * 1000 : 0;
    f.identity = m.plugin;
    handlers::publish(world_, storage::message::make(f));
}

void way_out::revoke(std::string_view token) {
    if (on_revoke) on_revoke(std::string(token));
}

void way_out::disconnect(std::string_view identity, std::uint8_t reason) {
    handlers::kick(world_, std::string(identity), static_cast<codec::reason>(reason), false);
}

void way_out::state_put(std::uint32_t plugin, std::uint64_t key, std::string_view value) {
    auto const b = as_bytes(value);
    storage::put_state change{plugin, key, {b.begin(), b.end()}};
    world_.store->submit(std::move(change), [plugin, key](boost::system::error_code ec, storage::lsn) {
        if (ec) log::warn("host", {{"plugin", plugin}, {"key", key}}, "a plugin's state was not stored: {}", ec.message());
    });
}

void way_out::state_scan(std::uint32_t plugin, std::function<bool(std::uint64_t, std::string_view)> const& f) {
    bool more = true;
    world_.store->scan_state(plugin, [&](std::uint64_t key, std::vector<std::uint8_t> value) {
        if (more) more = f(key, as_text(value));
    });
}

}
