#pragma once
// A declaration as the JSON document that crosses the border (README.md, "What a plugin declares"). No library: a plugin
// built out of tree needs nothing but these headers.

#include "plugins/sdk/hooks.hpp"

#include <string>
#include <string_view>

namespace airmail::sdk {

/// Appends `text` as a JSON string, quotes included. Control characters are escaped; UTF-8 passes through.
inline void append_json(std::string& out, std::string_view text) {
    static constexpr char hex[] = "0123456789abcdef";
    out += '"';
    for (unsigned char c : text) {
        if (c == '"' || c == '\\') (out += '\\') += static_cast<char>(c);
        else if (c == '\n') out += "\\n";
        else if (c < 0x20) ((out += "\\u00") += hex[c >> 4]) += hex[c & 15];
        else out += static_cast<char>(c);
    }
    out += '"';
}

namespace detail {

/// Writes `{"a":"x","b":true}` member by member.
class object_writer {
public:
    explicit object_writer(std::string& out) : out_(out) { out_ += '{'; }
    ~object_writer() { out_ += '}'; }
    object_writer(object_writer const&) = delete;
    object_writer& operator=(object_writer const&) = delete;

    void text(std::string_view key, std::string_view value) { name(key), append_json(out_, value); }
    void flag(std::string_view key, bool value) { name(key), out_ += value ? "true" : "false"; }
    void number(std::string_view key, int value) { name(key), out_ += std::to_string(value); }
    template <class Items, class Each>
    void list(std::string_view key, Items const& items, Each each) {
        name(key);
        char sep = '[';
        for (auto const& item : items) out_ += sep, sep = ',', each(item);
        out_ += sep == '[' ? "[]" : "]";
    }

private:
    void name(std::string_view key) {
        if (!first_) out_ += ',';
        first_ = false, append_json(out_, key), out_ += ':';
    }
    std::string& out_;
    bool first_ = true;
};

inline void write(std::string& out, topic_decl const& t) {
    object_writer o{out};
    o.text("filter", t.filter), o.text("direction", t.dir == direction::up ? "up" : "down"), o.number("qos", t.qos);
    o.text("role", t.role), o.flag("durable", t.durable), o.text("overflow", t.overflow);
    if (!t.schema.empty()) o.text("schema", t.schema);
}

inline void write(std::string& out, table_decl const& t) {
    object_writer o{out};
    o.text("name", t.name), o.text("primary_key", t.primary_key), o.flag("replicated", t.replicated);
    o.list("migrations", t.migrations, [&](std::string const& m) { append_json(out, m); });
    if (!t.folded.empty()) o.text("folded", t.folded);
}

inline void write(std::string& out, method_decl const& m) {
    object_writer o{out};
    o.text("name", m.name), o.text("role", m.role), o.text("verb", m.verb), o.text("path", m.path);
    o.text("doc", m.doc), o.flag("audit", m.audit);
}

inline void write(std::string& out, route_decl const& r) {
    object_writer o{out};
    o.text("verb", r.verb), o.text("path", r.path), o.text("role", r.role), o.text("body", r.body);
}

inline void write(std::string& out, metric_decl const& m) {
    object_writer o{out};
    o.text("name", m.name), o.text("help", m.help), o.text("kind", m.kind);
}

}

/// The whole document. Pure.
inline std::string to_json(declaration const& d) {
    std::string out;
    {
        detail::object_writer o{out};
        auto each = [&](auto const& item) { detail::write(out, item); };
        o.list("topics", d.topics, each), o.list("tables", d.tables, each), o.list("methods", d.methods, each);
        o.list("routes", d.routes, each), o.list("metrics", d.metrics, each);
        o.text("ready_topic", d.ready_topic);
        o.list("after", d.after, [&](std::string const& id) { append_json(out, id); });
    }
    return out;
}

}
