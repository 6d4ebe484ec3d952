#include "broker/host/declaration.hpp"

#include "broker/host/schema.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <initializer_list>

namespace airmail::host {

namespace json = boost::json;

namespace {

/// Where we are in the document, for messages: "topics[2].qos".
struct place {
    std::string_view plugin;
    std::string path;

    [[noreturn]] void fail(std::string const& what) const {
        throw refusal(errc::bad_declaration, std::string{plugin} + ": declaration: " + (path.empty() ? "" : path + ": ") + what);
    }
    place in(std::string_view member) const { return {plugin, path.empty() ? std::string{member} : path + "." + std::string{member}}; }
    place in(std::size_t index) const { return {plugin, path + "[" + std::to_string(index) + "]"}; }
};

/// One JSON object being read; at the end every member must have been asked for.
class object_reader {
public:
    object_reader(place at, json::value const& v) : at_(std::move(at)) {
        if (!v.is_object()) at_.fail("must be an object");
        object_ = &v.get_object();
    }
    std::string text(char const* key, std::string fallback = {}) {
        auto const* v = take(key);
        if (!v) return fallback;
        if (!v->is_string()) at_.in(key).fail("must be a string");
        return std::string{v->get_string()};
    }
    std::string required(char const* key) {
        auto t = text(key);
        if (t.empty()) at_.in(key).fail("is missing");
        return t;
    }
    std::string one_of(char const* key, std::initializer_list<std::string_view> allowed, std::string fallback) {
        auto t = text(key, std::move(fallback));
        if (std::find(allowed.begin(), allowed.end(), t) != allowed.end()) return t;
        std::string list;
        for (auto a : allowed) ((list += list.empty() ? "\"" : ", \"") += a) += '"';
        at_.in(key).fail("is \"" + t + "\", must be one of " + list);
    }
    bool flag(char const* key, bool fallback) {
        auto const* v = take(key);
        if (!v) return fallback;
        if (!v->is_bool()) at_.in(key).fail("must be true or false");
        return v->get_bool();
    }
    int number(char const* key, int low, int high, int fallback) {
        auto const* v = take(key);
        if (!v) return fallback;
        if (!v->is_int64() || v->get_int64() < low || v->get_int64() > high)
            at_.in(key).fail("must be a number from " + std::to_string(low) + " to " + std::to_string(high));
        return static_cast<int>(v->get_int64());
    }
    /// A JSON document as text: written as a string or in place.
    std::string document(char const* key) {
        auto const* v = take(key);
        if (!v) return {};
        return v->is_string() ? std::string{v->get_string()} : json::serialize(*v);
    }
    template <class Each>
    void list(char const* key, Each each) {
        auto const* v = take(key);
        if (!v) return;
        if (!v->is_array()) at_.in(key).fail("must be a list");
        std::size_t i = 0;
        for (auto const& item : v->get_array()) each(at_.in(key).in(i++), item);
    }
    std::vector<std::string> texts(char const* key) {
        std::vector<std::string> out;
        list(key, [&](place at, json::value const& v) {
            if (!v.is_string()) at.fail("must be a string");
            out.emplace_back(v.get_string());
        });
        return out;
    }
    void nothing_else() {
        for (auto const& m : *object_)
            if (std::find(asked_.begin(), asked_.end(), m.key()) == asked_.end()) at_.in(m.key()).fail("is not known to this airmaild");
    }
    place const& at() const { return at_; }

private:
    json::value const* take(char const* key) { return asked_.emplace_back(key), object_->if_contains(key); }
    place at_;
    json::object const* object_;
    std::vector<std::string_view> asked_;
};

bool identifier(std::string_view s, std::string_view extra = {}) {
    auto good = [&](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || extra.find(c) != extra.npos; };
    return !s.empty() && s.size() <= 128 && std::all_of(s.begin(), s.end(), good);
}

void check_filter(place const& at, std::string_view f) {
    if (f.size() > 512) at.fail("is longer than 512 bytes");
    while (true) {
        auto end = f.find('/');
        auto level = f.substr(0, end);
        bool last = end == f.npos;
        if (level.find('#') != level.npos && (level != "#" || !last)) at.fail("# may only be the last level, alone");   // [MQTT-4.7.1-1]
        if (level.find('+') != level.npos && level != "+") at.fail("+ must be a level of its own");                     // [MQTT-4.7.1-2]
        if (level.find_first_of("{}") != level.npos && level != "{id}") at.fail("only {id} is known, as a level of its own");
        if (last) return;
        f.remove_prefix(end + 1);
    }
}

sdk::topic_decl topic(place at, json::value const& v) {
    object_reader r{std::move(at), v};
    sdk::topic_decl t;
    t.filter = r.required("filter"), check_filter(r.at().in("filter"), t.filter);
    t.dir = r.one_of("direction", {"up", "down"}, "up") == "up" ? sdk::direction::up : sdk::direction::down;
    t.qos = r.number("qos", 0, 2, 1);
    t.role = r.text("role", "device");
    t.durable = r.flag("durable", true);
    t.overflow = r.one_of("overflow", {"spill", "latest", "drop"}, t.durable ? "spill" : "drop");
    if (t.overflow == "spill" && !t.durable && t.dir == sdk::direction::up) t.overflow = "drop";   // nothing to spill to
    t.schema = r.document("schema");
    if (!t.schema.empty())
        if (auto why = schema::problem(t.schema); !why.empty()) r.at().in("schema").fail(why);
    r.nothing_else();
    return t;
}

sdk::table_decl table(place at, json::value const& v) {
    object_reader r{std::move(at), v};
    sdk::table_decl t;
    t.name = r.required("name"), t.primary_key = r.required("primary_key"), t.replicated = r.flag("replicated", true);
    if (!identifier(t.name)) r.at().in("name").fail("must be of letters, digits and _");
    if (t.name.starts_with("airmail_") || t.name.starts_with("sqlite_")) r.at().in("name").fail("names beginning airmail_ and sqlite_ are taken");
    t.migrations = r.texts("migrations"), t.folded = r.text("folded");
    if (t.migrations.empty()) r.at().in("migrations").fail("needs at least the CREATE TABLE");
    r.nothing_else();
    return t;
}

sdk::method_decl method(place at, json::value const& v) {
    object_reader r{std::move(at), v};
    sdk::method_decl m;
    m.name = r.required("name"), m.role = r.one_of("role", {"viewer", "operator", "admin"}, "viewer");
    if (!identifier(m.name, ".-")) r.at().in("name").fail("must be of letters, digits, _ - and .");
    m.verb = r.text("verb"), m.path = r.text("path"), m.doc = r.text("doc"), m.audit = r.flag("audit", false);
    if (m.verb.empty() != m.path.empty()) r.at().fail("verb and path go together");
    if (!m.path.empty() && m.path[0] != '/') r.at().in("path").fail("must begin with /");
    r.nothing_else();
    return m;
}

sdk::route_decl route(place at, json::value const& v) {
    object_reader r{std::move(at), v};
    sdk::route_decl o;
    o.verb = r.required("verb"), o.path = r.required("path");
    o.role = r.one_of("role", {"", "viewer", "operator", "admin"}, ""), o.body = r.one_of("body", {"", "file"}, "");
    if (o.path[0] != '/') r.at().in("path").fail("must begin with /");
    r.nothing_else();
    return o;
}

sdk::metric_decl metric(place at, json::value const& v) {
    object_reader r{std::move(at), v};
    sdk::metric_decl m;
    m.name = r.required("name"), m.help = r.text("help"), m.kind = r.one_of("kind", {"counter", "gauge"}, "counter");
    if (!identifier(m.name) || !m.name.starts_with("airmail_")) r.at().in("name").fail("must be airmail_<plugin>_<what>_<unit>");
    r.nothing_else();
    return m;
}

}

sdk::declaration parse_declaration(std::string_view plugin, std::string_view text) {
    place root{plugin, {}};
    if (text.empty()) root.fail("is empty");
    boost::system::error_code ec;
    auto v = json::parse(text, ec);
    if (ec) root.fail("is not JSON: " + ec.message());
    object_reader r{root, v};
    sdk::declaration d;
    r.list("topics", [&](place at, json::value const& x) { d.topics.push_back(topic(std::move(at), x)); });
    r.list("tables", [&](place at, json::value const& x) { d.tables.push_back(table(std::move(at), x)); });
    r.list("methods", [&](place at, json::value const& x) { d.methods.push_back(method(std::move(at), x)); });
    r.list("routes", [&](place at, json::value const& x) { d.routes.push_back(route(std::move(at), x)); });
    r.list("metrics", [&](place at, json::value const& x) { d.metrics.push_back(metric(std::move(at), x)); });
    d.ready_topic = r.text("ready_topic");
    if (!d.ready_topic.empty()) check_filter(root.in("ready_topic"), d.ready_topic);
    d.after = r.texts("after");
    r.nothing_else();
    return d;
}

}
