// What a caller asks of a connected client: checked, encoded, queued; written once per loop turn.

#include "broker/codec/publish.hpp"
#include "broker/codec/subscribe.hpp"
#include "broker/codec/topic.hpp"
#include "broker/codec/unsubscribe.hpp"
#include "broker/codec/utf8.hpp"
#include "tools/client/client.hpp"
#include "tools/client/encode_options.hpp"

namespace airmail::client {
namespace {

bool valid_filter(std::string_view filter) {
    return filter.size() <= 65535 && codec::valid_utf8(filter) && codec::split_filter(filter).has_value();
}

}

error_code client::check(std::size_t size) const {
    auto const waiting = queued_bytes() + held_bytes_;
    if (server_packet_max_ && size > server_packet_max_) return errc::packet_too_large;  // [MQTT-3.2.2-15]
    if (waiting > 0 && waiting + size > queue_bytes_max_) return errc::queue_full;       // one alone may be larger
    return {};
}

result<std::uint16_t> client::publish(publication const& p) {
    if (!online()) return errc::not_connected;
    if (!encodable(p) || p.topic_alias > server_alias_max_) return errc::invalid_argument;  // [MQTT-3.2.2-17]
    if (p.qos > 0 && !inflight_.has_id()) return errc::packet_ids_exhausted;
    auto const size = codec::publish_size({.qos = p.qos, .topic = p.topic, .payload_size = p.payload.size()}, version_);
    if (auto const ec = check(size)) return refused(ec);  // before memory is spent on it
    auto const id = p.qos > 0 ? inflight_.next_id() : std::uint16_t{0};
    auto const begin = out_.size();
    encode_publish(out_, p, id, version_);
    auto const at = out_.begin() + static_cast<std::ptrdiff_t>(begin);
    if (server_packet_max_ && out_.size() - begin > server_packet_max_) {  // properties made the difference
        out_.resize(begin);
        return errc::packet_too_large;
    }
    if (p.qos > 0 && send_quota_ == 0) {
        auto& e = inflight_.add(inflight::state::held, p.qos);  // [MQTT-3.3.4-7]
        e.packet.assign(at, out_.end());
        held_bytes_ += e.packet.size();
        out_.resize(begin);
        return id;
    }
    ++counted_.packets_out;
    if (p.qos > 0) {
        --send_quota_;  // [MQTT-4.9.0-2]
        auto& e = inflight_.add(inflight::state::sent, p.qos);
        if (resumable_) e.packet.assign(at, out_.end());
    }
    schedule_flush();
    return id;
}

error_code client::refused(error_code why) {
    if (why == make_error_code(errc::queue_full)) ++counted_.dropped;
    return why;
}

void client::send_held() {
    for (auto it = inflight_.begin(); it != inflight_.end() && send_quota_ > 0 && held_bytes_ > 0; ++it) {
        if (it->now != inflight::state::held) continue;
        out_.insert(out_.end(), it->packet.begin(), it->packet.end());
        ++counted_.packets_out;
        held_bytes_ -= it->packet.size();
        it->now = inflight::state::sent;
        --send_quota_;
        if (!resumable_) bytes{}.swap(it->packet);
    }
    schedule_flush();
}

result<std::uint16_t> client::subscribe(std::span<subscription const> filters, std::uint32_t id) {
    if (!online()) return errc::not_connected;
    if (filters.empty() || filters.size() > 65535 || id > codec::varint_max) return errc::invalid_argument;
    if (!inflight_.has_id()) return errc::packet_ids_exhausted;
    bytes encoded;
    for (auto const& s : filters) {
        if (!valid_filter(s.filter) || s.qos > 2 || s.retain_handling > 2) return errc::invalid_argument;
        codec::append_filter(encoded, {s.filter, s.qos, s.no_local, s.retain_as_published, s.retain_handling}, version_);
    }
    if (auto const ec = check(encoded.size() + 16)) return ec;
    codec::subscribe_view p;
    p.packet_id = inflight_.add(inflight::state::request, 0).id;
    p.filters = encoded;
    if (id != 0 && version_ == codec::version::v5) {
        p.props.subscription_ids[0] = id;
        p.props.subscription_id_count = 1;
        p.props.add(codec::prop::subscription_id);
    }
    codec::encode(out_, p, version_);
    ++counted_.packets_out;
    schedule_flush();
    return p.packet_id;
}

result<std::uint16_t> client::unsubscribe(std::span<std::string_view const> filters) {
    if (!online()) return errc::not_connected;
    if (filters.empty() || filters.size() > 65535) return errc::invalid_argument;
    if (!inflight_.has_id()) return errc::packet_ids_exhausted;
    bytes encoded;
    for (auto f : filters) {
        if (!valid_filter(f)) return errc::invalid_argument;
        codec::append_filter(encoded, f);
    }
    if (auto const ec = check(encoded.size() + 16)) return ec;
    codec::unsubscribe_view p;
    p.packet_id = inflight_.add(inflight::state::request, 0).id;
    p.filters = encoded;
    codec::encode(out_, p, version_);
    ++counted_.packets_out;
    schedule_flush();
    return p.packet_id;
}

}
