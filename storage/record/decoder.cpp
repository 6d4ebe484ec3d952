#include "storage/record/crc32c.hpp"
#include "storage/record/message_generated.h"
#include "storage/record/qos2_in_generated.h"
#include "storage/record/retained_generated.h"
#include "storage/record/row.hpp"
#include "storage/record/session_generated.h"
#include "storage/record/subscription_generated.h"

namespace airmail::storage::record {

namespace {

std::uint32_t get32(std::uint8_t const* at) {
    return at[0] | at[1] << 8 | at[2] << 16 | static_cast<std::uint32_t>(at[3]) << 24;
}

std::string_view text(flatbuffers::String const* s) { return s ? std::string_view{s->c_str(), s->size()} : std::string_view{}; }

byte_view blob(flatbuffers::Vector<std::uint8_t> const* v) {
    return v ? byte_view{v->data(), v->size()} : byte_view{};
}

std::vector<std::uint8_t> copied(flatbuffers::Vector<std::uint8_t> const* v) {
    auto b = blob(v);
    return {b.begin(), b.end()};
}

template <class Row>
Row const& root(std::vector<std::uint64_t> const& words) {
    return *flatbuffers::GetRoot<Row>(words.data());
}

}

char const* name(kind k) {
    switch (k) {
    case kind::none: break;
    case kind::message: return "message";
    case kind::retained: return "retained";
    case kind::session: return "session";
    case kind::subscription: return "subscription";
    case kind::qos2_in: return "qos2_in";
    }
    return "unknown";
}

boost::system::result<kind> decoder::open(lsn key, byte_view row) {
    if (row.size() < head_bytes) return why_ = "shorter than its head", errc::damaged;
    std::uint64_t const key_bytes = __builtin_bswap64(key);
    auto crc = crc32c(crc32c(0, &key_bytes, 8), row.data(), 4);
    if (crc32c(crc, row.data() + head_bytes, row.size() - head_bytes) != get32(row.data() + 4))
        return why_ = "checksum does not match", errc::damaged;
    if (row[0] > version) return why_ = "written by a newer version", errc::version;
    bytes_ = row.size() - head_bytes;
    words_.resize((bytes_ + 7) / 8 + 1);
    std::memcpy(words_.data(), row.data() + head_bytes, bytes_);
    auto k = static_cast<kind>(row[1]);
    if (!verify(k)) return why_ = "not a well-formed record", errc::damaged;
    return k;
}

bool decoder::verify(kind k) {
    flatbuffers::Verifier v{reinterpret_cast<std::uint8_t const*>(words_.data()), bytes_};
    switch (k) {
    case kind::none: return false;
    case kind::message: return v.VerifyBuffer<record::message>(nullptr);
    case kind::retained: return v.VerifyBuffer<record::retained>(nullptr);
    case kind::session: return v.VerifyBuffer<record::session>(nullptr);
    case kind::subscription: return v.VerifyBuffer<record::subscription>(nullptr);
    case kind::qos2_in: return v.VerifyBuffer<record::qos2_in>(nullptr);
    }
    return false;
}

message const& decoder::message() const { return root<record::message>(words_); }
session const& decoder::session() const { return root<record::session>(words_); }
subscription const& decoder::subscription() const { return root<record::subscription>(words_); }
retained const& decoder::retained() const { return root<record::retained>(words_); }
qos2_in const& decoder::qos2_in() const { return root<record::qos2_in>(words_); }

message_ptr decoder::make_message() const {
    auto const& r = message();
    return storage::message::make({.tenant = r.tenant(),
                                   .qos = r.qos(),
                                   .retain = r.retain(),
                                   .topic = text(r.topic()),
                                   .properties = blob(r.properties()),
                                   .payload = blob(r.payload()),
                                   .expires_at_ms = r.expires_at_ms(),
                                   .received_at_ms = r.received_at_ms(),
                                   .publisher = r.publisher(),
                                   .identity = text(r.identity()),
                                   .client_id = text(r.client_id())});
}

session_record decoder::make_session() const {
    auto const& r = session();
    session_record s;
    s.number = r.number();
    s.tenant = r.tenant();
    s.identity = text(r.identity());
    s.client_id = text(r.client_id());
    s.expiry_s = r.expiry_s();
    s.disconnected_at_ms = r.disconnected_at_ms();
    s.protocol = r.protocol();
    s.listener = r.listener();
    if (auto const* w = r.armed()) {
        session_record::will_record will;
        will.topic = text(w->topic());
        will.payload = copied(w->payload());
        will.properties = copied(w->properties());
        will.qos = w->qos();
        will.retain = w->retain();
        will.delay_s = w->delay_s();
        will.message_expiry_s = w->message_expiry_s();
        s.will = std::move(will);   // not emplace(): clang 16 thinks that this nested struct has no default
    }
    return s;
}

subscription_record decoder::make_subscription() const {
    auto const& r = subscription();
    return {r.session(), std::string{text(r.filter())}, r.options(), r.subscription_id()};
}

boost::system::result<delivery> delivery::unpack(byte_view value, byte_view key) {
    if (value.size() != bytes || value[1] != version) return errc::damaged;
    if (crc32c(crc32c(0, key.data(), key.size()), value.data(), 8) != get32(value.data() + 8)) return errc::damaged;
    auto state = value[0] >> 3;
    if (state > static_cast<int>(delivery_state::received)) return errc::damaged;
    return delivery{.qos = static_cast<std::uint8_t>(value[0] & 3),
                    .retain = (value[0] & 4) != 0,
                    .state = static_cast<delivery_state>(state),
                    .packet_id = static_cast<std::uint16_t>(value[2] | value[3] << 8),
                    .subscription_id = get32(value.data() + 4)};
}

}
