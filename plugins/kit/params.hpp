#pragma once
// A method's parameters and its refusals. Refuse before the first write: an answer of 4xx does not undo rows.

#include "plugins/sdk/plugin.hpp"

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::plugins::kit {

/// Becomes the answer: HTTP-like status and {"code","detail"}.
struct refusal {
    int status;
    std::string code, detail;
};
std::string problem_json(std::string_view code, std::string_view detail);

/// Path, query and body members, joined by the host. Query values are texts, so numbers and flags are read from texts too.
class params {
public:
    /// Throws refusal 400 when it is no JSON object.
    explicit params(std::string_view json);
    /// "" when absent or null. Throws refusal 400 when it is not a text (or number).
    std::string text(char const* key) const;
    /// Throws refusal 400 when empty.
    std::string required(char const* key) const;
    std::optional<std::int64_t> number(char const* key) const;
    std::int64_t number(char const* key, std::int64_t otherwise, std::int64_t min, std::int64_t max) const;
    std::optional<bool> flag(char const* key) const;
    std::vector<std::string> list(char const* key) const;
    boost::json::value const* find(char const* key) const;

private:
    boost::json::object members_;
};

/// Runs a method body that answers with JSON (status 200) or throws refusal; answers either way.
template <class F>
void answer(sdk::context& ctx, std::uint64_t handle, F body) {
    int status = 200;
    std::string json;
    try {
        json = body(status);
    } catch (refusal const& r) {
        status = r.status, json = problem_json(r.code, r.detail);
    }
    ctx.reply(handle, status, json);
}

}
