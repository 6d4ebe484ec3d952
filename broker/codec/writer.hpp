#pragma once
// Appends fields to a buffer, in network order. Lengths that are only known afterwards are opened and closed.

#include "broker/codec/bytes.hpp"
#include "broker/codec/packets.hpp"
#include "broker/codec/varint.hpp"

#include <cassert>

namespace airmail::codec {

/// Writes to the end of a caller's buffer. Strings longer than 65,535 bytes are a broken invariant: callers check what
/// people typed, and what came from the wire cannot be longer.
class writer {
public:
    explicit writer(bytes& out) : out_(out) {}

    void u8(std::uint8_t v) { out_.push_back(v); }
    void u16(std::uint16_t v) { append({std::uint8_t(v >> 8), std::uint8_t(v)}); }
    void u32(std::uint32_t v) { append({std::uint8_t(v >> 24), std::uint8_t(v >> 16), std::uint8_t(v >> 8), std::uint8_t(v)}); }
    /// [MQTT-1.5.5-1]
    void varint(std::uint32_t v) {
        std::uint8_t room[4];
        raw({room, put_varint(room, v)});
    }
    void raw(byte_view b) { out_.insert(out_.end(), b.begin(), b.end()); }
    void binary(byte_view b) {
        assert(b.size() <= 65535);
        u16(static_cast<std::uint16_t>(b.size()));
        raw(b);
    }
    void utf8(std::string_view s) { binary(as_bytes(s)); }

    /// Begins a length-prefixed part; pass the result to close() when the part is written. Parts nest.
    std::size_t open() {
        out_.push_back(0);
        return out_.size();
    }
    /// Fills in the length of everything written since open(). Parts over 127 bytes are moved up by one to three bytes.
    void close(std::size_t begin) {
        auto const size = out_.size() - begin;
        assert(size <= varint_max);
        std::uint8_t room[4];
        auto const* const end = put_varint(room, static_cast<std::uint32_t>(size));
        out_[begin - 1] = room[0];
        out_.insert(out_.begin() + static_cast<std::ptrdiff_t>(begin), static_cast<std::uint8_t const*>(room + 1), end);
    }
    /// Begins a packet: first byte, then an open Remaining Length.
    std::size_t begin(packet_type type, std::uint8_t flags = 0) {
        u8(static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4 | flags));
        return open();
    }

private:
    void append(std::initializer_list<std::uint8_t> b) { out_.insert(out_.end(), b); }
    bytes& out_;
};

}
