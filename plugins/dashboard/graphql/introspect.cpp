#include "plugins/dashboard/graphql/introspect.hpp"

#include <boost/json/array.hpp>

namespace airmail::dashboard::graphql {

namespace json = boost::json;

namespace {

std::string text(json::value const& v) { return v.is_string() ? std::string{v.get_string().data(), v.get_string().size()} : std::string{}; }
std::string member(json::value const& v, char const* key) {
    auto const* o = v.if_object();
    auto const* m = o ? o->if_contains(key) : nullptr;
    return m ? text(*m) : std::string{};
}
json::value maybe(std::string const& s) { return s.empty() ? json::value(nullptr) : json::value(s); }

json::value schema_field(schema const& s, std::string const& name) {
    if (name == "types") {
        json::array out;
        for (auto const& t : s.types()) out.emplace_back(t->name);
        return out;
    }
    if (name == "directives") {
        json::array out;
        for (auto const& d : s.directives()) out.push_back(json::object{{"d", d.name}});
        return out;
    }
    auto root = [&](operation_kind k) { return s.root(k) ? json::value(s.root(k)->name) : json::value(nullptr); };
    if (name == "queryType") return root(operation_kind::query);
    if (name == "mutationType") return root(operation_kind::mutation);
    if (name == "subscriptionType") return root(operation_kind::subscription);
    return nullptr;
}

json::value type_field(schema const& s, std::string const& t, std::string const& name) {
    bool const list = t.front() == '[' && t.back() != '!', non_null = t.back() == '!';
    if (list || non_null) {
        if (name == "kind") return non_null ? "NON_NULL" : "LIST";
        if (name == "ofType") return json::value(non_null ? t.substr(0, t.size() - 1) : t.substr(1, t.size() - 2));
        return nullptr;
    }
    auto const* d = s.find(t);
    if (!d) return nullptr;
    using k = type_def::kind;
    if (name == "kind") return d->what == k::scalar ? "SCALAR" : d->what == k::object ? "OBJECT" : d->what == k::enumeration ? "ENUM" : "INPUT_OBJECT";
    if (name == "name") return json::value(d->name);
    if (name == "description") return maybe(d->description);
    json::array out;
    if (name == "fields" && d->what == k::object)
        for (auto const& f : d->fields) out.push_back(json::object{{"t", t}, {"f", f.name}});
    else if (name == "inputFields" && d->what == k::input)
        for (auto const& i : d->inputs) out.push_back(json::object{{"t", t}, {"i", i.name}});
    else if (name == "enumValues" && d->what == k::enumeration)
        for (auto const& w : d->words) out.push_back(json::object{{"t", t}, {"w", w.first}});
    else if (name != "interfaces" || d->what != k::object) return nullptr;
    return out;
}

json::value input_field(input_def const& i, std::string const& name) {
    if (name == "name") return json::value(i.name);
    if (name == "description") return maybe(i.description);
    if (name == "type") return json::value(to_string(i.type.ref));
    if (name == "defaultValue") return i.has_default ? json::value(i.default_text) : json::value(nullptr);
    return name == "isDeprecated" ? json::value(false) : json::value(nullptr);
}

json::array arguments_of(std::vector<input_def> const& list, json::object const& where) {
    json::array out;
    for (auto const& i : list) {
        auto o = where;
        o["i"] = i.name, out.push_back(std::move(o));
    }
    return out;
}

json::value field_field(schema const& s, json::value const& self, std::string const& name) {
    auto const* t = s.find(member(self, "t"));
    auto const* f = t ? t->field(member(self, "f")) : nullptr;
    if (!f) return nullptr;
    if (name == "name") return json::value(f->name);
    if (name == "description") return maybe(f->description);
    if (name == "args") return arguments_of(f->arguments, self.get_object());
    if (name == "type") return json::value(to_string(f->type.ref));
    return name == "isDeprecated" ? json::value(false) : json::value(nullptr);
}

json::value input_value(schema const& s, json::value const& self, std::string const& name) {
    auto i = member(self, "i");
    auto pick = [&](std::vector<input_def> const& list) -> json::value {
        for (auto const& x : list)
            if (x.name == i) return input_field(x, name);
        return nullptr;
    };
    if (auto d = member(self, "d"); !d.empty()) return s.directive(d) ? pick(s.directive(d)->arguments) : json::value(nullptr);
    auto const* t = s.find(member(self, "t"));
    if (!t) return nullptr;
    auto const* f = t->field(member(self, "f"));
    return pick(f ? f->arguments : t->inputs);
}

json::value word_field(schema const& s, json::value const& self, std::string const& name) {
    auto w = member(self, "w");
    if (name == "name") return json::value(w);
    if (name == "description")
        if (auto const* t = s.find(member(self, "t")))
            for (auto const& x : t->words)
                if (x.first == w) return maybe(x.second);
    return name == "isDeprecated" ? json::value(false) : json::value(nullptr);
}

json::value directive_field(schema const& s, json::value const& self, std::string const& name) {
    auto const* d = s.directive(member(self, "d"));
    if (!d) return nullptr;
    if (name == "name") return json::value(d->name);
    if (name == "description") return maybe(d->description);
    if (name == "isRepeatable") return d->repeatable;
    if (name == "args") return arguments_of(d->arguments, self.get_object());
    json::array out;
    for (auto const& l : d->locations) out.emplace_back(l);
    return out;
}

}

json::value introspect(schema const& s, type_def const& on, field_def const& f, json::value const& parent, json::object const& arguments) {
    if (f.name == "__schema") return json::object{};
    if (f.name == "__type") {
        auto name = text(arguments.at("name"));
        return s.find(name) ? json::value(name) : json::value(nullptr);
    }
    if (on.name == "__Schema") return schema_field(s, f.name);
    if (on.name == "__Type") return type_field(s, text(parent), f.name);
    if (on.name == "__Field") return field_field(s, parent, f.name);
    if (on.name == "__InputValue") return input_value(s, parent, f.name);
    if (on.name == "__EnumValue") return word_field(s, parent, f.name);
    return directive_field(s, parent, f.name);
}

}
