#include "plugins/kit/fields.hpp"

#include <charconv>
#include <cmath>

namespace airmail::plugins::kit {

namespace {

/// A cursor over JSON text; every function moves past what it names or says false.
class scanner {
public:
    explicit scanner(std::string_view s) : p_(s.data()), end_(s.data() + s.size()) {}

    void space() {
        while (p_ < end_ && (*p_ == ' ' || *p_ == '\t' || *p_ == '\n' || *p_ == '\r')) ++p_;
    }
    bool take(char c) {
        if (p_ == end_ || *p_ != c) return false;
        return ++p_, true;
    }
    bool at_end() const { return p_ == end_; }

    /// `out` is a view of the text, or of `scratch` when there were escapes.
    bool string(std::string_view& out, std::string& scratch) {
        if (!take('"')) return false;
        char const* begin = p_;
        bool escaped = false;
        while (p_ < end_ && *p_ != '"') {
            auto c = static_cast<unsigned char>(*p_);
            if (c < 0x20) return false;
            if (c >= 0x80) {
                if (!utf8()) return false;
                if (escaped) scratch.append(mark_, p_);
                continue;
            }
            if (c == '\\') {
                if (!escaped) scratch.assign(begin, p_), escaped = true;
                if (!escape(scratch)) return false;
                continue;
            }
            if (escaped) scratch += static_cast<char>(c);
            ++p_;
        }
        out = escaped ? std::string_view{scratch} : std::string_view{begin, static_cast<std::size_t>(p_ - begin)};
        return take('"');
    }

    bool value(field& f, std::string& scratch, int depth) {
        space();
        if (p_ == end_ || depth > 16) return false;
        char const* begin = p_;
        bool ok = false;
        switch (*p_) {
        case '"': f.what = field::kind::string; return string(f.text, scratch);
        case '{': f.what = field::kind::nested, ok = object(depth); break;
        case '[': f.what = field::kind::nested, ok = array(depth); break;
        case 't': f.what = field::kind::boolean, ok = literal("true"); break;
        case 'f': f.what = field::kind::boolean, ok = literal("false"); break;
        case 'n': f.what = field::kind::null, ok = literal("null"); break;
        default: f.what = field::kind::number, ok = number(); break;
        }
        f.text = {begin, static_cast<std::size_t>(p_ - begin)};
        return ok;
    }

private:
    bool literal(std::string_view word) {
        if (static_cast<std::size_t>(end_ - p_) < word.size() || std::string_view{p_, word.size()} != word) return false;
        return p_ += word.size(), true;
    }
    bool digits() {
        char const* begin = p_;
        while (p_ < end_ && *p_ >= '0' && *p_ <= '9') ++p_;
        return p_ > begin;
    }
    bool number() {
        take('-');
        if (!take('0') && !digits()) return false;
        if (take('.') && !digits()) return false;
        if (p_ < end_ && (*p_ == 'e' || *p_ == 'E')) {
            ++p_;
            if (!take('+')) take('-');
            if (!digits()) return false;
        }
        return true;
    }
    bool object(int depth) {
        ++p_, space();
        if (take('}')) return true;
        std::string scratch;
        std::string_view name;
        field f;
        do {
            space();
            if (!string(name, scratch)) return false;
            space();
            if (!take(':') || !value(f, scratch, depth + 1)) return false;
            space();
        } while (take(','));
        return take('}');
    }
    bool array(int depth) {
        ++p_, space();
        if (take(']')) return true;
        std::string scratch;
        field f;
        do {
            if (!value(f, scratch, depth + 1)) return false;
            space();
        } while (take(','));
        return take(']');
    }

