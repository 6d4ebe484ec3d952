#include "broker/router/variants.hpp"

#include "broker/router/keyed_hash.hpp"

#include <algorithm>

namespace airmail::router {

variant const& variants::get(storage::message const& m, bool v5, std::uint8_t qos, bool retain, std::span<std::uint32_t const> ids,
                             std::int64_t now, std::uint16_t skip, session::outbound_aliases::choice alias) {
    if (of_ != &m) forget(), of_ = &m;
    if (!v5) ids = {};
    for (std::uint32_t i = 0; i < used_; ++i) {
        auto const& v = kept_[i];
        if (v.v5 == v5 && v.qos == qos && v.retain == retain && v.skip == skip && v.alias.alias == alias.alias && v.alias.known == alias.known &&
            std::ranges::equal(v.ids, ids))
            return v;
    }
    auto const slot = used_ < kept_.size() ? used_++ : oldest_++ % kept_.size();
    auto& v = kept_[slot];
    v.v5 = v5, v.qos = qos, v.retain = retain, v.alias = alias, v.skip = skip;
    v.ids.assign(ids.begin(), ids.end());
    codec::publish_parts p;
    p.qos = qos, p.retain = retain, p.topic = alias.known ? std::string_view{} : m.topic().substr(std::min<std::size_t>(skip, m.topic().size()));
    p.topic_alias = alias.alias;
    p.subscription_ids = ids;
    p.payload_size = m.payload().size();
    if (v5) {
        p.forwarded = m.properties();
        if (m.expires_at_ms()) {
            auto const left = std::max<std::int64_t>(m.expires_at_ms() - now, 0);
            p.message_expiry = static_cast<std::uint32_t>((left + 999) / 1000);  // [MQTT-3.3.2-6]
        }
    }
    auto const version = v5 ? codec::version::v5 : codec::version::v311;
    v.head.clear();
    v.layout = codec::encode_publish_header(v.head, p, version);
    v.wire_bytes = v.head.size() + p.payload_size;
    v.shared = p.payload_size > session::shared_payload_bytes;
    if (!v.shared) v.head.insert(v.head.end(), m.payload().begin(), m.payload().end());
    return v;
}

std::uint64_t variants::topic_hash(storage::message const& m) {
    if (of_ != &m) forget(), of_ = &m;
    if (!hashed_) hash_ = keyed_hash(m.topic()), hashed_ = true;
    return hash_;
}

void append(session::outlet& to, variant const& v, storage::message_ptr const& m, std::uint16_t packet_id, bool dup) {
    auto const patch = [&](std::uint8_t* packet) {
        if (v.qos == 0) return;
        codec::set_packet_id(packet, v.layout, packet_id);
        if (dup) codec::set_dup(packet);  // [MQTT-3.3.1-1]
    };
    if (v.shared) {
        thread_local bytes head;
        head.assign(v.head.begin(), v.head.end());
        patch(head.data());
        return to.out_shared(head, m);
    }
    auto& out = to.out();
    auto const at = out.size();
    out.insert(out.end(), v.head.begin(), v.head.end());
    patch(out.data() + at);
}

}
