#include "plugins/dashboard/graphql/schema.hpp"

#include "plugins/dashboard/graphql/lexer.hpp"
#include "plugins/dashboard/graphql/values.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <stdexcept>

namespace airmail::dashboard::graphql {
namespace {

// Specification section 3.5, 3.13 and 4.5.
constexpr std::string_view built_in = R"(
"A whole number of 32 bits." scalar Int
"A number." scalar Float
"Text, UTF-8." scalar String
"true or false." scalar Boolean
"A name that stands for one object; text." scalar ID
"Leaves the field or fragment out when true."
directive @skip(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
"Takes the field or fragment in only when true."
directive @include(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
"Still works, but is on its way out."
directive @deprecated(reason: String = "No longer supported") on FIELD_DEFINITION | ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION | ENUM_VALUE
"Where a scalar's form is specified."
directive @specifiedBy(url: String!) on SCALAR
type __Schema { description: String types: [__Type!]! queryType: __Type! mutationType: __Type subscriptionType: __Type directives: [__Directive!]! }
type __Type { kind: __TypeKind! name: String description: String specifiedByURL: String fields(includeDeprecated: Boolean = false): [__Field!]
  interfaces: [__Type!] possibleTypes: [__Type!] enumValues(includeDeprecated: Boolean = false): [__EnumValue!]
  inputFields(includeDeprecated: Boolean = false): [__InputValue!] ofType: __Type }
type __Field { name: String! description: String args(includeDeprecated: Boolean = false): [__InputValue!]! type: __Type! isDeprecated: Boolean! deprecationReason: String }
type __InputValue { name: String! description: String type: __Type! defaultValue: String isDeprecated: Boolean! deprecationReason: String }
type __EnumValue { name: String! description: String isDeprecated: Boolean! deprecationReason: String }
enum __TypeKind { SCALAR OBJECT INTERFACE UNION ENUM INPUT_OBJECT LIST NON_NULL }
type __Directive { name: String! description: String isRepeatable: Boolean! locations: [__DirectiveLocation!]! args(includeDeprecated: Boolean = false): [__InputValue!]! }
enum __DirectiveLocation { QUERY MUTATION SUBSCRIPTION FIELD FRAGMENT_DEFINITION FRAGMENT_SPREAD INLINE_FRAGMENT VARIABLE_DEFINITION SCHEMA SCALAR OBJECT
  FIELD_DEFINITION ARGUMENT_DEFINITION INTERFACE UNION ENUM ENUM_VALUE INPUT_OBJECT INPUT_FIELD_DEFINITION }
)";

template <class List> auto found(List const& list, std::string_view name) -> decltype(&*list.begin()) {
    auto at = std::find_if(list.begin(), list.end(), [&](auto const& x) { return x.name == name; });
    return at == list.end() ? nullptr : &*at;
}

std::string role_of(field_definition const& f) {
    for (auto const& d : f.directives)
        if (d.name == "role" && d.arguments.size() == 1) {
            auto word = d.arguments[0].value.text;
            std::transform(word.begin(), word.end(), word.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
            return word;
        }
    return "viewer";
}

}

input_def const* field_def::argument(std::string_view n) const { return found(arguments, n); }
field_def const* type_def::field(std::string_view n) const { return found(fields, n); }
input_def const* type_def::input(std::string_view n) const { return found(inputs, n); }
bool type_def::has_word(std::string_view w) const {
    return std::any_of(words.begin(), words.end(), [&](auto const& x) { return x.first == w; });
}
bool directive_def::stands_at(std::string_view l) const { return std::find(locations.begin(), locations.end(), l) != locations.end(); }

schema::schema(std::string_view text) {
    try {
        auto ours = parse_types(text);
        auto theirs = parse_types(built_in);
        ours.types.insert(ours.types.end(), theirs.types.begin(), theirs.types.end());
        ours.directives.insert(ours.directives.end(), theirs.directives.begin(), theirs.directives.end());
        add(ours);
    } catch (syntax_error const& e) { throw std::runtime_error("schema.graphqls:" + std::to_string(e.at.line) + ": " + e.message); }
    if (!root(operation_kind::query)) throw std::runtime_error("schema.graphqls: no type Query");
    auto special = [&](field_def& f, char const* name, char const* type, bool non_null, char const* argument) {
        f.name = name, f.type = use(type_ref{type, nullptr, non_null, {}});
        if (argument) f.arguments.push_back({argument, "", use(type_ref{"String", nullptr, true, {}}), false, {}, {}});
    };
    special(typename_, "__typename", "String", true, nullptr), special(schema_, "__schema", "__Schema", true, nullptr), special(type_, "__type", "__Type", false, "name");
}

void schema::add(type_document const& d) {
    for (auto const& t : d.types) {
        auto made = std::make_unique<type_def>();
        made->what = static_cast<type_def::kind>(t.what), made->name = t.name, made->description = t.description;
        if (!by_name_.emplace(made->name, made.get()).second) throw std::runtime_error("schema: " + t.name + " is defined twice");
        types_.push_back(std::move(made));
    }
    // Enumerations first: the defaults of arguments are words of theirs.
    for (auto const& t : d.types)
        for (auto const& w : t.words) by_name_.at(t.name)->words.emplace_back(w.name, w.description);
    for (bool inputs : {true, false})
        for (auto const& t : d.types) {
            auto& to = *by_name_.at(t.name);
            if (inputs)
                for (auto const& i : t.inputs) to.inputs.push_back(input_of(i));
            else
                for (auto const& f : t.fields) {
                    field_def made{f.name, f.description, {}, use(f.type), role_of(f)};
                    for (auto const& a : f.arguments) made.arguments.push_back(input_of(a));
                    to.fields.push_back(std::move(made));
                }
        }
    for (auto const& x : d.directives) {
        directive_def made{x.name, x.description, {}, x.locations, x.repeatable};
        for (auto const& a : x.arguments) made.arguments.push_back(input_of(a));
        directives_.push_back(std::move(made));
    }
}

input_def schema::input_of(input_definition const& i) const {
    input_def out{i.name, i.description, use(i.type), false, {}, {}};
    if (i.otherwise) {
        auto v = coerce_literal(*i.otherwise, out.type, nullptr);
        if (!v) throw std::runtime_error("schema: the default of " + i.name + " does not fit its type");
        out.has_default = true, out.otherwise = std::move(*v), out.default_text = to_string(*i.otherwise);
    }
    return out;
}

type_use schema::use(type_ref const& r) const {
    auto const* inner = &r;
    while (inner->of) inner = inner->of.get();
    auto const* named = find(inner->name);
    if (!named) throw std::runtime_error("schema: nobody defines " + inner->name);
    return {r, named};
}

type_def const* schema::find(std::string_view name) const {
    auto at = by_name_.find(name);
    return at == by_name_.end() ? nullptr : at->second;
}
directive_def const* schema::directive(std::string_view name) const { return found(directives_, name); }

type_def const* schema::root(operation_kind k) const {
    return find(k == operation_kind::query ? "Query" : k == operation_kind::mutation ? "Mutation" : "Subscription");
}

field_def const* schema::field(type_def const& on, std::string_view name) const {
    if (name == "__typename") return &typename_;
    if (on.name == "Query") {
        if (name == "__schema") return &schema_;
        if (name == "__type") return &type_;
    }
    return on.field(name);
}

std::string to_string(type_ref const& t) { return (t.of ? "[" + to_string(*t.of) + "]" : t.name) + (t.non_null ? "!" : ""); }

std::string to_string(ast_value const& v) {
    using k = ast_value::kind;
    std::string out;
    switch (v.what) {
    case k::variable: return "$" + v.text;
    case k::text: return boost::json::serialize(boost::json::string(v.text));
    case k::null: return "null";
    case k::list:
        for (auto const& i : v.items) (out += out.empty() ? "" : ", ") += to_string(i);
        return "[" + out + "]";
    case k::object:
        for (auto const& [n, x] : v.fields) ((out += out.empty() ? "" : ", ") += n + ": ") += to_string(x);
        return "{" + out + "}";
    default: return v.text;
    }
}

}
