#pragma once
// The one table of methods behind REST, GraphQL, the CLI and calls between plugins, and the raw HTTP routes beside it.
// Built at start, then immutable: any thread.

#include "plugins/sdk/plugin.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace airmail::host {

class instance;

/// viewer 1 < operator 2 < admin 3; anything else 0.
int role_rank(std::string_view role);

struct method {
    sdk::method_decl what;
    instance* who = nullptr;
};
struct raw_route {
    sdk::route_decl what;
    instance* who = nullptr;
};

/// What a verb and a path lead to. At most one of the two pointers is set.
struct route_match {
    method const* to_method = nullptr;
    raw_route const* to_route = nullptr;
    std::vector<std::pair<std::string, std::string>> params;   // from {name} in the path, percent-decoded
    bool other_verb = false;                                   // nothing found, but another verb would be: answer 405
    explicit operator bool() const { return to_method || to_route; }
};

class method_table {
public:
    /// False when the name, or the same verb and path, is taken already.
    bool add(method m);
    bool add(raw_route r);

    /// Null when nobody declares it.
    method const* find(std::string_view name) const;
    /// The most literal pattern wins: "/a/b" before "/a/{x}" before "/a/*". The path has no query.
    route_match match(std::string_view verb, std::string_view path) const;
    /// All, sorted by name (for documentation, GraphQL and the CLI).
    std::vector<method const*> all() const;

private:
    struct pattern {
        std::string verb;
        std::vector<std::string> levels;   // "{name}" or a literal; "*" last takes the rest
        method const* to_method = nullptr;
        raw_route const* to_route = nullptr;
    };
    bool add_pattern(std::string_view verb, std::string_view path, pattern p);

    std::unordered_map<std::string, std::unique_ptr<method>> methods_;
    std::vector<std::unique_ptr<raw_route>> routes_;
    std::vector<pattern> patterns_;
};

/// One JSON object for a method: the body's members, then the query's (as strings), then the path's: the later wins.
/// nullopt when the body is not a JSON object, or an escape is broken.
std::optional<std::string> merge_params(route_match const& m, std::string_view query, std::string_view body);

}
