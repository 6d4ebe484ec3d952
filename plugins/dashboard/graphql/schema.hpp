#pragma once
// The type system that requests are held against: built once from schema.graphqls, then immutable and shared by threads.
// It knows what our schema uses: scalars, objects, enumerations, inputs, lists, non-null; no interfaces and no unions.

#include "plugins/dashboard/graphql/parser.hpp"

#include <boost/json/object.hpp>
#include <unordered_map>

namespace airmail::dashboard::graphql {

struct type_def;

/// A type with its wrappers, resolved: `named` is the innermost.
struct type_use {
    type_ref ref;
    type_def const* named = nullptr;
};

struct input_def {
    std::string name, description;
    type_use type;
    bool has_default = false;
    boost::json::value otherwise;     // coerced
    std::string default_text;         // as written, for introspection
    bool required() const { return type.ref.non_null && !has_default; }
};

struct field_def {
    std::string name, description;
    std::vector<input_def> arguments;
    type_use type;
    std::string role = "viewer";      // from @role
    input_def const* argument(std::string_view name) const;
};

struct type_def {
    enum class kind { scalar, object, enumeration, input };
    kind what = kind::scalar;
    std::string name, description;
    std::vector<field_def> fields;
    std::vector<input_def> inputs;
    std::vector<std::pair<std::string, std::string>> words;   // of an enumeration, with descriptions
    field_def const* field(std::string_view name) const;
    input_def const* input(std::string_view name) const;
    bool has_word(std::string_view w) const;
    bool is_composite() const { return what == kind::object; }
    bool is_input() const { return what != kind::object; }
};

struct directive_def {
    std::string name, description;
    std::vector<input_def> arguments;
    std::vector<std::string> locations;
    bool repeatable = false;
    bool stands_at(std::string_view location) const;
};

class schema {
public:
    /// `text`: definitions without the built-in scalars, directives and introspection types, which are added.
    /// Throws std::runtime_error: unknown type, duplicate, not one of the above (start-up).
    explicit schema(std::string_view text);
    schema(schema const&) = delete;

    type_def const* find(std::string_view name) const;
    directive_def const* directive(std::string_view name) const;
    std::vector<std::unique_ptr<type_def>> const& types() const { return types_; }
    std::vector<directive_def> const& directives() const { return directives_; }
    type_def const* root(operation_kind k) const;
    /// __schema, __type and __typename stand on types that do not list them.
    field_def const* field(type_def const& on, std::string_view name) const;

private:
    void add(type_document const& d);
    input_def input_of(input_definition const& i) const;
    type_use use(type_ref const& r) const;

    std::vector<std::unique_ptr<type_def>> types_;             // in the order written
    std::unordered_map<std::string_view, type_def*> by_name_;
    std::vector<directive_def> directives_;
    field_def typename_, schema_, type_;
};

/// "[Device!]!"
std::string to_string(type_ref const& t);
/// A literal as it would be written.
std::string to_string(ast_value const& v);

}
