// links: airmail::acl
// A rules file of either kind: a file with a fatal line gives no rules; an allowed SUBSCRIBE never reaches a topic that a
// SUBSCRIBE to just that topic would be refused for; every decision can be explained.

#include "acl/compile.hpp"
#include "acl/device_rules.hpp"
#include "acl/pattern.hpp"

#include <algorithm>
#include <cstdlib>

using namespace airmail::acl;

namespace {

void insist(bool truth) {
    if (!truth) std::abort();
}

/// A topic under the filter: wildcards become words that no rule is likely to name.
std::string topic_under(std::string_view filter) {
    std::string out;
    for (char const c : filter) out += c == '+' || c == '#' ? 'q' : c;
    return out;
}

void ask(engine const& e, identity const& who, std::string_view filter, bool native) {
    for (auto const what : {action::publish, action::subscribe, action::receive}) {
        auto const d = e.check(who, what, filter);
        insist(!e.explain(d).empty());
        insist(d.rule == decision::no_rule || d.rule < e.size());
    }
    if (native && valid_filter(filter) && e.check(who, action::subscribe, filter).allowed)
        insist(e.check(who, action::subscribe, topic_under(filter)).allowed);
}

}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string const text{reinterpret_cast<char const*>(data), size};
    for (auto const how : {semantics::native, semantics::mosquitto}) {
        ruleset rules;
        auto const said = rules.parse(text, "fuzz");
        bool const fatal = std::any_of(said.begin(), said.end(), [](complaint const& c) { return c.fatal; });
        insist(!fatal || rules.rules().empty());
        if (how == semantics::native) add_device_rules(rules);
        std::vector<std::string> filters{"#", "devices/+/command", "a/b"}, people{"", "dev-1", "+"};
        for (auto const& r : rules.rules()) {
            if (filters.size() > 20) break;
            filters.emplace_back(r.filter);
            people.emplace_back(r.who);
        }
        auto const e = compile(std::move(rules), how);
        for (auto const& p : people) {
            identity who;
            who.name = who.client_id = p;
            who.role = p == "dev-1" ? "device" : p;
            for (auto const& f : filters) ask(*e, who, f, how == semantics::native);
        }
    }
    return 0;
}
