#include "plugins/dashboard/graphql/parser.hpp"

#include "plugins/dashboard/graphql/lexer.hpp"

namespace airmail::dashboard::graphql {
namespace {

using tk = token::kind;

std::string shown(token const& t) {
    switch (t.what) {
    case tk::end: return "<EOF>";
    case tk::punctuator: return "\"" + std::string{t.raw} + "\"";
    case tk::name: return "Name \"" + std::string{t.raw} + "\"";
    case tk::integer: return "Int \"" + std::string{t.raw} + "\"";
    case tk::real: return "Float \"" + std::string{t.raw} + "\"";
    case tk::text: return "String \"" + t.text + "\"";
    }
    return {};
}

class parser {
public:
    parser(std::string_view text, std::size_t tokens) : lex_(text), left_(tokens) { advance(); }

    document request() {
        document d;
        do {
            if (is("{")) d.operations.push_back(short_operation());
            else if (now_.what == tk::text || is_type_word()) d.definitions_of_types.push_back(now_.at), skip_definition();
            else if (is_word("fragment")) d.fragments.push_back(fragment_definition());
            else if (is_word("query") || is_word("mutation") || is_word("subscription")) d.operations.push_back(operation_definition());
            else unexpected();
        } while (now_.what != tk::end);
        return d;
    }

    type_document types() {
        type_document d;
        while (now_.what != tk::end) {
            auto text = description();
            if (is_word("schema")) skip_schema();
            else if (is_word("directive")) d.directives.push_back(directive_definition_(std::move(text)));
            else d.types.push_back(type(std::move(text)));
        }
        return d;
    }

private:
    /// Counts nesting while it lives.
    struct level {
        explicit level(parser& p) : p_(p) {
            if (++p_.depth_ > nesting_max) throw syntax_error{"Syntax Error: Nested deeper than 64 levels.", p_.now_.at};
        }
        ~level() { --p_.depth_; }
        parser& p_;
    };

    void advance() {
        if (left_-- == 0) throw syntax_error{"Syntax Error: More than " + std::to_string(tokens_max) + " tokens.", now_.at};
        now_ = lex_.next();
    }
    bool is(std::string_view p) const { return now_.what == tk::punctuator && now_.raw == p; }
    bool is_word(std::string_view w) const { return now_.what == tk::name && now_.raw == w; }
    bool take(std::string_view p) { return is(p) && (advance(), true); }
    bool take_word(std::string_view w) { return is_word(w) && (advance(), true); }
    [[noreturn]] void unexpected() const { throw syntax_error{"Syntax Error: Unexpected " + shown(now_) + ".", now_.at}; }
    void expect(std::string_view p) {
        if (!take(p)) throw syntax_error{"Syntax Error: Expected \"" + std::string{p} + "\", found " + shown(now_) + ".", now_.at};
    }
    std::string name() {
        if (now_.what != tk::name) throw syntax_error{"Syntax Error: Expected Name, found " + shown(now_) + ".", now_.at};
        std::string n{now_.raw};
        advance();
        return n;
    }

    operation short_operation() {
        operation o;
        o.at = now_.at, o.set = selection_set();
        return o;
    }

    operation operation_definition() {
        operation o;
        o.at = now_.at;
        auto word = name();
        o.what = word == "query" ? operation_kind::query : word == "mutation" ? operation_kind::mutation : operation_kind::subscription;
        if (now_.what == tk::name) o.name = name();
        if (take("(")) do {
                variable_definition v;
                v.at = now_.at;
                if (now_.what == tk::text) advance();               // a description, as the draft after October 2021 allows
                expect("$"), v.name = name(), expect(":"), v.type = type_reference();
                if (take("=")) v.otherwise = value(true);
                v.directives = directives(true);
                o.variables.push_back(std::move(v));
            } while (!take(")"));
        o.directives = directives(false), o.set = selection_set();
        return o;
    }

    fragment fragment_definition() {
        fragment f;
        f.at = now_.at;
        advance();
        if (is_word("on")) unexpected();
        f.name = name();
        if (!take_word("on")) throw syntax_error{"Syntax Error: Expected \"on\", found " + shown(now_) + ".", now_.at};
        f.on_at = now_.at, f.on = name(), f.directives = directives(false), f.set = selection_set();
        return f;
    }

    std::vector<selection> selection_set() {
        level here{*this};
        std::vector<selection> out;
        expect("{");
        do out.push_back(one_selection());
        while (!take("}"));
        return out;
    }

    selection one_selection() {
        selection s;
        s.at = now_.at;
        if (take("...")) {
            bool on = is_word("on");
            if (now_.what == tk::name && !on) {
                s.what = selection::kind::spread, s.name = name(), s.directives = directives(false);
                return s;
            }
            s.what = selection::kind::inline_fragment;
            if (on) advance(), s.condition_at = now_.at, s.type_condition = name();
            s.directives = directives(false), s.has_set = true, s.set = selection_set();
            return s;
        }
        s.name = name();
        if (take(":")) s.alias = std::move(s.name), s.name = name();
        s.arguments = arguments(false), s.directives = directives(false);
        if (is("{")) s.has_set = true, s.set = selection_set();
        return s;
    }

