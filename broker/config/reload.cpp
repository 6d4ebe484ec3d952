#include "broker/config/reload.hpp"

#include <algorithm>
#include <set>

namespace airmail::config {
namespace {

std::string effective(section const& s, directive const& d) {
    auto const& all = s.settings();
    auto const at = all.find(d.name);
    if (at == all.end()) return std::string{d.standard};
    std::string out;
    for (auto const& v : at->second.values) out.append(out.empty() ? "" : ", ").append(v);
    return out;
}

/// Only what is written in these sections themselves: inherited values show up where they are written.
void compare(section const& before, section const& after, std::string const& place, std::vector<change>& out) {
    for (auto const& d : directives()) {
        if (!d.same_as.empty() || d.where == scope::block) continue;
        if (!before.settings().contains(d.name) && !after.settings().contains(d.name)) continue;
        auto a = effective(before, d), b = effective(after, d);
        if (a != b) out.push_back({std::string{d.name}, place, std::move(a), std::move(b), d.reloadable});
    }
}

listener const* same(std::vector<listener> const& in, listener const& l) {
    auto const at = std::find_if(in.begin(), in.end(), [&](listener const& x) { return x.name() == l.name(); });
    return at == in.end() ? nullptr : &*at;
}

std::string text(plugin_block const& p) {
    std::string out = p.name;
    for (auto const& [k, v] : p.options) out.append(" ").append(k).append("=").append(v);
    return out;
}

}

std::vector<change> differences(config const& running, config const& wanted) {
    std::vector<change> out;
    compare(running, wanted, "", out);
    for (auto const& l : running.listeners()) {
        if (auto const* other = same(wanted.listeners(), l)) compare(l, *other, l.name(), out);
        else out.push_back({"listener", l.name(), l.name(), "", false});
    }
    for (auto const& l : wanted.listeners())
        if (!same(running.listeners(), l)) out.push_back({"listener", l.name(), "", l.name(), false});
    std::multiset<std::string> before, after;
    for (auto const& p : running.plugins()) before.insert(text(p));
    for (auto const& p : wanted.plugins()) after.insert(text(p));
    for (auto const& p : before)
        if (!after.contains(p)) out.push_back({"airmail_plugin", p.substr(0, p.find(' ')), p, "", false});
    for (auto const& p : after)
        if (!before.contains(p)) out.push_back({"airmail_plugin", p.substr(0, p.find(' ')), "", p, false});
    return out;
}

}
