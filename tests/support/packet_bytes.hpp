#pragma once
// Packets written by hand, in a notation close to the wire: `10[<MQTT>05 02 003C [] <c1>]`.

#include "broker/codec/bytes.hpp"

#include <stdexcept>
#include <string_view>

namespace airmail::test {

/// Reads the notation: pairs of hex digits are bytes; `'text'` is the text; `<text>` is the text after its length in two
/// bytes; `[...]` is a part after its length as a Variable Byte Integer; blanks mean nothing.
class packet_notation {
public:
    static bytes read(std::string_view text) {
        packet_notation n{text};
        bytes out;
        n.part(out, '\0');
        return out;
    }

private:
    explicit packet_notation(std::string_view text) : rest_(text) {}

    char take() {
        if (rest_.empty()) throw std::invalid_argument("packet notation ends too early");
        char const c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }
    std::string_view until(char end) {
        auto const n = rest_.find(end);
        if (n == rest_.npos) throw std::invalid_argument("packet notation: unclosed text");
        auto const text = rest_.substr(0, n);
        rest_.remove_prefix(n + 1);
        return text;
    }
    static unsigned digit(char c) {
        auto const at = std::string_view("0123456789ABCDEF").find(c);
        if (at == std::string_view::npos) throw std::invalid_argument("packet notation: not a hex digit");
        return static_cast<unsigned>(at);
    }
    static void add(bytes& out, byte_view b) { out.insert(out.end(), b.begin(), b.end()); }

    void part(bytes& out, char end) {
        while (end != '\0' || !rest_.empty()) {
            char const c = take();
            if (c == end) return;
            one(out, c);
        }
    }
    void one(bytes& out, char c) {
        if (c == ' ') return;
        if (c == '\'') return add(out, as_bytes(until('\'')));
        if (c == '<') {
            auto const text = until('>');
            add(out, bytes{std::uint8_t(text.size() >> 8), std::uint8_t(text.size())});
            return add(out, as_bytes(text));
        }
        if (c == '[') {
            bytes inner;
            part(inner, ']');
            auto rest = inner.size();
            do out.push_back(static_cast<std::uint8_t>(rest % 128 | (rest > 127 ? 0x80 : 0)));
            while (rest /= 128);
            return add(out, inner);
        }
        auto const high = digit(c);
        out.push_back(static_cast<std::uint8_t>(high << 4 | digit(take())));
    }

    std::string_view rest_;
};

/// The bytes that `notation` stands for. Throws std::invalid_argument when it is not one.
inline bytes packet(std::string_view notation) { return packet_notation::read(notation); }

}
