#include "storage/record/crc32c.hpp"
#include "storage/record/message_generated.h"
#include "storage/record/qos2_in_generated.h"
#include "storage/record/retained_generated.h"
#include "storage/record/row.hpp"
#include "storage/record/session_generated.h"
#include "storage/record/subscription_generated.h"

namespace airmail::storage::record {

namespace {

auto text(flatbuffers::FlatBufferBuilder& b, std::string_view s) { return b.CreateString(s.data(), s.size()); }

/// Empty vectors are left out: the reader sees null and means empty.
flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> blob(flatbuffers::FlatBufferBuilder& b, byte_view v) {
    return v.empty() ? 0 : b.CreateVector(v.data(), v.size());
}

void put32(std::uint8_t* to, std::uint32_t v) {
    for (int i = 0; i < 4; ++i) to[i] = static_cast<std::uint8_t>(v >> (8 * i));
}

}

byte_view encoder::finished() { return {b_.GetBufferPointer(), b_.GetSize()}; }

byte_view encoder::message(storage::message const& m, std::uint32_t consumers) {
    b_.Clear();
    auto payload = blob(b_, m.payload());
    auto properties = blob(b_, m.properties());
    auto topic = text(b_, m.topic());
    flatbuffers::Offset<flatbuffers::String> identity = 0, client_id = 0;
    if (!m.identity().empty()) identity = text(b_, m.identity());
    if (!m.client_id().empty()) client_id = text(b_, m.client_id());
    b_.Finish(Createmessage(b_, m.tenant(), m.qos(), m.retain(), topic, properties, payload, m.expires_at_ms(),
                            m.received_at_ms(), m.publisher(), identity, client_id, consumers));
    return finished();
}

byte_view encoder::session(session_record const& r) {
    b_.Clear();
    flatbuffers::Offset<record::will> armed = 0;
    if (r.will) {
        auto payload = blob(b_, r.will->payload);
        auto properties = blob(b_, r.will->properties);
        auto topic = text(b_, r.will->topic);
        armed = Createwill(b_, topic, payload, properties, r.will->qos, r.will->retain, r.will->delay_s,
                           r.will->message_expiry_s);
    }
    auto identity = text(b_, r.identity);
    auto client_id = text(b_, r.client_id);
    b_.Finish(Createsession(b_, r.number, r.tenant, identity, client_id, r.expiry_s, r.disconnected_at_ms, r.protocol,
                            armed, false, r.listener));
    return finished();
}

byte_view encoder::session_dropped(session_number n) {
    b_.Clear();
    sessionBuilder s{b_};
    s.add_number(n);
    s.add_dropped(true);
    b_.Finish(s.Finish());
    return finished();
}

byte_view encoder::subscription(subscription_record const& r) {
    b_.Clear();
    auto filter = text(b_, r.filter);
    b_.Finish(Createsubscription(b_, r.session, filter, r.options, r.subscription_id, false));
    return finished();
}

byte_view encoder::subscription_dropped(session_number n, std::string_view filter) {
    b_.Clear();
    auto f = text(b_, filter);
    b_.Finish(Createsubscription(b_, n, f, 0, 0, true));
    return finished();
}

byte_view encoder::retained(lsn message) {
    b_.Clear();
    b_.Finish(Createretained(b_, message));
    return finished();
}

byte_view encoder::retained_cleared(std::uint32_t tenant, std::string_view topic) {
    b_.Clear();
    auto t = text(b_, topic);
    b_.Finish(Createretained(b_, 0, tenant, t));
    return finished();
}

byte_view encoder::qos2_in(session_number n, std::uint16_t packet_id) {
    b_.Clear();
    b_.Finish(Createqos2_in(b_, n, packet_id));
    return finished();
}

void seal(std::uint8_t* to, lsn key, kind k, byte_view body) {
    to[0] = version;
    to[1] = static_cast<std::uint8_t>(k);
    to[2] = static_cast<std::uint8_t>(node_id);
    to[3] = static_cast<std::uint8_t>(node_id >> 8);
    std::memcpy(to + head_bytes, body.data(), body.size());
    std::uint64_t const key_bytes = __builtin_bswap64(key);
    auto crc = crc32c(crc32c(0, &key_bytes, 8), to, 4);
    put32(to + 4, crc32c(crc, to + head_bytes, body.size()));
}

void delivery::pack(std::uint8_t* to, byte_view key) const {
    to[0] = static_cast<std::uint8_t>((qos & 3) | (retain ? 4 : 0) | static_cast<std::uint8_t>(state) << 3);
    to[1] = version;
    to[2] = static_cast<std::uint8_t>(packet_id);
    to[3] = static_cast<std::uint8_t>(packet_id >> 8);
    put32(to + 4, subscription_id);
    put32(to + 8, crc32c(crc32c(0, key.data(), key.size()), to, 8));
}

}
