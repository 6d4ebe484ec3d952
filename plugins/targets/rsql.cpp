#include "plugins/targets/rsql.hpp"

#include <algorithm>

namespace airmail::plugins::targets {

namespace {

constexpr std::size_t text_bytes_max = 4096, levels_max = 16, comparisons_max = 100, values_max = 1000;

bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool reserved(char c) { return blank(c) || std::string_view{"\"'();,=!~<>"}.find(c) != std::string_view::npos; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same_word(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

/// Recursive descent; a mistake is thrown inside this file only and leaves it as a value.
class parser {
public:
    explicit parser(std::string_view text) : text_(text) {}

    expression whole() {
        if (text_.size() > text_bytes_max) fail(text_bytes_max, "the filter is longer than 4,096 bytes");
        for (std::size_t i = 0; i < text_.size(); ++i)
            if (static_cast<unsigned char>(text_[i]) < ' ' && !blank(text_[i])) fail(i, "a control character");
        auto e = any();
        if (at_ < text_.size()) fail(at_, text_[at_] == ')' ? "this bracket closes nothing" : "expected ';', ',', 'and' or 'or'");
        return e;
    }

private:
    [[noreturn]] void fail(std::size_t at, std::string what) const { throw mistake{at, std::move(what)}; }
    void skip() { while (at_ < text_.size() && blank(text_[at_])) ++at_; }
    bool take(char c) {
        skip();
        if (at_ >= text_.size() || text_[at_] != c) return false;
        return ++at_, true;
    }
    /// `and`, `or`: a word, so that a bracket or a blank follows.
    bool take_word(std::string_view w) {
        skip();
        auto end = at_ + w.size();
        if (end >= text_.size() || !same_word(text_.substr(at_, w.size()), w) || (!blank(text_[end]) && text_[end] != '(')) return false;
        return at_ = end, true;
    }

    expression any() { return joined(expression::kind::any, ',', "or", &parser::all); }
    expression all() { return joined(expression::kind::all, ';', "and", &parser::term); }
    expression joined(expression::kind what, char sign, std::string_view word, expression (parser::*next)()) {
        auto first = (this->*next)();
        expression out{.what = what, .parts = {}, .test = {}};
        while (take(sign) || take_word(word)) {
            if (out.parts.empty()) out.parts.push_back(std::move(first));
            out.parts.push_back((this->*next)());
        }
        skip();
        return out.parts.empty() ? first : out;
    }

    expression term() {
        if (!take('(')) return {.what = expression::kind::test, .parts = {}, .test = test()};
        auto open = at_ - 1;
        if (++level_ > levels_max) fail(open, "brackets nested deeper than 16");
        auto e = any();
        if (!take(')')) fail(at_, "expected ')' for the bracket at character " + std::to_string(open + 1));
        --level_;
        return e;
    }

    comparison test() {
        skip();
        comparison c;
        c.at = at_;
        while (at_ < text_.size() && !reserved(text_[at_])) c.selector += text_[at_++];
        if (c.selector.empty()) fail(at_, at_ < text_.size() ? "expected the name of a field" : "the filter ends where a field is expected");
        if (++comparisons_ > comparisons_max) fail(c.at, "more than 100 comparisons");
        c.what = operation();
        if (c.what == op::in || c.what == op::out) list(c);
        else c.values.push_back(value());
        return c;
    }

    op operation() {
        static constexpr std::pair<std::string_view, op> words[] = {
            {"==", op::eq}, {"!=", op::ne}, {"=lt=", op::lt}, {"=le=", op::le}, {"=gt=", op::gt}, {"=ge=", op::ge}, {"=in=", op::in},
            {"=out=", op::out}, {"=is=", op::is}, {"=not=", op::is_not}, {"<=", op::le}, {">=", op::ge}, {"<", op::lt}, {">", op::gt}};
        skip();
        for (auto const& [word, what] : words)
            if (same_word(text_.substr(at_, word.size()), word)) return at_ += word.size(), what;
        fail(at_, "expected an operator: == != =lt= =le= =gt= =ge= < <= > >= =in= =out= =is= =not=");
    }

    void list(comparison& c) {
        if (!take('(')) fail(at_, "expected '(' and a list of values");
        do {
            if (c.values.size() >= values_max) fail(at_, "more than 1,000 values");
            c.values.push_back(value());
        } while (take(','));
        if (!take(')')) fail(at_, "expected ',' or ')' in the list of values");
    }

    literal value() {
        skip();
        literal v;
        v.at = at_;
        bool quoted = at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'');
        char quote = quoted ? text_[at_++] : '\0';
        for (;; ++at_) {
            if (at_ >= text_.size()) {
                if (quoted) fail(v.at, "this quotation mark is never closed");
                break;
            }
            char c = text_[at_];
            if (quoted ? c == quote : reserved(c)) break;
            if (c == '*') v.pieces.emplace_back();
            else if (c != '\\') v.pieces.back() += c;
            else if (++at_ < text_.size()) v.pieces.back() += text_[at_];
            else fail(at_ - 1, "a backslash with nothing after it");
        }
        if (quoted) ++at_;
        else if (at_ == v.at) fail(at_, "expected a value (quote it if it holds one of \" ' ( ) ; , = ! ~ < > or a blank)");
        return v;
    }

    std::string_view text_;
    std::size_t at_ = 0, level_ = 0, comparisons_ = 0;
};

}

std::string mistake::sentence(std::string_view text) const {
    std::string out = "at character " + std::to_string(at + 1);
    if (at < text.size()) {
        auto end = std::min(at + 20, text.size());
        while (end > at && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;      // whole characters
        ((out += ", before \"") += text.substr(at, end - at)) += '"';
    } else out += ", at the end";
    return out + ": " + what;
}

std::string literal::text() const {
    std::string out = pieces.front();
    for (std::size_t i = 1; i < pieces.size(); ++i) (out += '*') += pieces[i];
    return out;
}

parsed<expression> parse_rsql(std::string_view text) {
    try {
        return parser{text}.whole();
    } catch (mistake& m) { return std::move(m); }
}

}