    /// One multi-byte character, well formed (RFC 3629: no overlong form, no surrogate, at most U+10FFFF).
    bool utf8() {
        mark_ = p_;
        auto b = [this](int i) { return p_ + i < end_ ? static_cast<unsigned char>(p_[i]) : 0u; };
        auto tail = [&](int i) { return (b(i) & 0xC0) == 0x80; };
        unsigned c = b(0);
        int n = c >= 0xC2 && c <= 0xDF ? 2 : (c & 0xF0) == 0xE0 ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;
        if (n == 0) return false;
        for (int i = 1; i < n; ++i)
            if (!tail(i)) return false;
        if ((c == 0xE0 && b(1) < 0xA0) || (c == 0xED && b(1) > 0x9F) || (c == 0xF0 && b(1) < 0x90) || (c == 0xF4 && b(1) > 0x8F)) return false;
        return p_ += n, true;
    }
    bool hex4(unsigned& out) {
        if (end_ - p_ < 4) return false;
        auto [e, ec] = std::from_chars(p_, p_ + 4, out, 16);
        if (ec != std::errc{} || e != p_ + 4) return false;
        return p_ += 4, true;
    }
    bool escape(std::string& out) {
        ++p_;
        if (p_ == end_) return false;
        switch (char c = *p_++) {
        case '"': case '\\': case '/': out += c; return true;
        case 'b': out += '\b'; return true;
        case 'f': out += '\f'; return true;
        case 'n': out += '\n'; return true;
        case 'r': out += '\r'; return true;
        case 't': out += '\t'; return true;
        case 'u': break;
        default: return false;
        }
        unsigned u = 0;
        if (!hex4(u)) return false;
        if (u >= 0xDC00 && u <= 0xDFFF) return false;
        if (u >= 0xD800 && u <= 0xDBFF) {
            unsigned low = 0;
            if (!take('\\') || !take('u') || !hex4(low) || low < 0xDC00 || low > 0xDFFF) return false;
            u = 0x10000 + ((u - 0xD800) << 10) + (low - 0xDC00);
        }
        append(out, u);
        return true;
    }
    static void append(std::string& out, unsigned u) {
        auto put = [&](unsigned c) { out += static_cast<char>(c); };
        if (u < 0x80) put(u);
        else if (u < 0x800) put(0xC0 | (u >> 6)), put(0x80 | (u & 0x3F));
        else if (u < 0x10000) put(0xE0 | (u >> 12)), put(0x80 | ((u >> 6) & 0x3F)), put(0x80 | (u & 0x3F));
        else put(0xF0 | (u >> 18)), put(0x80 | ((u >> 12) & 0x3F)), put(0x80 | ((u >> 6) & 0x3F)), put(0x80 | (u & 0x3F));
    }

    char const* p_;
    char const* end_;
    char const* mark_ = nullptr;
};

}

std::optional<std::int64_t> field::integer() const {
    if (what != kind::number) return std::nullopt;
    std::int64_t n = 0;
    auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (ec == std::errc{} && end == text.data() + text.size()) return n;
    double d = 0;
    auto [dend, dec] = std::from_chars(text.data(), text.data() + text.size(), d);
    if (dec != std::errc{} || dend != text.data() + text.size() || !(std::abs(d) < 9e15)) return std::nullopt;
    return static_cast<std::int64_t>(d);
}

std::optional<std::string_view> field::word() const {
    if (what == kind::string || what == kind::number) return text;
    return std::nullopt;
}

bool each_field(std::string_view json, std::function<void(std::string_view, field const&)> const& each) {
    if (json.size() > payload_bytes_max) return false;
    scanner in{json};
    in.space();
    if (!in.take('{')) return false;
    in.space();
    std::string name_scratch, value_scratch;
    std::string_view name;
    field f;
    if (!in.take('}')) {
        do {
            in.space();
            if (!in.string(name, name_scratch)) return false;
            in.space();
            if (!in.take(':') || !in.value(f, value_scratch, 1)) return false;
            each(name, f);
            in.space();
        } while (in.take(','));
        if (!in.take('}')) return false;
    }
    in.space();
    return in.at_end();
}

}
