#include "plugins/dashboard/graphql/values.hpp"

#include <boost/json/serialize.hpp>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

namespace airmail::dashboard::graphql {

namespace json = boost::json;
using vk = ast_value::kind;

namespace {

constexpr double exact_max = 9007199254740992.0;   // 2^53: what every client can hold

std::string text_of(json::string const& s) { return {s.data(), s.size()}; }

/// A whole number out of any JSON number; nullopt with a fraction or beyond 2^53.
std::optional<std::int64_t> whole(json::value const& v) {
    if (v.is_int64()) return v.get_int64();
    if (v.is_uint64() && v.get_uint64() <= static_cast<std::uint64_t>(exact_max)) return static_cast<std::int64_t>(v.get_uint64());
    if (v.is_double() && std::trunc(v.get_double()) == v.get_double() && std::fabs(v.get_double()) <= exact_max) return static_cast<std::int64_t>(v.get_double());
    return std::nullopt;
}
bool is_int32(std::int64_t n) { return n >= std::numeric_limits<std::int32_t>::min() && n <= std::numeric_limits<std::int32_t>::max(); }

std::optional<json::value> literal_leaf(ast_value const& v, type_def const& t) {
    if (t.what == type_def::kind::enumeration) {
        if (v.what == vk::enumeration && t.has_word(v.text)) return json::value(v.text);
        return std::nullopt;
    }
    auto number = [&]() -> std::optional<double> {
        double d = 0;
        auto r = std::from_chars(v.text.data(), v.text.data() + v.text.size(), d);
        return r.ec == std::errc{} && std::isfinite(d) ? std::optional(d) : std::nullopt;
    };
    auto integer = [&]() -> std::optional<std::int64_t> {
        std::int64_t n = 0;
        auto r = std::from_chars(v.text.data(), v.text.data() + v.text.size(), n);
        return v.what == vk::integer && r.ec == std::errc{} ? std::optional(n) : std::nullopt;
    };
    if (t.name == "Int") {
        if (auto n = integer(); n && is_int32(*n)) return json::value(*n);
    } else if (t.name == "Long") {
        if (auto n = integer(); n && std::fabs(static_cast<double>(*n)) <= exact_max) return json::value(*n);
    } else if (t.name == "Float") {
        if (v.what == vk::integer || v.what == vk::real)
            if (auto d = number()) return json::value(*d);
    } else if (t.name == "Boolean") {
        if (v.what == vk::boolean) return json::value(v.text == "true");
    } else if (t.name == "ID") {
        if (v.what == vk::text || v.what == vk::integer) return json::value(v.text);
    } else if (t.name == "Time") {
        if (v.what == vk::text)
            if (auto s = parse_time(v.text)) return json::value(*s);
    } else if (v.what == vk::text && t.name == "String") return json::value(v.text);
    return std::nullopt;
}

std::optional<json::value> variable_leaf(json::value const& v, type_def const& t) {
    if (t.name == "JSON") return v;
    if (t.what == type_def::kind::enumeration) return v.is_string() && t.has_word(text_of(v.get_string())) ? std::optional(v) : std::nullopt;
    if (t.name == "Int") {
        auto n = v.is_number() ? whole(v) : std::nullopt;
        return n && is_int32(*n) ? std::optional(json::value(*n)) : std::nullopt;
    }
    if (t.name == "Long") {
        auto n = v.is_number() ? whole(v) : std::nullopt;
        return n ? std::optional(json::value(*n)) : std::nullopt;
    }
    if (t.name == "Float") return v.is_number() && std::isfinite(v.to_number<double>()) ? std::optional(json::value(v.to_number<double>())) : std::nullopt;
    if (t.name == "Boolean") return v.is_bool() ? std::optional(v) : std::nullopt;
    if (t.name == "ID" && v.is_number()) {
        auto n = whole(v);
        return n ? std::optional(json::value(std::to_string(*n))) : std::nullopt;
    }
    if (t.name == "Time") {
        auto s = v.is_string() ? parse_time(text_of(v.get_string())) : std::nullopt;
        return s ? std::optional(json::value(*s)) : std::nullopt;
    }
    return v.is_string() ? std::optional(v) : std::nullopt;
}

/// JSON scalars take any literal.
json::value free_literal(ast_value const& v, json::object const* variables) {
    switch (v.what) {
    case vk::variable: {
        auto const* x = variables ? variables->if_contains(v.text) : nullptr;
        return x ? *x : json::value(nullptr);
    }
    case vk::integer: {
        std::int64_t n = 0;
        if (auto r = std::from_chars(v.text.data(), v.text.data() + v.text.size(), n); r.ec == std::errc{}) return n;
        [[fallthrough]];
    }
    case vk::real: {
        double d = 0;
        std::from_chars(v.text.data(), v.text.data() + v.text.size(), d);
        return std::isfinite(d) ? json::value(d) : json::value(nullptr);
    }
    case vk::boolean: return v.text == "true";
    case vk::null: return nullptr;
    case vk::list: {
        json::array a;
        for (auto const& i : v.items) a.push_back(free_literal(i, variables));
        return a;
    }
    case vk::object: {
        json::object o;
        for (auto const& [n, x] : v.fields) o[n] = free_literal(x, variables);
        return o;
    }
    default: return json::value(v.text);
    }
}

}

type_use item_of(type_use const& t) { return {*t.ref.of, t.named}; }
type_use nullable(type_use t) { return t.ref.non_null = false, t; }

std::string time_text(std::int64_t s) {
    // Civil from days (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    auto days = s >= 0 ? s / 86400 : (s - 86399) / 86400;
    auto rest = s - days * 86400;
    auto z = days + 719468;
    auto era = (z >= 0 ? z : z - 146096) / 146097;
    auto doe = z - era * 146097;
    auto yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    auto doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    auto mp = (5 * doy + 2) / 153;
    auto d = doy - (153 * mp + 2) / 5 + 1, m = mp < 10 ? mp + 3 : mp - 9, y = yoe + era * 400 + (m <= 2);
    char out[64];
    std::snprintf(out, sizeof out, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lldZ", static_cast<long long>(y), static_cast<long long>(m), static_cast<long long>(d),
                  static_cast<long long>(rest / 3600), static_cast<long long>(rest / 60 % 60), static_cast<long long>(rest % 60));
    return out;
}

std::optional<std::int64_t> parse_time(std::string_view t) {
    auto number = [&](std::size_t at, std::size_t n) -> int {
        int v = 0;
        for (std::size_t i = 0; i < n; ++i) {
            if (at + i >= t.size() || t[at + i] < '0' || t[at + i] > '9') return -1;
            v = v * 10 + (t[at + i] - '0');
        }
        return v;
    };
    auto y = number(0, 4), m = number(5, 2), d = number(8, 2), h = number(11, 2), min = number(14, 2), sec = number(17, 2);
    if (t.size() < 20 || y < 0 || m < 1 || m > 12 || d < 1 || d > 31 || h < 0 || h > 23 || min < 0 || min > 59 || sec < 0 || sec > 60) return std::nullopt;
    if (t[4] != '-' || t[7] != '-' || (t[10] != 'T' && t[10] != 't') || t[13] != ':' || t[16] != ':') return std::nullopt;
    std::size_t at = 19;
    if (t[at] == '.') {
        ++at;
        auto from = at;
        while (at < t.size() && t[at] >= '0' && t[at] <= '9') ++at;
        if (at == from) return std::nullopt;
    }
    std::int64_t offset = 0;
    if (at < t.size() && (t[at] == '+' || t[at] == '-')) {
        auto oh = number(at + 1, 2), om = number(at + 4, 2);
        if (oh < 0 || oh > 23 || om < 0 || om > 59 || t[at + 3] != ':' || t.size() != at + 6) return std::nullopt;
        offset = (oh * 60 + om) * (t[at] == '+' ? 60 : -60);
    } else if (at + 1 != t.size() || (t[at] != 'Z' && t[at] != 'z')) return std::nullopt;
    auto yy = static_cast<std::int64_t>(y) - (m <= 2);
    auto era = yy / 400;
    auto yoe = yy - era * 400, doy = static_cast<std::int64_t>((153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1);
    auto days = era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
    return days * 86400 + h * 3600 + min * 60 + sec - offset;
}

std::optional<json::value> coerce_literal(ast_value const& v, type_use const& t, json::object const* variables, bool* absent) {
    if (v.what == vk::variable) {
        auto const* x = variables ? variables->if_contains(v.text) : nullptr;
        if (!x && absent) *absent = true;
        if (!x || x->is_null()) return t.ref.non_null ? std::nullopt : std::optional(json::value(nullptr));
        return *x;                                              // coerced already, to a type that validation compared
    }
    if (v.what == vk::null) return t.ref.non_null ? std::nullopt : std::optional(json::value(nullptr));
    if (t.ref.of) {
        json::array out;
        if (v.what != vk::list) {                               // one item stands for a list of one
            auto one = coerce_literal(v, item_of(t), variables);
            if (!one) return std::nullopt;
            out.push_back(std::move(*one));
            return json::value(std::move(out));
        }
        for (auto const& i : v.items) {
            auto one = coerce_literal(i, item_of(t), variables);
            if (!one) return std::nullopt;
            out.push_back(std::move(*one));
        }
        return json::value(std::move(out));
    }
    if (t.named->name == "JSON") return free_literal(v, variables);
    if (t.named->what != type_def::kind::input) return literal_leaf(v, *t.named);
    if (v.what != vk::object) return std::nullopt;
    json::object out;
    for (auto const& [name, x] : v.fields)
        if (!t.named->input(name)) return std::nullopt;
    for (auto const& i : t.named->inputs) {
        ast_value const* given = nullptr;
        for (auto const& [name, x] : v.fields)
            if (name == i.name) given = &x;
        bool gone = given == nullptr;
        std::optional<json::value> x;
        if (given) x = coerce_literal(*given, i.type, variables, &gone);
        if (gone) {
            if (i.has_default) out[i.name] = i.otherwise;
            else if (i.required()) return std::nullopt;
        } else if (!x) return std::nullopt;
        else out[i.name] = std::move(*x);
    }
    return json::value(std::move(out));
}

bool literal_fits(ast_value const& v, type_use const& t, std::string& why) {
    if (v.what == vk::variable) return true;
    if (v.what == vk::null) {
        if (t.ref.non_null) why = "Expected value of type \"" + to_string(t.ref) + "\", found null.";
        return !t.ref.non_null;
    }
    if (t.ref.of) {
        if (v.what != vk::list) return literal_fits(v, item_of(t), why);
        for (auto const& i : v.items)
            if (!literal_fits(i, item_of(t), why)) return false;
        return true;
    }
    if (t.named->name == "JSON") return true;
    if (t.named->what != type_def::kind::input) {
        if (literal_leaf(v, *t.named)) return true;
        why = t.named->name + " cannot represent value: " + to_string(v);
        return false;
    }
    if (v.what != vk::object) return why = "Expected value of type \"" + t.named->name + "\", found " + to_string(v) + ".", false;
    for (auto const& [name, x] : v.fields) {
        auto const* i = t.named->input(name);
        if (!i) return why = "Field \"" + name + "\" is not defined by type \"" + t.named->name + "\".", false;
        if (!literal_fits(x, i->type, why)) return false;
    }
    for (auto const& i : t.named->inputs) {
        bool given = false;
        for (auto const& f : v.fields) given |= f.name == i.name;
        if (!given && i.required()) return why = "Field \"" + t.named->name + "." + i.name + "\" of required type \"" + to_string(i.type.ref) + "\" was not provided.", false;
    }
    return true;
}

std::optional<json::value> coerce_variable(json::value const& v, type_use const& t, std::string& why) {
    auto bad = [&](std::string text) { return why = std::move(text), std::nullopt; };
    if (v.is_null()) {
        if (t.ref.non_null) return bad("expected non-nullable type \"" + to_string(t.ref) + "\" not to be null");
        return json::value(nullptr);
    }
    if (t.ref.of) {
        json::array out;
        if (!v.is_array()) {
            auto one = coerce_variable(v, item_of(t), why);
            if (!one) return std::nullopt;
            out.push_back(std::move(*one));
        } else
            for (auto const& i : v.get_array()) {
                auto one = coerce_variable(i, item_of(t), why);
                if (!one) return why = "at [" + std::to_string(out.size()) + "]: " + why, std::nullopt;
                out.push_back(std::move(*one));
            }
        return json::value(std::move(out));
    }
    if (t.named->what != type_def::kind::input) {
        auto x = variable_leaf(v, *t.named);
        if (!x) return bad(t.named->name + " cannot represent value: " + json::serialize(v).substr(0, 200));
        return x;
    }
    auto const* o = v.if_object();
    if (!o) return bad("expected type \"" + t.named->name + "\" to be an object");
    for (auto const& m : *o)
        if (!t.named->input(std::string_view{m.key().data(), m.key().size()})) return bad("field \"" + std::string{m.key().data(), m.key().size()} + "\" is not defined by type \"" + t.named->name + "\"");
    json::object out;
    for (auto const& i : t.named->inputs) {
        auto const* given = o->if_contains(i.name);
        if (!given) {
            if (i.has_default) out[i.name] = i.otherwise;
            else if (i.required()) return bad("field \"" + i.name + "\" of required type \"" + to_string(i.type.ref) + "\" was not provided");
            continue;
        }
        auto x = coerce_variable(*given, i.type, why);
        if (!x) return why = "at \"" + i.name + "\": " + why, std::nullopt;
        out[i.name] = std::move(*x);
    }
    return json::value(std::move(out));
}

std::optional<type_use> input_type(schema const& s, type_ref const& r) {
    auto const* inner = &r;
    while (inner->of) inner = inner->of.get();
    auto const* named = s.find(inner->name);
    if (!named || !named->is_input()) return std::nullopt;
    return type_use{r, named};
}

std::optional<json::object> coerce_variables(schema const& s, operation const& o, json::object const& given, std::vector<request_error>& errors) {
    json::object out;
    for (auto const& d : o.variables) {
        auto t = input_type(s, d.type);
        if (!t) continue;                                       // validation has said so
        auto const* v = given.if_contains(d.name);
        std::string why;
        if (!v) {
            if (d.otherwise) {
                if (auto x = coerce_literal(*d.otherwise, *t, nullptr)) out[d.name] = std::move(*x);
            } else if (t->ref.non_null) errors.push_back({"Variable \"$" + d.name + "\" of required type \"" + to_string(d.type) + "\" was not provided.", {d.at}, "graphql.bad_variable"});
        } else if (auto x = coerce_variable(*v, *t, why)) out[d.name] = std::move(*x);
        else errors.push_back({"Variable \"$" + d.name + "\" got invalid value: " + why + ".", {d.at}, "graphql.bad_variable"});
    }
    if (!errors.empty()) return std::nullopt;
    return out;
}

std::optional<json::object> coerce_arguments(std::vector<input_def> const& wanted, std::vector<ast_argument> const& given, json::object const& variables, std::string& why) {
    json::object out;
    for (auto const& i : wanted) {
        ast_argument const* a = nullptr;
        for (auto const& x : given)
            if (x.name == i.name) a = &x;
        bool absent = a == nullptr;
        std::optional<json::value> v;
        if (a) v = coerce_literal(a->value, i.type, &variables, &absent);
        if (absent) {
            if (i.has_default) out[i.name] = i.otherwise;
            else if (i.type.ref.non_null) return why = "Argument \"" + i.name + "\" of required type \"" + to_string(i.type.ref) + "\" was not provided.", std::nullopt;
        } else if (!v) return why = "Argument \"" + i.name + "\" has an invalid value.", std::nullopt;
        else out[i.name] = std::move(*v);
    }
    return out;
}

std::optional<json::value> leaf(json::value const& v, type_def const& t) {
    if (t.what == type_def::kind::enumeration) {
        if (!v.is_string()) return std::nullopt;
        auto word = text_of(v.get_string());
        for (auto& c : word)
            if (t.name.substr(0, 2) != "__" && c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
        return t.has_word(word) ? std::optional(json::value(word)) : std::nullopt;
    }
    if (t.name == "JSON") return v;
    if (t.name == "Time") {
        auto n = v.is_number() ? whole(v) : std::nullopt;
        return n ? std::optional(json::value(time_text(*n))) : std::nullopt;
    }
    if (t.name == "ID") return v.is_string() ? std::optional(v) : v.is_number() && whole(v) ? std::optional(json::value(std::to_string(*whole(v)))) : std::nullopt;
    return variable_leaf(v, t);
}

}
