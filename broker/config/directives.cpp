#include "broker/config/directives.hpp"

#include "broker/config/tables.hpp"

#include <algorithm>
#include <unordered_map>
#include <vector>

namespace airmail::config {
namespace {

struct group {
    std::string_view name;
    std::span<directive const> rows;
};

std::vector<group> const& groups() {
    static std::vector<group> const all = {
        {"Listeners and TLS", tables::listeners()},
        {"Authentication, sessions, persistence, logging", tables::broker()},
        {"Airmail: devices, store, HTTP, metrics, plugins", tables::airmail()},
        {"Airmail: limits", tables::limits()},
        {"Airmail: updates", tables::updates()},
        {"Airmail: replication", tables::replication()},
        {"Bridges", tables::bridges()},
    };
    return all;
}

struct table {
    std::vector<directive> rows;
    std::unordered_map<std::string_view, std::size_t> by_name;
    table() {
        for (auto const& g : groups())
            for (auto const& d : g.rows) {
                by_name.emplace(d.name, rows.size());
                rows.push_back(d);
            }
    }
};

table const& the_table() {
    static table const t;
    return t;
}

/// Changes (insert, delete, replace, swap of neighbours) that make `a` into `b`.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        now[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = std::min(now[j], before[j - 2] + 1);
        }
        before.swap(last);
        last.swap(now);
    }
    return last[b.size()];
}

}

std::span<directive const> directives() { return the_table().rows; }

directive const* find(std::string_view name) {
    auto const& t = the_table();
    auto const at = t.by_name.find(name);
    if (at == t.by_name.end()) return nullptr;
    auto const& d = t.rows[at->second];
    return d.same_as.empty() ? &d : find(d.same_as);
}

std::string_view nearest(std::string_view wrong) {
    if (wrong.size() > 64) return {};
    std::string_view best;
    std::size_t least = std::max<std::size_t>(1, wrong.size() / 3) + 1;
    for (auto const& d : directives())
        if (auto const n = distance(wrong, d.name); n < least) least = n, best = d.name;
    return best;
}

std::string_view group_of(directive const& d) {
    for (auto const& g : groups())
        for (auto const& r : g.rows)
            if (r.name == d.name) return g.name;
    return {};
}

}
