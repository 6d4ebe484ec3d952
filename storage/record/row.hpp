#pragma once
// The rows of the log as bytes: an 8-byte head (version, kind, node, checksum) and a flatbuffer.
//
//   offset 0  u8      version of the row format (1)
//   offset 1  u8      kind
//   offset 2  u16 LE  node_id that wrote it (1 until there is a cluster)
//   offset 4  u32 LE  CRC-32C over the row's LSN (8 bytes, big-endian), bytes 0-3 and the flatbuffer
//   offset 8          flatbuffer, by kind
//
// The checksum covers the key, so that a row found under another row's number does not pass.

#include "storage/store.hpp"

#include <cstring>
#include <flatbuffers/flatbuffers.h>
#include <span>

namespace airmail::storage::record {

struct message;
struct session;
struct subscription;
struct retained;
struct qos2_in;

enum class kind : std::uint8_t { none = 0, message = 1, retained = 2, session = 3, subscription = 4, qos2_in = 5 };

inline constexpr std::uint8_t version = 1;
inline constexpr std::uint16_t node_id = 1;
inline constexpr std::size_t head_bytes = 8;

using byte_view = std::span<std::uint8_t const>;

/// Word for a kind, for the line that names a damaged record.
char const* name(kind k);

/// Builds flatbuffers, one at a time; the returned view dies with the next call. Owned by: the writer thread.
class encoder {
public:
    byte_view message(storage::message const& m, std::uint32_t consumers);
    byte_view session(session_record const& r);
    byte_view session_dropped(session_number n);
    byte_view subscription(subscription_record const& r);
    byte_view subscription_dropped(session_number n, std::string_view filter);
    byte_view retained(lsn message);
    byte_view retained_cleared(std::uint32_t tenant, std::string_view topic);
    byte_view qos2_in(session_number n, std::uint16_t packet_id);

private:
    byte_view finished();
    flatbuffers::FlatBufferBuilder b_{4096};
};

/// Writes head and body to `to`, which has room for head_bytes + body.size().
void seal(std::uint8_t* to, lsn key, kind k, byte_view body);

/// Opens rows: copies them to aligned memory (LMDB's pages align to 2) and checks version, checksum and structure
/// before anything is read. One per reading thread; what it returns dies with the next open().
class decoder {
public:
    /// Checks the row stored under `key`. errc::damaged or errc::version; `why()` then says what was wrong.
    boost::system::result<kind> open(lsn key, byte_view row);
    char const* why() const { return why_; }

    record::message const& message() const;             // each only after open() said this kind
    record::session const& session() const;
    record::subscription const& subscription() const;
    record::retained const& retained() const;
    record::qos2_in const& qos2_in() const;

    message_ptr make_message() const;
    session_record make_session() const;
    subscription_record make_subscription() const;

private:
    bool verify(kind k);
    std::vector<std::uint64_t> words_;
    std::size_t bytes_ = 0;
    char const* why_ = "";
};

/// Where one delivery stands: the value of the `ref` table, 12 bytes.
///   0 u8: bits 0-1 QoS, bit 2 RETAIN, bits 3-4 state   1 u8: version (1)   2 u16 LE packet id   4 u32 LE subscription id
///   8 u32 LE CRC-32C over the key (12 bytes) and bytes 0-7
struct delivery {
    std::uint8_t qos = 1;
    bool retain = false;
    delivery_state state = delivery_state::queued;
    std::uint16_t packet_id = 0;
    std::uint32_t subscription_id = 0;

    static constexpr std::size_t bytes = 12;
    void pack(std::uint8_t* to, byte_view key) const;
    /// errc::damaged when size, checksum or a field is wrong.
    static boost::system::result<delivery> unpack(byte_view value, byte_view key);
};

}
