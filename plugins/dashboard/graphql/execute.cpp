#include "plugins/dashboard/graphql/execute.hpp"

#include "plugins/dashboard/graphql/introspect.hpp"
#include "plugins/dashboard/graphql/values.hpp"

#include <optional>
#include <unordered_map>
#include <unordered_set>

namespace airmail::dashboard::graphql {

namespace json = boost::json;

namespace {

/// Where an answer's value stands; a chain on the stack, made into a list only for an error.
struct path {
    path const* above;
    std::string_view name;
    std::size_t index;
    json::array list() const {
        json::array out = above ? above->list() : json::array{};
        if (name.empty()) out.push_back(index);
        else out.push_back(json::string(name));
        return out;
    }
};

json::array locations(std::vector<location> const& at) {
    json::array out;
    for (auto l : at) out.push_back(json::object{{"line", l.line}, {"column", l.column}});
    return out;
}

class executor {
public:
    executor(schema const& s, document const& d, json::object const& v, resolver& house) : s_(s), d_(d), variables_(v), house_(house) {}

    outcome run(operation const& o) {
        outcome out;
        std::vector<std::vector<selection> const*> sets{&o.set};
        auto data = object(*s_.root(o.what), json::value(nullptr), sets, nullptr);
        out.data = data ? std::move(*data) : json::value(nullptr);
        out.errors = std::move(errors_);
        return out;
    }

private:
    using set_list = std::vector<std::vector<selection> const*>;
    struct group { std::string_view name; std::vector<selection const*> fields; };

    bool included(std::vector<ast_directive> const& directives) {
        for (auto const& d : directives) {
            if (d.name != "skip" && d.name != "include") continue;
            std::string why;
            auto a = coerce_arguments(s_.directive(d.name)->arguments, d.arguments, variables_, why);
            bool const yes = a && a->at("if").is_bool() && a->at("if").get_bool();
            if (yes == (d.name == "skip")) return false;
        }
        return true;
    }

    /// CollectFields (6.3.2).
    void collect(std::vector<selection> const& set, std::vector<group>& out, std::unordered_set<std::string_view>& seen) {
        for (auto const& x : set) {
            if (!included(x.directives)) continue;
            if (x.what == selection::kind::field) {
                group* g = nullptr;
                for (auto& y : out)
                    if (y.name == x.response_name()) g = &y;
                if (!g) out.push_back({x.response_name(), {}}), g = &out.back();
                g->fields.push_back(&x);
            } else if (x.what == selection::kind::inline_fragment) collect(x.set, out, seen);
            else if (seen.insert(x.name).second)
                if (auto const* f = d_.find(x.name)) collect(f->set, out, seen);
        }
    }

    /// nullopt: a required field inside failed, so that this object is null.
    std::optional<json::value> object(type_def const& on, json::value const& self, set_list const& sets, path const* at) {
        std::vector<group> groups;
        std::unordered_set<std::string_view> seen;
        for (auto const* s : sets) collect(*s, groups, seen);
        json::object out;
        out.reserve(groups.size());
        bool whole = true;
        for (auto const& g : groups) {
            auto const* f = s_.field(on, g.fields.front()->name);
            if (!f) continue;
            path here{at, g.name, 0};
            auto v = field(on, *f, self, g, here);
            if (!v) {
                whole = false;
                break;
            }
            out[g.name] = std::move(*v);
        }
        if (!whole) return std::nullopt;
        return json::value(std::move(out));
    }

    std::optional<json::value> field(type_def const& on, field_def const& f, json::value const& self, group const& g, path const& at) {
        auto const& first = *g.fields.front();
        json::value v;
        try {
            std::string why;
            auto arguments = coerce_arguments(f.arguments, first.arguments, variables_, why);
            if (!arguments) throw field_error{"graphql.bad_argument", why};
            v = value_of(on, f, self, *arguments, g);
        } catch (field_error const& e) {
            fail(e.what(), e.code(), first.at, at);
            return f.type.ref.non_null ? std::nullopt : std::optional(json::value(nullptr));
        }
        set_list below;
        for (auto const* x : g.fields)
            if (x->has_set) below.push_back(&x->set);
        return complete(f.type.ref, f.type, v, below, first, at);
    }

    json::value value_of(type_def const& on, field_def const& f, json::value const& self, json::object const& arguments, group const& g) {
        if (f.name == "__typename") return json::value(on.name);
        if (on.name.substr(0, 2) == "__" || f.name == "__schema" || f.name == "__type") return introspect(s_, on, f, self, arguments);
        auto wants = [&](std::string_view name) {
            for (auto const* x : g.fields)
                if (selected(x->set, name)) return true;
            return false;
        };
        return house_.resolve({on, f, self, arguments, wants});
    }

    bool selected(std::vector<selection> const& set, std::string_view name) {
        for (auto const& x : set) {
            if (x.what == selection::kind::field ? x.name == name : false) return true;
            if (x.what == selection::kind::inline_fragment && selected(x.set, name)) return true;
            if (x.what == selection::kind::spread)
                if (auto const* f = d_.find(x.name); f && selected(f->set, name)) return true;
        }
        return false;
    }

    /// CompleteValue (6.4.3). nullopt: null where none may be, already told.
    std::optional<json::value> complete(type_ref const& t, type_use const& use, json::value const& v, set_list const& below, selection const& x, path const& at) {
        auto nothing = [&](std::string const& why) -> std::optional<json::value> {
            if (!why.empty()) fail(why, "graphql.bad_value", x.at, at);
            return t.non_null ? std::nullopt : std::optional(json::value(nullptr));
        };
        if (v.is_null()) return nothing(t.non_null ? "Cannot return null for non-nullable field " + x.name + "." : "");
        if (t.of) {
            auto const* list = v.if_array();
            if (!list) return nothing("Expected a list for field " + x.name + ".");
            json::array out;
            out.reserve(list->size());
            for (std::size_t i = 0; i < list->size(); ++i) {
                path here{&at, {}, i};
                auto one = complete(*t.of, use, (*list)[i], below, x, here);
                if (!one) return nothing("");
                out.push_back(std::move(*one));
            }
            return json::value(std::move(out));
        }
        if (use.named->is_composite()) {
            auto o = object(*use.named, v, below, &at);
            return o ? std::move(o) : nothing("");
        }
        auto l = leaf(v, *use.named);
        return l ? std::move(l) : nothing("The value of " + x.name + " is no " + use.named->name + ".");
    }

    void fail(std::string const& message, std::string const& code, location where, path const& at) {
        if (errors_.size() < 100)
            errors_.push_back(json::object{{"message", message}, {"locations", locations({where})}, {"path", at.list()}, {"extensions", json::object{{"code", code}}}});
    }

    schema const& s_;
    document const& d_;
    json::object const& variables_;
    resolver& house_;
    json::array errors_;
};

}

outcome execute(schema const& s, document const& d, operation const& o, json::object const& variables, resolver& house) {
    return executor{s, d, variables, house}.run(o);
}

json::object error_json(request_error const& e) {
    json::object o{{"message", e.message}, {"extensions", json::object{{"code", e.code}}}};
    if (!e.at.empty()) o["locations"] = locations(e.at);
    return o;
}

}