    std::vector<ast_argument> arguments(bool constant) {
        std::vector<ast_argument> out;
        if (!take("(")) return out;
        do {
            ast_argument a;
            a.at = now_.at, a.name = name(), expect(":"), a.value = value(constant);
            out.push_back(std::move(a));
        } while (!take(")"));
        return out;
    }

    std::vector<ast_directive> directives(bool constant) {
        std::vector<ast_directive> out;
        while (is("@")) {
            ast_directive d;
            d.at = now_.at;
            advance(), d.name = name(), d.arguments = arguments(constant);
            out.push_back(std::move(d));
        }
        return out;
    }

    type_ref type_reference() {
        level here{*this};
        type_ref t;
        t.at = now_.at;
        if (take("[")) t.of = std::make_shared<type_ref const>(type_reference()), expect("]");
        else t.name = name();
        t.non_null = take("!");
        return t;
    }

    ast_value value(bool constant) {
        level here{*this};
        ast_value v;
        v.at = now_.at;
        using k = ast_value::kind;
        switch (now_.what) {
        case tk::integer: v.what = k::integer, v.text = now_.raw, advance(); return v;
        case tk::real: v.what = k::real, v.text = now_.raw, advance(); return v;
        case tk::text: v.what = k::text, v.text = std::move(now_.text), advance(); return v;
        case tk::name:
            v.text = now_.raw;
            v.what = v.text == "true" || v.text == "false" ? k::boolean : v.text == "null" ? k::null : k::enumeration;
            advance();
            return v;
        case tk::punctuator: break;
        case tk::end: unexpected();
        }
        if (is("$") && !constant) {
            advance(), v.what = k::variable, v.text = name();
        } else if (take("[")) {
            v.what = k::list;
            while (!take("]")) v.items.push_back(value(constant));
        } else if (take("{")) {
            v.what = k::object;
            while (!take("}")) {
                auto key = name();
                expect(":");
                v.fields.push_back({std::move(key), value(constant)});
            }
        } else unexpected();
        return v;
    }

    // ---- definitions of types

    bool is_type_word() const {
        for (auto w : {"schema", "scalar", "type", "interface", "union", "enum", "input", "directive", "extend"})
            if (is_word(w)) return true;
        return false;
    }

    /// A request may not define types; what stands there only has to be balanced.
    void skip_definition() {
        advance();
        int open = 0;
        bool block = false;
        while (now_.what != tk::end) {
            if (open == 0 && block) return;
            if (is("{") || is("(") || is("[")) ++open;
            if (is("}") || is(")") || is("]")) {
                if (--open < 0) unexpected();
                block |= is("}") && open == 0;
            }
            advance();
        }
        if (open) unexpected();
    }

    std::string description() {
        if (now_.what != tk::text) return {};
        std::string t = std::move(now_.text);
        advance();
        return t;
    }

    void skip_schema() {
        advance(), expect("{");
        while (!take("}")) advance();
    }

    input_definition input() {
        input_definition i;
        i.description = description(), i.name = name(), expect(":"), i.type = type_reference();
        if (take("=")) i.otherwise = value(true);
        i.directives = directives(true);
        return i;
    }

    std::vector<input_definition> argument_definitions() {
        std::vector<input_definition> out;
        if (take("(")) do out.push_back(input());
            while (!take(")"));
        return out;
    }

    directive_definition directive_definition_(std::string text) {
        directive_definition d;
        d.description = std::move(text);
        advance(), expect("@"), d.name = name(), d.arguments = argument_definitions(), d.repeatable = take_word("repeatable");
        if (!take_word("on")) unexpected();
        take("|");
        do d.locations.push_back(name());
        while (take("|"));
        return d;
    }

    type_definition type(std::string text) {
        type_definition t;
        using k = type_definition::kind;
        t.description = std::move(text);
        auto word = name();
        t.name = name(), t.directives = directives(true);
        if (word == "scalar") return t;
        expect("{");
        while (!take("}")) {
            if (word == "input") {
                t.what = k::input, t.inputs.push_back(input());
                continue;
            }
            field_definition f;
            f.description = description(), f.name = name();
            if (word == "type") f.arguments = argument_definitions(), expect(":"), f.type = type_reference();
            f.directives = directives(true);
            t.what = word == "type" ? k::object : k::enumeration;
            (word == "type" ? t.fields : t.words).push_back(std::move(f));
        }
        return t;
    }

    lexer lex_;
    token now_;
    std::size_t left_;
    int depth_ = 0;
};

}

std::variant<document, request_error> parse(std::string_view text) {
    if (text.size() > document_bytes_max) return request_error{"The document is larger than 64 KiB.", {}, "graphql.too_large"};
    if (!is_utf8(text)) return request_error{"Syntax Error: The document is not UTF-8.", {}, "graphql.syntax"};
    try {
        return parser{text, tokens_max}.request();
    } catch (syntax_error const& e) { return request_error{e.message, {e.at}, "graphql.syntax"}; }
}

type_document parse_types(std::string_view text) { return parser{text, static_cast<std::size_t>(-1)}.types(); }

}
