#include "broker/config/logging.hpp"

#include <algorithm>

namespace airmail::config {
namespace {

/// Mosquitto lists kinds, we have levels: the least severe kind that is asked for decides.
log::level least_of(std::vector<std::string> const& kinds) {
    if (kinds.empty()) return log::level::info;
    auto least = log::level::off;
    for (auto const& k : kinds) {
        auto l = log::level::info;   // notice, information, subscribe, unsubscribe, websockets
        if (k == "all" || k == "debug" || k == "internal") l = log::level::debug;
        else if (k == "warning") l = log::level::warn;
        else if (k == "error") l = log::level::error;
        else if (k == "none") l = log::level::off;
        least = std::min(least, l);
    }
    return least;
}

}

log::options log_options(config const& c, bool verbose, bool quiet, std::function<void(log::level, std::string_view)> topic) {
    log::options o;
    o.to.clear();
    o.as = c.text("log_format") == "json" ? log::format::json : log::format::text;
    o.least = verbose ? log::level::debug : least_of(c.list("log_type"));
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
