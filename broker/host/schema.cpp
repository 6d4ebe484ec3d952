#include "broker/host/schema.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>

namespace airmail::host {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 14> known{"type", "enum", "const", "required", "properties", "additionalProperties", "items",
                                                 "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "description"};

double number(json::value const& v) {
    return v.is_int64() ? static_cast<double>(v.get_int64()) : v.is_uint64() ? static_cast<double>(v.get_uint64()) : v.get_double();
}

/// Code points, which is what minLength counts.
std::size_t length(json::string const& s) {
    return static_cast<std::size_t>(std::count_if(s.begin(), s.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool has_type(json::value const& v, std::string_view t) {
    if (t == "object") return v.is_object();
    if (t == "array") return v.is_array();
    if (t == "string") return v.is_string();
    if (t == "boolean") return v.is_bool();
    if (t == "null") return v.is_null();
    if (t == "number") return v.is_number();
    return t == "integer" && (v.is_int64() || v.is_uint64() || (v.is_double() && std::trunc(v.get_double()) == v.get_double()));
}

std::string check_rule(json::value const& rule);

std::string check_members(json::object const& o) {
    for (auto const& m : o) {
        auto name = std::string_view{m.key()};
        bool comment = name == "title" || name == "$schema" || name == "$id";
        if (!comment && std::find(known.begin(), known.end(), name) == known.end())
            return "keyword \"" + std::string{name} + "\" is not supported";
    }
    for (auto key : {"minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"})
        if (auto const* v = o.if_contains(key); v && !v->is_number()) return std::string{key} + " must be a number";
    if (auto const* r = o.if_contains("required"); r && !r->is_array()) return "required must be a list";
    if (auto const* e = o.if_contains("enum"); e && !e->is_array()) return "enum must be a list";
    if (auto const* a = o.if_contains("additionalProperties"); a && !a->is_bool()) return "additionalProperties must be true or false";
    return {};
}

std::string check_rule(json::value const& rule) {
    if (!rule.is_object()) return "must be an object";
    auto const& o = rule.get_object();
    if (auto why = check_members(o); !why.empty()) return why;
    if (auto const* p = o.if_contains("properties")) {
        if (!p->is_object()) return "properties must be an object";
        for (auto const& m : p->get_object())
            if (auto why = check_rule(m.value()); !why.empty()) return "properties." + std::string{m.key()} + ": " + why;
    }
    if (auto const* i = o.if_contains("items"))
        if (auto why = check_rule(*i); !why.empty()) return "items: " + why;
    return {};
}

std::string violates(json::object const& rule, json::value const& v, std::string const& at);

std::string violates_object(json::object const& rule, json::object const& v, std::string const& at) {
    if (auto const* required = rule.if_contains("required"))
        for (auto const& name : required->get_array())
            if (name.is_string() && !v.contains(name.get_string())) return at + "/" + std::string{name.get_string()} + ": missing";
    auto const* properties = rule.if_contains("properties");
    auto const* more = rule.if_contains("additionalProperties");
    for (auto const& m : v) {
        auto const* sub = properties ? properties->get_object().if_contains(m.key()) : nullptr;
        if (!sub && more && !more->get_bool()) return at + "/" + std::string{m.key()} + ": not allowed";
        if (!sub) continue;
        if (auto why = violates(sub->get_object(), m.value(), at + "/" + std::string{m.key()}); !why.empty()) return why;
    }
    return {};
}

std::string violates_bounds(json::object const& rule, double n, char const* low, char const* high, std::string const& at) {
    if (auto const* x = rule.if_contains(low); x && n < number(*x)) return at + ": below " + json::serialize(*x);
    if (auto const* x = rule.if_contains(high); x && n > number(*x)) return at + ": above " + json::serialize(*x);
    return {};
}

std::string violates_type(json::value const& type, json::value const& v, std::string const& at) {
    if (type.is_string() && has_type(v, type.get_string())) return {};
    if (type.is_array())
        for (auto const& t : type.get_array())
            if (t.is_string() && has_type(v, t.get_string())) return {};
    return at + ": must be " + json::serialize(type);
}

std::string violates(json::object const& rule, json::value const& v, std::string const& at) {
    if (auto const* t = rule.if_contains("type"))
        if (auto why = violates_type(*t, v, at); !why.empty()) return why;
    if (auto const* e = rule.if_contains("enum"))
        if (std::find(e->get_array().begin(), e->get_array().end(), v) == e->get_array().end()) return at + ": not one of " + json::serialize(*e);
    if (auto const* c = rule.if_contains("const"); c && *c != v) return at + ": must be " + json::serialize(*c);
    if (v.is_number()) return violates_bounds(rule, number(v), "minimum", "maximum", at);
    if (v.is_string()) return violates_bounds(rule, static_cast<double>(length(v.get_string())), "minLength", "maxLength", at);
    if (v.is_object()) return violates_object(rule, v.get_object(), at);
    if (!v.is_array()) return {};
    auto const& list = v.get_array();
    if (auto why = violates_bounds(rule, static_cast<double>(list.size()), "minItems", "maxItems", at); !why.empty()) return why;
    if (auto const* items = rule.if_contains("items"))
        for (std::size_t i = 0; i < list.size(); ++i)
            if (auto why = violates(items->get_object(), list[i], at + "/" + std::to_string(i)); !why.empty()) return why;
    return {};
}

}

struct schema::impl {
    json::value rule;
};

std::string schema::problem(std::string_view text) {
    boost::system::error_code ec;
    auto v = json::parse(text, ec);
    return ec ? "is not JSON: " + ec.message() : check_rule(v);
}

schema::schema(std::string_view text) : impl_(std::make_unique<impl>(impl{json::parse(text)})) {}
schema::~schema() = default;
schema::schema(schema&&) noexcept = default;
schema& schema::operator=(schema&&) noexcept = default;

std::string schema::violation(std::string_view payload) const {
    boost::system::error_code ec;
    json::parse_options o;
    o.max_depth = 32;
    auto v = json::parse(payload, ec, {}, o);
    return ec ? "not JSON: " + ec.message() : violates(impl_->rule.get_object(), v, "");
}

}
