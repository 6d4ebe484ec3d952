#include "plugins/dashboard/graphql/validate.hpp"

#include "plugins/dashboard/graphql/merge.hpp"
#include "plugins/dashboard/graphql/values.hpp"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace airmail::dashboard::graphql {
namespace {

constexpr std::size_t errors_max = 50;

/// Where a variable stands, and what is expected there.
struct usage { std::string name; type_use expected; bool known = false, has_default = false; location at; };

/// What one operation or fragment holds by itself.
struct body {
    std::vector<std::pair<std::string, location>> spreads;
    std::vector<usage> variables;
};

class validator {
public:
    validator(schema const& s, document const& d) : s_(s), d_(d) {}

    std::vector<request_error> run() {
        for (auto at : d_.definitions_of_types) say("The definition of a type is not executable.", at);
        names();
        for (auto const& f : d_.fragments) {
            auto const* on = composite(f.on, f.on_at, "Fragment \"" + f.name + "\"");
            bodies_.push_back(walk(f.set, on, f.directives, "FRAGMENT_DEFINITION"));
            index_.emplace(f.name, bodies_.size() - 1);
        }
        cycles();
        for (auto const& o : d_.operations) one(o);
        for (auto const& f : d_.fragments)
            if (!reached_.contains(f.name)) say("Fragment \"" + f.name + "\" is never used.", f.at);
        if (!cyclic_)
            for (auto const& o : d_.operations)
                if (auto const* root = s_.root(o.what)) check_merging(s_, d_, o.set, *root, errors_);
        if (errors_.size() > errors_max) errors_.resize(errors_max);
        return std::move(errors_);
    }

private:
    void say(std::string text, location at) {
        if (errors_.size() < errors_max) errors_.push_back({std::move(text), {at}, "graphql.invalid"});
    }

    void names() {
        std::unordered_set<std::string_view> operations, fragments;
        for (auto const& o : d_.operations) {
            if (o.name.empty() && d_.operations.size() > 1) say("This anonymous operation must be the only defined operation.", o.at);
            if (!o.name.empty() && !operations.insert(o.name).second) say("There can be only one operation named \"" + o.name + "\".", o.at);
        }
        for (auto const& f : d_.fragments)
            if (!fragments.insert(f.name).second) say("There can be only one fragment named \"" + f.name + "\".", f.at);
    }

    type_def const* composite(std::string const& name, location at, std::string const& who) {
        auto const* t = s_.find(name);
        if (!t) say("Unknown type \"" + name + "\".", at);
        else if (!t->is_composite()) say(who + " cannot condition on non composite type \"" + name + "\".", at), t = nullptr;
        return t;
    }

    body walk(std::vector<selection> const& set, type_def const* on, std::vector<ast_directive> const& directives_here, std::string_view where) {
        body b;
        directives(directives_here, where, b);
        selections(set, on, b);
        return b;
    }

    void selections(std::vector<selection> const& set, type_def const* on, body& b) {
        for (auto const& x : set) {
            if (x.what == selection::kind::spread) {
                directives(x.directives, "FRAGMENT_SPREAD", b);
                auto const* f = d_.find(x.name);
                if (!f) say("Unknown fragment \"" + x.name + "\".", x.at);
                else possible(on, s_.find(f->on), "Fragment \"" + x.name + "\"", x.at);
                b.spreads.emplace_back(x.name, x.at);
            } else if (x.what == selection::kind::inline_fragment) {
                directives(x.directives, "INLINE_FRAGMENT", b);
                auto const* inner = on;
                if (!x.type_condition.empty()) inner = composite(x.type_condition, x.condition_at, "Fragment"), possible(on, inner, "Fragment", x.at);
                selections(x.set, inner, b);
            } else field(x, on, b);
        }
    }

    /// Without interfaces and unions a fragment applies when it is on the very type.
    void possible(type_def const* on, type_def const* of, std::string const& who, location at) {
        if (on && of && of->is_composite() && on != of) say(who + " cannot be spread here as objects of type \"" + on->name + "\" can never be of type \"" + of->name + "\".", at);
    }

