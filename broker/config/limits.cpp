#include "broker/config/limits.hpp"

#include <algorithm>

namespace airmail::config {
namespace {

std::uint32_t n32(listener const& l, std::string_view name) { return static_cast<std::uint32_t>(std::min<std::int64_t>(l.number(name), UINT32_MAX)); }
std::uint16_t n16(listener const& l, std::string_view name) { return static_cast<std::uint16_t>(std::min<std::int64_t>(l.number(name), UINT16_MAX)); }
std::uint32_t size32(listener const& l, std::string_view name) { return static_cast<std::uint32_t>(std::min<std::uint64_t>(l.size(name), UINT32_MAX)); }
std::uint32_t seconds32(std::chrono::milliseconds t) { return static_cast<std::uint32_t>(std::min<std::int64_t>(t.count() / 1000, UINT32_MAX)); }

bool set(listener const& l, std::string_view name) { return l.where(name) != "default"; }

/// A Mosquitto directive that was written anywhere wins over our default, not over our directive written beside it.
bool wins(listener const& l, std::string_view theirs, std::string_view ours) { return set(l, theirs) && !l.written(ours); }

void fill_sizes(limits& out, listener const& l) {
    out.packet_before_login = size32(l, "limit_packet_before_login");
    out.packet = size32(l, "limit_packet");
    if (l.size("max_packet_size") > 0 && wins(l, "max_packet_size", "limit_packet")) out.packet = size32(l, "max_packet_size");
    out.packet = std::min<std::uint32_t>(out.packet, 268'435'460);   // Remaining Length and its header [MQTT-2.1.4]
    out.packet_before_login = std::min(out.packet_before_login, out.packet);
    out.payload = size32(l, "message_size_limit");
    out.topic_length = n32(l, "limit_topic_length");
    out.topic_levels = n32(l, "limit_topic_levels");
    out.user_properties = n32(l, "limit_user_properties");
    out.user_properties_bytes = size32(l, "limit_user_properties_size");
    out.retained_payload = size32(l, "limit_retained_payload");
    out.will_payload = size32(l, "limit_will_payload");
    out.output_pause = size32(l, "limit_output_pause");
    out.output_cut = size32(l, "limit_output_cut");
}

void fill_flow(limits& out, listener const& l) {
    // 0 would forbid QoS 1 altogether: Mosquitto means "no limit" by it.
    auto const window = [](std::uint16_t n) { return n == 0 ? std::uint16_t{65535} : n; };
    out.receive_maximum_in = window(n16(l, "limit_receive_maximum_in"));
    out.receive_maximum_out = window(n16(l, "limit_receive_maximum_out"));
    if (wins(l, "max_inflight_messages", "limit_receive_maximum_out")) out.receive_maximum_out = window(n16(l, "max_inflight_messages"));
    out.topic_alias_in = wins(l, "max_topic_alias", "limit_topic_alias_in") ? n16(l, "max_topic_alias") : n16(l, "limit_topic_alias_in");
    out.topic_alias_out = wins(l, "max_topic_alias_broker", "limit_topic_alias_out") ? n16(l, "max_topic_alias_broker") : n16(l, "limit_topic_alias_out");
    out.queue_messages = wins(l, "max_queued_messages", "limit_queue_messages") ? n32(l, "max_queued_messages") : n32(l, "limit_queue_messages");
    out.queue_bytes = l.size("limit_queue_size");
    if (l.size("max_queued_bytes") > 0 && wins(l, "max_queued_bytes", "limit_queue_size")) out.queue_bytes = l.size("max_queued_bytes");
    out.in_flight_bytes = static_cast<std::uint32_t>(std::min<std::int64_t>(l.number("max_inflight_bytes"), UINT32_MAX));
    out.queue_qos0 = l.flag("queue_qos0_messages");
    out.publish_rate = n32(l, "limit_publish_rate");
    out.publish_burst = n32(l, "limit_publish_burst");
    out.publish_bytes_rate = l.size("limit_publish_bytes");
    out.stalled_writer = l.duration("limit_stalled_writer");
}

void fill_sessions(limits& out, listener const& l) {
    out.filters = n32(l, "limit_filters_per_client");
    auto expiry = l.duration("limit_session_expiry");
    if (wins(l, "persistent_client_expiration", "limit_session_expiry")) expiry = l.duration("persistent_client_expiration");
    out.session_expiry_s = expiry.count() == 0 ? UINT32_MAX : std::max(1u, seconds32(expiry));
    out.sessions_per_identity = n32(l, "limit_sessions_per_identity");
    out.maximum_qos = static_cast<std::uint8_t>(l.number("max_qos"));
    out.retain_available = l.flag("retain_available");
    out.retained_per_identity = n32(l, "limit_retained_per_identity");
    out.will_delay_s = seconds32(l.duration("limit_will_delay"));
    out.keepalive_s = static_cast<std::uint16_t>(std::min<std::uint32_t>(seconds32(l.duration("limit_keepalive")), UINT16_MAX));
    bool const asked = wins(l, "max_keepalive", "limit_keepalive");
    if (asked) out.keepalive_s = n16(l, "max_keepalive");
    out.refuse_v3_keepalive = !l.device() && asked && out.keepalive_s;
}

}

limits limits_of(listener const& l) {
    limits out;
    fill_sizes(out, l);
    fill_flow(out, l);
    fill_sessions(out, l);
    out.connect_timeout = l.duration("limit_connect_timeout");
    out.connections = l.number("max_connections") < 0 ? 0 : n32(l, "max_connections");
    out.client_logins = n32(l, "limit_client_logins");
    out.client_backoff = l.duration("limit_client_backoff");
    out.client_backoff_max = l.duration("limit_client_backoff_max");
    out.handshakes = n32(l, "tls_handshakes_max");
    out.handshake_timeout = l.duration("tls_handshake_timeout");
    return out;
}

}
