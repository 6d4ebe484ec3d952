#pragma once
// Writes JSON text member by member; what the plugins answer and publish.

#include "plugins/sdk/declare.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace airmail::plugins::kit {

/// Collects `"a":1,"b":"x"`; str() adds the braces.
class json_object {
public:
    json_object& text(std::string_view key, std::string_view v) { return name(key), sdk::append_json(out_, v), *this; }
    json_object& number(std::string_view key, std::int64_t v) { return name(key), out_ += std::to_string(v), *this; }
    json_object& real(std::string_view key, double v);
    json_object& flag(std::string_view key, bool v) { return name(key), out_ += v ? "true" : "false", *this; }
    json_object& null(std::string_view key) { return name(key), out_ += "null", *this; }
    /// JSON text as it is; empty = null.
    json_object& raw(std::string_view key, std::string_view json) { return name(key), out_ += json.empty() ? std::string_view{"null"} : json, *this; }
    /// Nothing when empty: optional members.
    json_object& text_if(std::string_view key, std::string_view v) { return v.empty() ? *this : text(key, v); }
    std::string str() const { return out_.empty() ? "{}" : out_ + "}"; }

private:
    void name(std::string_view key) { out_ += out_.empty() ? '{' : ',', sdk::append_json(out_, key), out_ += ':'; }
    std::string out_;
};
inline json_object& json_object::real(std::string_view key, double v) {
    auto s = std::to_string(v);
    while (s.size() > 1 && s.back() == '0') s.pop_back();
    if (s.back() == '.') s.pop_back();
    return name(key), out_ += s, *this;
}

/// Collects JSON texts: `[a,b]`.
class json_array {
public:
    json_array& add(std::string_view json) { return out_ += out_.size() > 1 ? "," : "", out_ += json, *this; }
    json_array& add_text(std::string_view s) { return out_ += out_.size() > 1 ? "," : "", sdk::append_json(out_, s), *this; }
    std::string str() const { return out_ + ']'; }

private:
    std::string out_ = "[";
};

}
