#include "broker/config/logging.hpp"

#include <algorithm>

namespace airmail::config {
namespace {

/// Mosquitto's kinds as our levels; several lines add up, and `none` is only alone what it says.
std::vector<log::level> levels_of(std::vector<std::string> const& kinds) {
    std::vector<log::level> out;
    for (auto const& k : kinds) {
        if (k == "all") out.insert(out.end(), {log::level::debug, log::level::info, log::level::warn, log::level::error});
        else if (k == "debug" || k == "internal") out.push_back(log::level::debug);
        else if (k == "warning") out.push_back(log::level::warn);
        else if (k == "error") out.push_back(log::level::error);
        else if (k != "none") out.push_back(log::level::info);   // notice, information, subscribe, unsubscribe, websockets
    }
    if (out.empty() && !kinds.empty()) out.push_back(log::level::off);
    return out;
}

}

log::options log_options(config const& c, bool verbose, bool quiet, std::function<void(log::level, std::string_view)> topic) {
    log::options o;
    o.to.clear();
    o.as = c.text("log_format") == "json" ? log::format::json : log::format::text;
    if (verbose) o.least = log::level::debug;
    else o.only = levels_of(c.list("log_type"));
    if (!o.only.empty()) o.least = *std::min_element(o.only.begin(), o.only.end());
    o.timestamps = c.flag("log_timestamp");
    o.timestamp_format = c.text("log_timestamp_format");
    o.syslog_facility = "local" + std::to_string(c.number("log_facility"));
    if (!c.written("log_facility")) o.syslog_facility = "daemon";
    o.queue_lines = static_cast<std::size_t>(c.number("log_queue"));
    using kind = log::destination::type;
    for (auto const& d : c.list("log_dest")) {
        if (d == "stderr") o.to.push_back({kind::err, {}, {}});
        else if (d == "stdout") o.to.push_back({kind::out, {}, {}});
        else if (d == "syslog") o.to.push_back({kind::syslog, {}, {}});
        else if (d == "topic" && topic) o.to.push_back({kind::call, {}, topic});
        else if (d.starts_with("file ")) o.to.push_back({kind::file, d.substr(d.find_first_not_of(' ', 5)), {}});
    }
    if (quiet) o.to.clear();
    return o;
}

}