    void field(selection const& x, type_def const* on, body& b) {
        directives(x.directives, "FIELD", b);
        auto const* f = on ? s_.field(*on, x.name) : nullptr;
        if (on && !f) say("Cannot query field \"" + x.name + "\" on type \"" + on->name + "\".", x.at);
        if (f) arguments(x.arguments, f->arguments, x.at, "field \"" + (on->name + "." + x.name) + "\"", b);
        else loose_arguments(x.arguments, b);
        type_def const* inner = f ? f->type.named : nullptr;
        if (f && inner->is_composite() && !x.has_set) say("Field \"" + x.name + "\" of type \"" + to_string(f->type.ref) + "\" must have a selection of subfields.", x.at);
        if (f && !inner->is_composite() && x.has_set) say("Field \"" + x.name + "\" must not have a selection since type \"" + to_string(f->type.ref) + "\" has no subfields.", x.at);
        selections(x.set, inner && inner->is_composite() ? inner : nullptr, b);
    }

    /// Of an unknown field: only what can be said without a type.
    void loose_arguments(std::vector<ast_argument> const& given, body& b) {
        std::set<std::string_view> names;
        for (auto const& a : given) {
            if (!names.insert(a.name).second) say("There can be only one argument named \"" + a.name + "\".", a.at);
            variables_in(a.value, nullptr, false, b);
        }
    }

    void arguments(std::vector<ast_argument> const& given, std::vector<input_def> const& wanted, location at, std::string const& who, body& b) {
        std::set<std::string_view> names;
        for (auto const& a : given) {
            if (!names.insert(a.name).second) say("There can be only one argument named \"" + a.name + "\".", a.at);
            auto i = std::find_if(wanted.begin(), wanted.end(), [&](auto const& w) { return w.name == a.name; });
            if (i == wanted.end()) {
                say("Unknown argument \"" + a.name + "\" on " + who + ".", a.at), variables_in(a.value, nullptr, false, b);
                continue;
            }
            std::string why;
            if (!literal_fits(a.value, i->type, why)) say(std::move(why), a.value.at);
            variables_in(a.value, &i->type, i->has_default, b);
        }
        for (auto const& w : wanted)
            if (w.required() && !names.contains(w.name)) say("Argument \"" + w.name + "\" of type \"" + to_string(w.type.ref) + "\" is required on " + who + ", but it was not provided.", at);
    }

    void variables_in(ast_value const& v, type_use const* t, bool has_default, body& b) {
        using k = ast_value::kind;
        if (v.what == k::variable) b.variables.push_back({v.text, t ? *t : type_use{}, t != nullptr, has_default, v.at});
        bool free = t && !t->ref.of && t->named->name == "JSON";
        if (v.what == k::list)
            for (auto const& i : v.items) {
                auto inner = t && t->ref.of ? std::optional(item_of(*t)) : std::nullopt;
                variables_in(i, inner ? &*inner : free ? t : nullptr, false, b);
            }
        if (v.what == k::object) {
            std::set<std::string_view> names;
            for (auto const& [name, x] : v.fields) {
                if (!names.insert(name).second) say("There can be only one input field named \"" + name + "\".", x.at);
                auto const* i = t && t->named ? t->named->input(name) : nullptr;
                variables_in(x, i ? &i->type : nullptr, i && i->has_default, b);
            }
        }
    }

    void directives(std::vector<ast_directive> const& list, std::string_view where, body& b) {
        std::set<std::string_view> names;
        for (auto const& d : list) {
            auto const* def = s_.directive(d.name);
            if (!def) {
                say("Unknown directive \"@" + d.name + "\".", d.at), loose_arguments(d.arguments, b);
                continue;
            }
            if (!def->stands_at(where)) say("Directive \"@" + d.name + "\" may not be used on " + std::string{where} + ".", d.at);
            if (!names.insert(d.name).second && !def->repeatable) say("The directive \"@" + d.name + "\" can only be used once at this location.", d.at);
            arguments(d.arguments, def->arguments, d.at, "directive \"@" + d.name + "\"", b);
        }
    }

    body const* body_of(std::string const& name) const {
        auto at = index_.find(name);
        return at == index_.end() ? nullptr : &bodies_[at->second];
    }

    void cycles() {
        std::unordered_map<std::string, int> state;            // 1 on the path, 2 done
        for (auto const& f : d_.fragments) visit(f.name, state);
    }
    void visit(std::string const& name, std::unordered_map<std::string, int>& state) {
        auto const* b = body_of(name);
        if (!b || state[name] == 2) return;
        state[name] = 1;
        for (auto const& [to, at] : b->spreads) {
            if (state[to] == 1) cyclic_ = true, say("Cannot spread fragment \"" + to + "\" within itself.", at);
            else visit(to, state);
        }
        state[name] = 2;
    }

