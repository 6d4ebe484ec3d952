#include "acl/pattern.hpp"

namespace airmail::acl {
namespace {

/// Walks the levels of a filter or topic. `a/` has two levels, the second empty.
struct levels {
    std::string_view rest;
    bool done = false;

    explicit levels(std::string_view s) : rest{s} {}
    std::string_view next() {
        auto const slash = rest.find('/');
        auto const level = rest.substr(0, slash);
        if (slash == rest.npos) done = true;
        else rest.remove_prefix(slash + 1);
        return level;
    }
};

/// A level of a rule's filter with its placeholder replaced. `never`: it stands for a name that cannot be a level.
struct word {
    std::string_view text;
    bool plus = false, hash = false, never = false;
};

bool is_name(std::string_view s) { return s == "%u" || s == "{id}" || s == "{device_id}" || s == "{user}"; }
bool is_client(std::string_view s) { return s == "%c" || s == "{client_id}"; }

word read_level(levels& of, names const& who) {
    word w;
    w.text = of.next();
    if (w.text == "+") return w.plus = true, w;
    if (w.text == "#") return w.hash = true, w;
    if (who.literal || w.text.size() < 2 || (w.text[0] != '%' && w.text[0] != '{')) return w;
    bool const name = is_name(w.text), client = is_client(w.text);
    if (!name && !client) return w;
    w.text = name ? who.name : who.client_id;
    w.never = !plain_level(w.text);
    return w;
}

/// [MQTT-4.7.2-1], and as Mosquitto: judged by the rule's text, so a name beginning with `$` opens nothing either.
bool dollar_bars(std::string_view filter, std::string_view topic) {
    return topic.starts_with('$') && !filter.starts_with('$');
}

}

bool plain_level(std::string_view name) {
    return !name.empty() && name.find_first_of(std::string_view{"+#/\0", 4}) == name.npos;
}

bool valid_filter(std::string_view filter) {
    if (filter.empty() || filter.size() > 65535 || filter.find('\0') != filter.npos) return false;
    levels all{filter};
    while (!all.done) {
        auto const level = all.next();
        if (level.size() > 1 && level.find_first_of("+#") != level.npos) return false;
        if (level == "#" && !all.done) return false;
    }
    return true;
}

bool matches(std::string_view filter, std::string_view topic, names const& who) {
    if (topic.empty() || dollar_bars(filter, topic)) return false;
    levels f{filter}, t{topic};
    while (true) {
        auto const w = read_level(f, who);
        if (w.hash) return true;
        if (w.never || t.done) return false;
        auto const level = t.next();
        if (!w.plus && w.text != level) return false;
        if (t.done) return f.done || f.rest == "#";   // `a/#` matches `a` too [MQTT-4.7.1-2]
        if (f.done) return false;
    }
}

bool contains(std::string_view outer, std::string_view inner, names const& who) {
    if (inner.empty() || dollar_bars(outer, inner)) return false;
    if (inner == "#" && outer == "+/#") return true;   // both are "every topic"
    levels o{outer}, i{inner};
    while (true) {
        auto const w = read_level(o, who);
        if (w.hash) return true;
        if (w.never || i.done) return false;
        auto const level = i.next();
        if (level == "#") return false;                // needs any depth, which only `#` gives
        if (!w.plus && w.text != level) return false;  // `+` under a word needs every word
        if (i.done) return o.done || o.rest == "#";
        if (o.done) return false;
    }
}

bool overlaps(std::string_view rule_filter, std::string_view filter, names const& who) {
    if (rule_filter.empty() || filter.empty() || dollar_bars(rule_filter, filter)) return false;
    if (rule_filter.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;
    levels r{rule_filter}, f{filter};
    while (true) {
        auto const w = read_level(r, who);
        if (w.never) return false;
        auto const level = f.next();
        // One side takes all depths from here; the other can always be completed by any words of its own.
        if (w.hash || level == "#") {
            if (level == "#") while (!r.done) if (read_level(r, who).never) return false;
            return true;
        }
        if (!w.plus && level != "+" && w.text != level) return false;
        if (r.done || f.done) return (r.done || r.rest == "#") && (f.done || f.rest == "#");
    }
}

}
