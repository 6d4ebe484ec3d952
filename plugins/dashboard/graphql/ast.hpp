#pragma once
// A GraphQL document as a tree, in the specification's own words (October 2021). Plain values, owned by whoever parsed them.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace airmail::dashboard::graphql {

/// Where a token begins; both from 1; columns count bytes.
struct location { std::uint32_t line = 1, column = 1; };

/// What is wrong with a request before anything was resolved.
struct request_error {
    std::string message;
    std::vector<location> at;
    std::string code = "graphql.invalid";
};

/// `of` set: a list of it; otherwise a named type.
struct type_ref {
    std::string name;
    std::shared_ptr<type_ref const> of;
    bool non_null = false;
    location at;
};

struct ast_member;
struct ast_value {
    enum class kind { variable, integer, real, text, boolean, null, enumeration, list, object };
    kind what = kind::null;
    std::string text;                                          // variable's name, number's digits, text, "true", enum's word
    std::vector<ast_value> items;
    std::vector<ast_member> fields;                            // of an object, as written
    location at;
};
struct ast_member { std::string name; ast_value value; };

struct ast_argument { std::string name; ast_value value; location at; };
struct ast_directive { std::string name; std::vector<ast_argument> arguments; location at; };

struct selection {
    enum class kind { field, spread, inline_fragment };
    kind what = kind::field;
    std::string alias, name;                                   // name: of the field or the fragment
    std::string type_condition;                                // inline fragments; may be empty
    std::vector<ast_argument> arguments;
    std::vector<ast_directive> directives;
    std::vector<selection> set;
    bool has_set = false;
    location at, condition_at;
    std::string const& response_name() const { return alias.empty() ? name : alias; }
};

struct variable_definition {
    std::string name;
    type_ref type;
    std::optional<ast_value> otherwise;
    std::vector<ast_directive> directives;
    location at;
};

enum class operation_kind { query, mutation, subscription };

struct operation {
    operation_kind what = operation_kind::query;
    std::string name;
    std::vector<variable_definition> variables;
    std::vector<ast_directive> directives;
    std::vector<selection> set;
    location at;
};

struct fragment {
    std::string name, on;
    std::vector<ast_directive> directives;
    std::vector<selection> set;
    location at, on_at;
};

/// A request's document.
struct document {
    std::vector<operation> operations;
    std::vector<fragment> fragments;
    std::vector<location> definitions_of_types;                // parsed, and then refused by validation
    fragment const* find(std::string_view name) const {
        for (auto const& f : fragments)
            if (f.name == name) return &f;
        return nullptr;
    }
};

}
