#include "plugins/dashboard/graphql/limits.hpp"

#include "plugins/dashboard/graphql/values.hpp"

#include <algorithm>
#include <unordered_map>

namespace airmail::dashboard::graphql {
namespace {

constexpr std::int64_t much = std::int64_t{1} << 40;
std::int64_t plus(std::int64_t a, std::int64_t b) { return std::min(much, a + b); }
std::int64_t times(std::int64_t a, std::int64_t b) { return a != 0 && b > much / a ? much : a * b; }

class meter {
public:
    meter(schema const& s, document const& d, boost::json::object const* v) : s_(s), d_(d), variables_(v) {}

    measure set(std::vector<selection> const& items, type_def const* on, int type_lists) {
        measure out;
        for (auto const& x : items) {
            measure one;
            if (x.what == selection::kind::field) one = field(x, on, type_lists);
            else if (x.what == selection::kind::inline_fragment) one = set(x.set, x.type_condition.empty() ? on : s_.find(x.type_condition), type_lists);
            else one = spread(x.name, type_lists);
            join(out, one);
        }
        return out;
    }

private:
    static void join(measure& a, measure const& b) {
        a.fields = plus(a.fields, b.fields), a.aliases = plus(a.aliases, b.aliases), a.cost = plus(a.cost, b.cost), a.page = std::max(a.page, b.page);
        a.depth = std::max(a.depth, b.depth);
        a.introspects |= b.introspects, a.introspects_deeply |= b.introspects_deeply, a.cyclic |= b.cyclic;
    }

    measure spread(std::string const& name, int type_lists) {
        auto const* f = d_.find(name);
        if (!f) return {};
        auto& kept = known_[name + std::to_string(std::min(type_lists, 3))];
        if (kept.open) {
            measure m;
            m.cyclic = true;
            return m;
        }
        if (!kept.done) {
            kept.open = true;
            auto m = set(f->set, s_.find(f->on), type_lists);
            auto& mine = known_[name + std::to_string(std::min(type_lists, 3))];
            mine.what = m, mine.open = false, mine.done = true;
            return m;
        }
        return kept.what;
    }

    measure field(selection const& x, type_def const* on, int type_lists) {
        auto const* f = on ? s_.field(*on, x.name) : nullptr;
        bool const of_types = on && on->name == "__Type" && (x.name == "fields" || x.name == "inputFields" || x.name == "interfaces" || x.name == "possibleTypes");
        auto m = set(x.set, f ? f->type.named : nullptr, type_lists + of_types);
        if (of_types && type_lists >= 2) m.introspects_deeply = true;
        ++m.depth, m.fields = plus(m.fields, 1), m.aliases = plus(m.aliases, !x.alias.empty());
        if (x.name == "__schema" || x.name == "__type") m.introspects = true, m.cost = 0;
        auto rows = page(x, f, on);
        if (rows > 0) m.page = std::max(m.page, rows);
        bool const composite = f && f->type.named->is_composite();
        if (composite) m.cost = plus(1, times(m.cost, std::max<std::int64_t>(rows < 0 ? -rows : rows, 1)));
        return m;
    }

    /// Rows that were asked for; negative: a guess for a list without a page; 0: no list.
    std::int64_t page(selection const& x, field_def const* f, type_def const* on) {
        if (!f) return 0;
        for (auto const& a : f->arguments) {
            if (a.name != "first" && a.name != "limit") continue;
            std::int64_t rows = a.otherwise.is_int64() ? a.otherwise.get_int64() : 50;
            for (auto const& g : x.arguments)
                if (g.name == a.name) {
                    auto v = coerce_literal(g.value, nullable(a.type), variables_);
                    if (v && v->is_int64()) rows = v->get_int64();
                }
            return rows;
        }
        bool const inside = on && on->fields.size() > 1 && (on->field("pageInfo") || on->field("totalCount"));   // nodes, edges: counted by their connection
        return list_of(f->type.ref) && f->type.named->is_composite() && !inside && on && on->name.substr(0, 2) != "__" ? -10 : 0;
    }
    static bool list_of(type_ref const& t) { return t.of != nullptr; }

    struct known { measure what; bool open = false, done = false; };
    schema const& s_;
    document const& d_;
    boost::json::object const* variables_;
    std::unordered_map<std::string, known> known_;
};

}

measure measure_of(schema const& s, document const& d, operation const& o, boost::json::object const* variables) {
    return meter{s, d, variables}.set(o.set, s.root(o.what), 0);
}

request_error over(limits const& l, measure const& m, bool structure) {
    auto say = [](char const* what, std::int64_t is, std::int64_t most, char const* code) {
        return request_error{std::string{"The request has "} + what + " " + std::to_string(is) + "; at most " + std::to_string(most) + ".", {}, code};
    };
    auto const depth = m.introspects ? l.introspection_depth : l.depth;
    if (m.depth > depth) return say("depth", m.depth, depth, "graphql.too_deep");
    if (m.aliases > l.aliases) return say("aliases", m.aliases, l.aliases, "graphql.too_many_aliases");
    if (m.fields > l.fields) return say("fields", m.fields, l.fields, "graphql.too_many_fields");
    if (m.introspects_deeply) return {"Introspection nests lists of types three deep.", {}, "graphql.too_deep"};
    if (structure) return {{}, {}, ""};
    if (m.page > l.page) return say("a page of", m.page, l.page, "graphql.page_too_large");
    if (m.cost > l.cost) return say("cost", m.cost, l.cost, "graphql.too_costly");
    return {{}, {}, ""};
}

}
