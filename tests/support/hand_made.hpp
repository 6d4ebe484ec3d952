#pragma once
// What a packet should look like, in the notation of packet_bytes.hpp with two wildcards: `??` is any byte, `..` is the rest of
// the part it stands in. Nothing of the broker's codec is used: who reads with the code under test proves nothing.

#include "tests/support/packet_bytes.hpp"

#include <string>

namespace airmail::test {

/// Compares bytes with a pattern. `why` is empty when they match, else it says where they part.
class packet_pattern {
public:
    static std::string compare(std::string_view pattern, byte_view packet) {
        packet_pattern p{pattern};
        std::size_t at = 0;
        if (!p.part(packet, at, '\0') && p.why_.empty()) p.why_ = "differs";
        if (p.why_.empty() && at != packet.size()) p.why_ = std::to_string(packet.size() - at) + " bytes more than expected";
        return p.why_;
    }
    /// The first packet's size at the front of `stream`, header included; 0 = not whole yet. Reads the fixed header by hand.
    static std::size_t first_packet(byte_view stream) {
        std::size_t length = 0, shift = 0, at = 1;
        for (; at < stream.size() && at < 5; ++at, shift += 7) {
            length |= std::size_t{stream[at] & 0x7FU} << shift;
            if (!(stream[at] & 0x80)) return stream.size() >= at + 1 + length ? at + 1 + length : 0;
        }
        return 0;
    }
    static std::string hex(byte_view b) {
        static constexpr char digits[] = "0123456789ABCDEF";
        std::string out;
        for (auto c : b) {
            if (!out.empty()) out += ' ';
            out += digits[c >> 4], out += digits[c & 15];
            if (c >= 0x20 && c < 0x7F) out += '\'', out += static_cast<char>(c), out += '\'';
        }
        return out.empty() ? "nothing" : out;
    }

private:
    explicit packet_pattern(std::string_view text) : rest_{text} {}

    bool fail(std::size_t at, std::string what) {
        why_ = "at byte " + std::to_string(at) + " of its part: " + std::move(what);
        return false;
    }
    std::string_view until(char end) {
        auto const n = rest_.find(end);
        if (n == rest_.npos) throw std::invalid_argument("packet pattern: unclosed text");
        auto const text = rest_.substr(0, n);
        rest_.remove_prefix(n + 1);
        return text;
    }
    bool same(byte_view in, std::size_t& at, byte_view wanted) {
        if (in.size() - at < wanted.size() || !std::equal(wanted.begin(), wanted.end(), in.begin() + static_cast<std::ptrdiff_t>(at)))
            return fail(at, "wanted " + hex(wanted) + ", found " + hex(in.subspan(at, std::min(in.size() - at, wanted.size()))));
        at += wanted.size();
        return true;
    }
    bool part(byte_view in, std::size_t& at, char end) {
        while (!rest_.empty() || end != '\0') {
            if (rest_.empty()) throw std::invalid_argument("packet pattern: a part is not closed");
            char const c = rest_.front();
            rest_.remove_prefix(1);
            if (c == end) return at == in.size() || fail(at, std::to_string(in.size() - at) + " bytes too many: " + hex(in.subspan(at)));
            if (!one(in, at, c)) return false;
        }
        return true;
    }
    bool one(byte_view in, std::size_t& at, char c) {
        if (c == ' ') return true;
        if (c == '\'') return same(in, at, as_bytes(until('\'')));
        if (c == '.') return rest_.remove_prefix(1), at = in.size(), true;
        if (c == '?') {
            rest_.remove_prefix(1);
            return at < in.size() ? ++at, true : fail(at, "the packet ends here");
        }
        if (c == '<') {
            auto const text = until('>');
            bytes const length{std::uint8_t(text.size() >> 8), std::uint8_t(text.size())};
            return same(in, at, length) && same(in, at, as_bytes(text));
        }
        if (c == '[') return inner(in, at);
        std::string const pair{c, rest_.at(0)};
        rest_.remove_prefix(1);
        auto const byte = packet(pair);
        return same(in, at, byte);
    }
    bool inner(byte_view in, std::size_t& at) {
        std::size_t length = 0, shift = 0, begin = at;
        do {
            if (at >= in.size() || at - begin == 4) return fail(begin, "a length should stand here");
            length |= std::size_t{in[at] & 0x7FU} << shift, shift += 7;
        } while (in[at++] & 0x80);
        if (at - begin > 1 && in[at - 1] == 0) return fail(begin, "a length with more bytes than it needs");
        if (in.size() - at < length) return fail(begin, "a part longer than its packet");
        std::size_t within = 0;
        if (!part(in.subspan(at, length), within, ']')) return false;
        at += length;
        return true;
    }

    std::string_view rest_;
    std::string why_;
};

}
