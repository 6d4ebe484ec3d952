#pragma once
// Documents (specification appendix B): requests, and the definitions of types that our own schema is written in.
// Bounds: 64 KiB of text, 8,192 tokens, 64 levels of nesting; beyond them it is a syntax error. Pure.

#include "plugins/dashboard/graphql/ast.hpp"

#include <boost/system/result.hpp>
#include <string_view>
#include <variant>

namespace airmail::dashboard::graphql {

inline constexpr std::size_t document_bytes_max = 64 * 1024, tokens_max = 8192;
inline constexpr int nesting_max = 64;

/// A request's document, or the first thing that is wrong with it.
std::variant<document, request_error> parse(std::string_view text);

// Definitions of types, as the schema builder wants them.
struct input_definition {
    std::string name, description;
    type_ref type;
    std::optional<ast_value> otherwise;
    std::vector<ast_directive> directives;
};
struct field_definition {
    std::string name, description;
    std::vector<input_definition> arguments;
    type_ref type;
    std::vector<ast_directive> directives;
};
struct type_definition {
    enum class kind { scalar, object, enumeration, input };
    kind what = kind::scalar;
    std::string name, description;
    std::vector<field_definition> fields;
    std::vector<input_definition> inputs;
    std::vector<field_definition> words;     // of an enumeration: name, description, directives
    std::vector<ast_directive> directives;
};
struct directive_definition {
    std::string name, description;
    std::vector<input_definition> arguments;
    bool repeatable = false;
    std::vector<std::string> locations;
};
struct type_document {
    std::vector<type_definition> types;
    std::vector<directive_definition> directives;
};
/// Our own schema's text; without the bounds above. Throws syntax_error (start-up).
type_document parse_types(std::string_view text);

}
