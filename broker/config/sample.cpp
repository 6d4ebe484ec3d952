// The sample file and what a row says about itself.

#include "broker/config/directives.hpp"

namespace airmail::config {
namespace {

std::string_view word(type t) {
    switch (t) {
    case type::flag: return "true or false";
    case type::count: return "number";
    case type::size: return "size";
    case type::duration: return "duration";
    case type::percent: return "percent";
    case type::expiry: return "duration (h d w m y)";
    case type::text: return "text";
    case type::path: return "path";
    case type::choice: return "one of";
    }
    return "";
}

std::string_view word(scope s) {
    switch (s) {
    case scope::global: return "";
    case scope::listener: return "listener";
    case scope::both: return "global or listener";
    case scope::secured: return "global, or listener with per_listener_settings";
    case scope::plugin: return "after airmail_plugin";
    case scope::bridge: return "after connection";
    case scope::block: return "opens a block";
    }
    return "";
}

std::string_view word(standing s) {
    switch (s) {
    case standing::obeyed: return "";
    case standing::ignored: return "accepted and ignored";
    case standing::later: return "known, not yet obeyed: a warning says so";
    case standing::refused: return "known, not yet obeyed: refused, because security rests on it";
    }
    return "";
}

void append(std::string& out, std::string_view what) {
    if (!what.empty()) out.append("; ").append(what);
}

/// "# duration, seconds; default 15s; listener; applied by reload"
std::string facts(directive const& d) {
    std::string out{word(d.kind)};
    if (d.kind == type::choice) out.append(": ").append(d.choices);
    if (!d.unit.empty()) out.append(", ").append(d.unit);
    if (!d.standard.empty()) out.append("; default ").append(d.standard);
    if (d.mosquitto != "\x01") out.append("; on Mosquitto listeners ").append(d.mosquitto.empty() ? "not set" : d.mosquitto);
    append(out, word(d.where));
    if (d.repeats) append(out, "may be repeated");
    if (d.reloadable) append(out, "applied by reload");
    append(out, word(d.status));
    return out;
}

}

std::string sample() {
    std::string out =
        "# Every setting that airmaild knows, each with its default. Generated from the table in broker/config: tests/house\n"
        "# holds this file against it. Nothing here is active; take the lines you need. A file without Airmail's own lines is\n"
        "# read as Mosquitto reads it. Settings can also come from the environment: AIRMAIL_<NAME IN CAPITALS>.\n";
    std::string_view heading;
    for (auto const& d : directives()) {
        if (auto const g = group_of(d); g != heading) {
            heading = g;
            out.append("\n# ---- ").append(g).append(" ----\n");
        }
        out.append("\n# ").append(d.doc).append("\n# (").append(facts(d)).append(")\n#").append(d.name);
        if (!d.standard.empty()) out.append(" ").append(d.standard);
        out += '\n';
    }
    return out;
}

}
