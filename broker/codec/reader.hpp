#pragma once
// Takes fields off the front of a packet's body. Remembers its first failure and then returns empty values, so that a
// decoder reads like the specification and asks once, at the end, whether all went well.

#include "broker/codec/bytes.hpp"
#include "broker/codec/reason.hpp"
#include "broker/codec/utf8.hpp"
#include "broker/codec/varint.hpp"

namespace airmail::codec {

/// Reads network-order fields from borrowed bytes; every view it returns points into them.
class reader {
public:
    explicit reader(byte_view in) : at_(in.data()), end_(in.data() + in.size()) {}

    /// True while nothing has failed.
    bool ok() const { return why_ == reason::success; }
    /// The first failure, or success.
    reason why() const { return why_; }
    /// Remembers `r` unless something failed before, and leaves nothing to read.
    void fail(reason r) {
        if (ok()) why_ = r;
        at_ = end_;
    }

    /// Bytes not yet read.
    std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
    /// Where the next byte would come from.
    std::uint8_t const* at() const { return at_; }

    std::uint8_t u8() { return has(1) ? *at_++ : std::uint8_t{0}; }
    std::uint16_t u16() {
        if (!has(2)) return 0;
        at_ += 2;
        return static_cast<std::uint16_t>(at_[-2] << 8 | at_[-1]);
    }
    std::uint32_t u32() {
        if (!has(4)) return 0;
        at_ += 4;
        return std::uint32_t{at_[-4]} << 24 | std::uint32_t{at_[-3]} << 16 | std::uint32_t{at_[-2]} << 8 | at_[-1];
    }
    /// [MQTT-1.5.5-1]
    std::uint32_t varint() {
        auto const v = get_varint(at_, left());
        if (v.state != varint_step::done) {
            fail(reason::malformed_packet);
            return 0;
        }
        at_ += v.size;
        return v.value;
    }
    /// Exactly `n` bytes.
    byte_view take(std::size_t n) {
        if (!has(n)) return {};
        at_ += n;
        return {at_ - n, n};
    }
    /// Two bytes of length, then that many. [MQTT 5, 1.5.6]
    byte_view binary() { return take(u16()); }
    /// Two bytes of length, then text, checked. [MQTT 5, 1.5.4]
    std::string_view utf8() {
        auto const text = as_text(binary());
        if (!valid_utf8(text)) {
            fail(reason::malformed_packet);
            return {};
        }
        return text;
    }
    /// Whatever is left.
    byte_view rest() { return take(left()); }
    /// Bytes after the last field make the packet malformed.
    void finish() {
        if (left() != 0) fail(reason::malformed_packet);
    }

private:
    bool has(std::size_t n) {
        if (left() >= n) return true;
        fail(reason::malformed_packet);
        return false;
    }

    std::uint8_t const* at_;
    std::uint8_t const* end_;
    reason why_ = reason::success;
};

}
