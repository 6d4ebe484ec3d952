#include "broker/host/method_table.hpp"

#include <algorithm>
#include <boost/json.hpp>

namespace airmail::host {

namespace {

int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

std::optional<std::string> decode(std::string_view in, bool plus_is_space) {
    std::string out;
    for (std::size_t i = 0; i < in.size(); ++i) {
        if (in[i] != '%') {
            out += plus_is_space && in[i] == '+' ? ' ' : in[i];
            continue;
        }
        if (i + 2 >= in.size() || hex(in[i + 1]) < 0 || hex(in[i + 2]) < 0) return std::nullopt;
        auto c = static_cast<char>(hex(in[i + 1]) * 16 + hex(in[i + 2]));
        if (c == '\0') return std::nullopt;
        out += c, i += 2;
    }
    return out;
}

std::vector<std::string> split(std::string_view path) {
    std::vector<std::string> out;
    if (!path.empty() && path[0] == '/') path.remove_prefix(1);
    for (;;) {
        auto end = path.find('/');
        out.emplace_back(path.substr(0, end));
        if (end == path.npos) return out;
        path.remove_prefix(end + 1);
    }
}

bool variable(std::string_view level) { return level.size() > 2 && level.front() == '{' && level.back() == '}'; }

/// How literal a pattern is, level by level: 2 literal, 1 variable, 0 rest.
std::string weight(std::vector<std::string> const& levels) {
    std::string w;
    for (auto const& l : levels) w += l == "*" ? '0' : variable(l) ? '1' : '2';
    return w;
}

bool fits(std::vector<std::string> const& pattern, std::vector<std::string> const& path, std::vector<std::pair<std::string, std::string>>& params) {
    params.clear();
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] == "*") {
            std::string rest;
            for (auto j = i; j < path.size(); ++j) (rest += rest.empty() ? "" : "/") += path[j];
            return params.emplace_back("*", std::move(rest)), i < path.size();
        }
        if (i >= path.size()) return false;
        if (!variable(pattern[i])) {
            if (pattern[i] != path[i]) return false;
            continue;
        }
        auto value = decode(path[i], false);
        if (!value || value->empty()) return false;
        params.emplace_back(pattern[i].substr(1, pattern[i].size() - 2), std::move(*value));
    }
    return pattern.size() == path.size();
}

}

int role_rank(std::string_view role) { return role == "admin" ? 3 : role == "operator" ? 2 : role == "viewer" ? 1 : 0; }

bool method_table::add_pattern(std::string_view verb, std::string_view path, pattern p) {
    p.verb = verb, p.levels = split(path);
    for (auto const& other : patterns_)
        if (other.verb == p.verb && weight(other.levels) == weight(p.levels)) {
            bool same = true;
            for (std::size_t i = 0; i < p.levels.size(); ++i)
                same = same && (variable(p.levels[i]) || p.levels[i] == other.levels[i]);
            if (same) return false;
        }
    patterns_.push_back(std::move(p));
    std::stable_sort(patterns_.begin(), patterns_.end(), [](auto const& a, auto const& b) { return weight(a.levels) > weight(b.levels); });
    return true;
}

bool method_table::add(method m) {
    auto name = m.what.name;
    if (methods_.contains(name)) return false;
    auto owned = std::make_unique<method>(std::move(m));
    if (!owned->what.path.empty() && !add_pattern(owned->what.verb, owned->what.path, {.to_method = owned.get()})) return false;
    methods_.emplace(std::move(name), std::move(owned));
    return true;
}

bool method_table::add(raw_route r) {
    auto owned = std::make_unique<raw_route>(std::move(r));
    if (!add_pattern(owned->what.verb, owned->what.path, {.to_route = owned.get()})) return false;
    routes_.push_back(std::move(owned));
    return true;
}

method const* method_table::find(std::string_view name) const {
    auto at = methods_.find(std::string{name});
    return at == methods_.end() ? nullptr : at->second.get();
}

route_match method_table::match(std::string_view verb, std::string_view path) const {
    route_match out;
    if (path.empty() || path[0] != '/') return out;
    auto levels = split(path);
    for (auto const& p : patterns_) {
        if (!fits(p.levels, levels, out.params)) continue;
        // HEAD is GET without a body; the HTTP server leaves the body out.
        if (p.verb != verb && !(verb == "HEAD" && p.verb == "GET")) {
            out.other_verb = true;
            continue;
        }
        out.to_method = p.to_method, out.to_route = p.to_route, out.other_verb = false;
        return out;
    }
    out.params.clear();
    return out;
}

std::vector<method const*> method_table::all() const {
    std::vector<method const*> out;
    for (auto const& [name, m] : methods_) out.push_back(m.get());
    std::sort(out.begin(), out.end(), [](auto* a, auto* b) { return a->what.name < b->what.name; });
    return out;
}

std::optional<std::string> merge_params(route_match const& m, std::string_view query, std::string_view body) {
    boost::json::object all;
    if (body.find_first_not_of(" \t\r\n") != body.npos) {
        boost::system::error_code ec;
        auto v = boost::json::parse(body, ec);
        if (ec || !v.is_object()) return std::nullopt;
        all = std::move(v.get_object());
    }
    while (!query.empty()) {
        auto pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        auto eq = pair.find('=');
        auto key = decode(pair.substr(0, eq), true), value = decode(eq == pair.npos ? "" : pair.substr(eq + 1), true);
        if (!key || !value) return std::nullopt;
        if (!key->empty()) all[*key] = *value;
    }
    for (auto const& [key, value] : m.params) all[key] = value;
    return boost::json::serialize(all);
}

}