    void one(operation const& o) {
        auto const* root = s_.root(o.what);
        auto b = walk(o.set, root, o.directives, o.what == operation_kind::query ? "QUERY" : o.what == operation_kind::mutation ? "MUTATION" : "SUBSCRIPTION");
        std::vector<usage const*> used;
        std::unordered_set<std::string> here;
        std::vector<body const*> todo{&b};
        for (std::size_t i = 0; i < todo.size(); ++i) {
            for (auto const& v : todo[i]->variables) used.push_back(&v);
            for (auto const& [name, at] : todo[i]->spreads)
                if (here.insert(name).second)
                    if (auto const* f = body_of(name)) todo.push_back(f), reached_.insert(name);
        }
        variables(o, used, b);
        if (o.what == operation_kind::subscription && !cyclic_) single_root(o, *root);
    }

    void variables(operation const& o, std::vector<usage const*> const& used, body& b) {
        std::unordered_map<std::string_view, variable_definition const*> known;
        for (auto const& v : o.variables) {
            if (!known.emplace(v.name, &v).second) say("There can be only one variable named \"$" + v.name + "\".", v.at);
            directives(v.directives, "VARIABLE_DEFINITION", b);
            auto t = input_type(s_, v.type);
            if (!t) {
                auto const* inner = &v.type;
                while (inner->of) inner = inner->of.get();
                say(s_.find(inner->name) ? "Variable \"$" + v.name + "\" cannot be non-input type \"" + to_string(v.type) + "\"." : "Unknown type \"" + inner->name + "\".", v.type.at);
            } else if (std::string why; v.otherwise && !literal_fits(*v.otherwise, *t, why)) say(why, v.otherwise->at);
            if (v.otherwise && t) {
                body ignored;
                variables_in(*v.otherwise, &*t, false, ignored);   // for doubled member names
            }
        }
        std::unordered_set<std::string_view> seen;
        for (auto const* u : used) {
            seen.insert(u->name);
            auto at = known.find(u->name);
            if (at == known.end()) say("Variable \"$" + u->name + "\" is not defined" + (o.name.empty() ? "." : " by operation \"" + o.name + "\"."), u->at);
            else if (u->known) position(*at->second, *u);
        }
        for (auto const& v : o.variables)
            if (!seen.contains(v.name)) say("Variable \"$" + v.name + "\" is never used" + (o.name.empty() ? "." : " in operation \"" + o.name + "\"."), v.at);
    }

    static bool within(type_ref const& have, type_ref const& want) {
        if (want.non_null && !have.non_null) return false;
        if (static_cast<bool>(want.of) != static_cast<bool>(have.of)) return false;
        return want.of ? within(*have.of, *want.of) : have.name == want.name;
    }

    void position(variable_definition const& v, usage const& u) {
        auto t = input_type(s_, v.type);
        if (!t) return;
        bool fits = false;
        if (u.expected.ref.non_null && !v.type.non_null) {
            bool default_here = v.otherwise && v.otherwise->what != ast_value::kind::null;
            fits = (default_here || u.has_default) && within(v.type, nullable(u.expected).ref);
        } else fits = within(v.type, u.expected.ref);
        if (!fits) say("Variable \"$" + v.name + "\" of type \"" + to_string(v.type) + "\" used in position expecting type \"" + to_string(u.expected.ref) + "\".", u.at);
    }

    void single_root(operation const& o, type_def const& root) {
        auto groups = collect_all(d_, o.set);
        if (groups.size() > 1) say("Subscription must select only one top level field.", o.at);
        for (auto const& g : groups)
            if (g.front()->name.substr(0, 2) == "__") say("Subscription must not select an introspection top level field.", g.front()->at);
        (void)root;
    }

    schema const& s_;
    document const& d_;
    std::vector<request_error> errors_;
    std::vector<body> bodies_;
    std::unordered_map<std::string, std::size_t> index_;
    std::unordered_set<std::string> reached_;
    bool cyclic_ = false;
};

}

std::vector<request_error> validate(schema const& s, document const& d) { return validator{s, d}.run(); }

}
