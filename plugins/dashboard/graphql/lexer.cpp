#include "plugins/dashboard/graphql/lexer.hpp"

#include <algorithm>

namespace airmail::dashboard::graphql {
namespace {

bool name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool name_part(char c) { return name_start(c) || digit(c); }

/// BlockStringValue of the specification: common indentation goes, and empty first and last lines.
std::string dedent(std::string_view raw) {
    std::vector<std::string_view> lines;
    for (std::size_t i = 0, from = 0; i <= raw.size(); ++i)
        if (i == raw.size() || raw[i] == '\n') lines.push_back(raw.substr(from, i - from)), from = i + 1;
    auto blanks = [](std::string_view l) {
        std::size_t n = 0;
        while (n < l.size() && (l[n] == ' ' || l[n] == '\t')) ++n;
        return n;
    };
    std::size_t common = raw.size() + 1;
    for (std::size_t i = 1; i < lines.size(); ++i)
        if (auto n = blanks(lines[i]); n < lines[i].size()) common = std::min(common, n);
    if (common <= raw.size())
        for (std::size_t i = 1; i < lines.size(); ++i) lines[i].remove_prefix(std::min(common, lines[i].size()));
    std::size_t first = 0, last = lines.size();
    while (first < last && blanks(lines[first]) == lines[first].size()) ++first;
    while (last > first && blanks(lines[last - 1]) == lines[last - 1].size()) --last;
    std::string out;
    for (auto i = first; i < last; ++i) (out += i == first ? "" : "\n") += lines[i];
    return out;
}

}

void append_utf8(std::string& out, std::uint32_t c) {
    if (c < 0x80) out += static_cast<char>(c);
    else if (c < 0x800) (out += static_cast<char>(0xC0 | c >> 6)) += static_cast<char>(0x80 | (c & 0x3F));
    else if (c < 0x10000) ((out += static_cast<char>(0xE0 | c >> 12)) += static_cast<char>(0x80 | (c >> 6 & 0x3F))) += static_cast<char>(0x80 | (c & 0x3F));
    else (((out += static_cast<char>(0xF0 | c >> 18)) += static_cast<char>(0x80 | (c >> 12 & 0x3F))) += static_cast<char>(0x80 | (c >> 6 & 0x3F))) += static_cast<char>(0x80 | (c & 0x3F));
}

bool is_utf8(std::string_view s) {
    for (std::size_t i = 0; i < s.size();) {
        auto b = static_cast<unsigned char>(s[i]);
        std::size_t n = b < 0x80 ? 1 : b >= 0xC2 && b < 0xE0 ? 2 : b >= 0xE0 && b < 0xF0 ? 3 : b >= 0xF0 && b < 0xF5 ? 4 : 0;
        if (n == 0 || i + n > s.size()) return false;
        std::uint32_t c = n == 1 ? b : b & (0xFF >> (n + 1));
        for (std::size_t k = 1; k < n; ++k) {
            auto x = static_cast<unsigned char>(s[i + k]);
            if ((x & 0xC0) != 0x80) return false;
            c = c << 6 | (x & 0x3F);
        }
        if ((n == 3 && (c < 0x800 || (c >= 0xD800 && c < 0xE000))) || (n == 4 && (c < 0x10000 || c > 0x10FFFF))) return false;
        i += n;
    }
    return true;
}

void lexer::skip_ignored() {
    for (; at_ < in_.size(); ++at_) {
        char c = in_[at_];
        if (c == '\n' || c == '\r') {
            if (c == '\r' && peek(1) == '\n') ++at_;
            ++line_, line_start_ = at_ + 1;
        } else if (c == '#') {
            while (at_ + 1 < in_.size() && in_[at_ + 1] != '\n' && in_[at_ + 1] != '\r') ++at_;
        } else if (at_ == 0 && in_.substr(0, 3) == "\xEF\xBB\xBF") at_ += 2;
        else if (c != ' ' && c != '\t' && c != ',') return;
    }
}

token lexer::next() {
    skip_ignored();
    token t;
    t.at = here();
    if (at_ >= in_.size()) return t;
    char c = in_[at_];
    std::size_t length = 1;
    if (name_start(c)) {
        while (name_part(peek(length))) ++length;
        t.what = token::kind::name;
    } else if (digit(c) || c == '-') return number(t);
    else if (c == '"') return in_.substr(at_, 3) == "\"\"\"" ? block_text(t) : text(t);
    else if (in_.substr(at_, 3) == "...") t.what = token::kind::punctuator, length = 3;
    else if (std::string_view{"!$&()=:@[]{}|"}.find(c) != std::string_view::npos) t.what = token::kind::punctuator;
    else fail("Unexpected character.");
    t.raw = in_.substr(at_, length), at_ += length;
    return t;
}

token lexer::number(token t) {
    auto from = at_;
    auto digits = [&] {
        if (!digit(peek())) fail("Invalid number, expected digit.");
        while (digit(peek())) ++at_;
    };
    t.what = token::kind::integer;
    if (peek() == '-') ++at_;
    if (peek() == '0') {
        if (digit(peek(1))) fail("Invalid number, unexpected digit after 0.");
        ++at_;
    } else digits();
    if (peek() == '.') t.what = token::kind::real, ++at_, digits();
    if (peek() == 'e' || peek() == 'E') {
        t.what = token::kind::real, ++at_;
        if (peek() == '+' || peek() == '-') ++at_;
        digits();
    }
    if (peek() == '.' || name_start(peek())) fail("Invalid number, expected digit.");
    t.raw = in_.substr(from, at_ - from);
    return t;
}

std::uint32_t lexer::hex(std::size_t at, std::size_t digits) const {
    std::uint32_t v = 0;
    if (digits == 0 || digits > 8 || at + digits > in_.size()) return 0xFFFFFFFF;
    for (auto c : in_.substr(at, digits)) {
        int d = digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (d < 0) return 0xFFFFFFFF;
        v = v << 4 | static_cast<std::uint32_t>(d);
    }
    return v;
}

/// At the backslash; afterwards behind the escape.
void lexer::escape(std::string& out) {
    char c = peek(1);
    if (auto i = std::string_view{"\"\\/bfnrt"}.find(c); c && i != std::string_view::npos) {
        out += "\"\\/\b\f\n\r\t"[i], at_ += 2;
        return;
    }
    if (c != 'u') fail("Invalid character escape sequence.");
    if (peek(2) == '{') {
        auto close = in_.find('}', at_ + 3);
        auto v = close == in_.npos ? 0xFFFFFFFF : hex(at_ + 3, close - at_ - 3);
        if (v > 0x10FFFF || (v >= 0xD800 && v < 0xE000)) fail("Invalid Unicode escape sequence.");
        append_utf8(out, v), at_ = close + 1;
        return;
    }
    auto v = hex(at_ + 2, 4);
    std::size_t length = 6;
    if (v >= 0xD800 && v < 0xDC00 && peek(6) == '\\' && peek(7) == 'u') {
        auto low = hex(at_ + 8, 4);
        if (low < 0xDC00 || low > 0xDFFF) fail("Invalid Unicode escape sequence.");
        v = 0x10000 + ((v - 0xD800) << 10 | (low - 0xDC00)), length = 12;
    }
    if (v > 0x10FFFF || (v >= 0xD800 && v < 0xE000)) fail("Invalid Unicode escape sequence.");
    append_utf8(out, v), at_ += length;
}

token lexer::text(token t) {
    t.what = token::kind::text;
    auto from = at_++;
    for (;;) {
        if (at_ >= in_.size() || in_[at_] == '\n' || in_[at_] == '\r') fail("Unterminated string.");
        if (in_[at_] == '"') break;
        if (in_[at_] == '\\') escape(t.text);
        else t.text += in_[at_++];
    }
    ++at_;
    t.raw = in_.substr(from, at_ - from);
    return t;
}

token lexer::block_text(token t) {
    t.what = token::kind::text;
    auto from = at_;
    at_ += 3;
    std::string raw;
    while (in_.substr(at_, 3) != "\"\"\"") {
        if (at_ >= in_.size()) fail("Unterminated string.");
        if (in_.substr(at_, 4) == "\\\"\"\"") raw += "\"\"\"", at_ += 4;
        else if (in_[at_] == '\r' || in_[at_] == '\n') {
            at_ += in_[at_] == '\r' && peek(1) == '\n' ? 2 : 1;
            raw += '\n', ++line_, line_start_ = at_;
        } else raw += in_[at_++];
    }
    at_ += 3;
    t.text = dedent(raw), t.raw = in_.substr(from, at_ - from);
    return t;
}

}
