#pragma once
// Text to tokens (specification section 2.1). Owned by: the parser, for the length of one parse.

#include "plugins/dashboard/graphql/ast.hpp"

#include <string_view>

namespace airmail::dashboard::graphql {

struct token {
    enum class kind { end, punctuator, name, integer, real, text };
    kind what = kind::end;
    std::string_view raw;      // into the source
    std::string text;          // a string's value, escapes resolved
    location at;
};

/// A text that is no GraphQL: caught by parse().
struct syntax_error { std::string message; location at; };

class lexer {
public:
    /// `source` must be UTF-8 and outlive the lexer.
    explicit lexer(std::string_view source) : in_(source) {}
    /// The next token; kind end for ever after the last. Throws syntax_error.
    token next();

private:
    void skip_ignored();
    token number(token t);
    token text(token t);
    token block_text(token t);
    void escape(std::string& out);
    std::uint32_t hex(std::size_t at, std::size_t digits) const;
    location here() const { return {line_, static_cast<std::uint32_t>(at_ - line_start_ + 1)}; }
    [[noreturn]] void fail(std::string why) const { throw syntax_error{"Syntax Error: " + std::move(why), here()}; }
    char peek(std::size_t ahead = 0) const { return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0'; }

    std::string_view in_;
    std::size_t at_ = 0, line_start_ = 0;
    std::uint32_t line_ = 1;
};

/// UTF-8 without surrogates and overlong forms.
bool is_utf8(std::string_view s);
/// Appends one code point as UTF-8.
void append_utf8(std::string& out, std::uint32_t c);

}
