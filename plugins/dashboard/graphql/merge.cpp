#include "plugins/dashboard/graphql/merge.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace airmail::dashboard::graphql {
namespace {

using groups = std::vector<std::vector<selection const*>>;

struct collector {
    document const& d;
    groups out;
    std::unordered_map<std::string_view, std::size_t> at;
    std::unordered_set<std::string_view> seen;

    void take(std::vector<selection> const& set) {
        for (auto const& x : set) {
            if (x.what == selection::kind::field) {
                auto [i, fresh] = at.emplace(x.response_name(), out.size());
                if (fresh) out.emplace_back();
                out[i->second].push_back(&x);
            } else if (x.what == selection::kind::inline_fragment) take(x.set);
            else if (seen.insert(x.name).second)
                if (auto const* f = d.find(x.name)) take(f->set);
        }
    }
};

/// Arguments in any order, values as written.
std::string signature(selection const& x) {
    std::vector<std::string> parts;
    for (auto const& a : x.arguments) parts.push_back(a.name + ":" + to_string(a.value));
    std::sort(parts.begin(), parts.end());
    std::string out = x.name + "(";
    for (auto const& p : parts) (out += p) += ',';
    return out;
}

void check(schema const& s, document const& d, groups const& all, type_def const& on, std::vector<request_error>& errors) {
    for (auto const& group : all) {
        auto const& first = *group.front();
        auto const mine = signature(first);
        for (auto const* other : group)
            if (signature(*other) != mine) {
                errors.push_back({"Fields \"" + first.response_name() + "\" conflict because \"" + first.name + "\" and \"" + other->name +
                                      "\" are different fields or have differing arguments. Use different aliases on the fields to fetch both if this was intentional.",
                                  {first.at, other->at}, "graphql.invalid"});
                break;
            }
        auto const* f = s.field(on, first.name);
        if (!f || !f->type.named->is_composite()) continue;
        collector c{d, {}, {}, {}};
        for (auto const* x : group) c.take(x->set);
        if (!c.out.empty()) check(s, d, c.out, *f->type.named, errors);
    }
}

}

groups collect_all(document const& d, std::vector<selection> const& set) {
    collector c{d, {}, {}, {}};
    c.take(set);
    return std::move(c.out);
}

selection const& collect_root(document const& d, std::vector<selection> const& set) { return *collect_all(d, set).front().front(); }

void check_merging(schema const& s, document const& d, std::vector<selection> const& set, type_def const& on, std::vector<request_error>& errors) {
    check(s, d, collect_all(d, set), on, errors);
}

}
