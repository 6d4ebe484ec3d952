#include "plugins/kit/params.hpp"

#include "plugins/kit/json_out.hpp"

#include <boost/json/parse.hpp>
#include <charconv>

namespace airmail::plugins::kit {

namespace {

[[noreturn]] void wrong(char const* key, char const* wanted) {
    throw refusal{400, "api.bad_parameter", std::string{key} + " must be " + wanted};
}

}

std::string problem_json(std::string_view code, std::string_view detail) {
    return json_object{}.text("code", code).text("detail", detail).str();
}

params::params(std::string_view json) {
    boost::system::error_code ec;
    auto v = boost::json::parse(boost::json::string_view{json.data(), json.size()}, ec);
    if (ec || !v.is_object()) throw refusal{400, "api.bad_json", "parameters must be a JSON object"};
    members_ = std::move(v.as_object());
}

boost::json::value const* params::find(char const* key) const {
    auto v = members_.if_contains(key);
    return v && !v->is_null() ? v : nullptr;
}

std::string params::text(char const* key) const {
    auto v = find(key);
    if (!v) return {};
    if (v->is_string()) return std::string{v->as_string().c_str(), v->as_string().size()};
    if (v->is_int64()) return std::to_string(v->as_int64());
    wrong(key, "a text");
}

std::string params::required(char const* key) const {
    auto s = text(key);
    if (s.empty()) wrong(key, "given");
    return s;
}

std::optional<std::int64_t> params::number(char const* key) const {
    auto v = find(key);
    if (!v) return std::nullopt;
    if (v->is_int64()) return v->as_int64();
    if (v->is_string()) {
        std::int64_t n = 0;
        auto const& s = v->as_string();
        auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), n);
        if (ec == std::errc{} && end == s.data() + s.size()) return n;
    }
    wrong(key, "a whole number");
}

std::int64_t params::number(char const* key, std::int64_t otherwise, std::int64_t min, std::int64_t max) const {
    auto n = number(key);
    if (!n) return otherwise;
    if (*n < min || *n > max) wrong(key, ("from " + std::to_string(min) + " to " + std::to_string(max)).c_str());
    return *n;
}

std::optional<bool> params::flag(char const* key) const {
    auto v = find(key);
    if (!v) return std::nullopt;
    if (v->is_bool()) return v->as_bool();
    if (v->is_string() && (v->as_string() == "true" || v->as_string() == "1")) return true;
    if (v->is_string() && (v->as_string() == "false" || v->as_string() == "0")) return false;
    wrong(key, "true or false");
}

std::vector<std::string> params::list(char const* key) const {
    std::vector<std::string> out;
    auto v = find(key);
    if (!v) return out;
    if (!v->is_array()) wrong(key, "a list of texts");
    for (auto const& item : v->as_array()) {
        if (!item.is_string()) wrong(key, "a list of texts");
        out.emplace_back(item.as_string().c_str(), item.as_string().size());
    }
    return out;
}

}
