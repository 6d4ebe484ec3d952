#pragma once
// The fields of one flat JSON object, without building a document: what 33,333 heartbeats a second can afford. The whole text is
// checked against the grammar (RFC 8259) and UTF-8; nested values are checked and handed over as raw text. No allocation unless a
// string holds an escape.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace airmail::plugins::kit {

/// One member's value. `text`: a string without its quotes and escapes, otherwise the JSON text. Valid during the callback.
struct field {
    enum class kind { string, number, boolean, null, nested };
    kind what = kind::null;
    std::string_view text;

    bool is_string() const { return what == kind::string; }
    /// A whole number (also 45.0); nullopt for everything else.
    std::optional<std::int64_t> integer() const;
    /// A string's or number's text; nullopt otherwise.
    std::optional<std::string_view> word() const;
};

inline constexpr std::size_t payload_bytes_max = 16 * 1024;     // PRODUCT, the wire contract

/// At most `bytes` of a text, without cutting a character in two.
inline std::string_view clip(std::string_view s, std::size_t bytes) {
    if (s.size() <= bytes) return s;
    while (bytes > 0 && (static_cast<unsigned char>(s[bytes]) & 0xC0) == 0x80) --bytes;
    return s.substr(0, bytes);
}

/// Calls `each` per member in order; a repeated name is called again (the last one wins, by habit of the callers).
/// @return false when the text is no JSON object, not UTF-8, deeper than 16, or longer than payload_bytes_max
bool each_field(std::string_view json, std::function<void(std::string_view name, field const& value)> const& each);

}
