#include "broker/examine.hpp"

#include "broker/addresses.hpp"
#include "broker/bridge/transport.hpp"
#include "broker/broker.hpp"
#include "broker/config/check.hpp"
#include "broker/listeners.hpp"
#include "broker/passwords.hpp"
#include "broker/replication.hpp"
#include "broker/rules.hpp"

#include <algorithm>
#include <charconv>

namespace airmail {
namespace {

using config::finding;

/// "file:line: text", as the rooms say it, taken apart again.
finding from_line(finding::grade g, std::string const& text) {
    finding f{g, "", 0, text};
    auto const first = text.find(':');
    auto const second = first == text.npos ? first : text.find(": ", first + 1);
    if (second == text.npos) return f;
    int line = 0;
    auto const [end, ec] = std::from_chars(text.data() + first + 1, text.data() + second, line);
    if (ec != std::errc{} || end != text.data() + second) return f;
    return {g, text.substr(0, first), line, text.substr(second + 2)};
}

}

std::vector<finding> examine(config::config const& c) {
    auto out = config::check_files(c);
    bool const readable = std::none_of(out.begin(), out.end(), [](finding const& f) { return f.weight == finding::grade::error; });
    if (!readable) return out;
    auto const error = [&](std::string const& text) { out.push_back(from_line(finding::grade::error, text)); };
    rules_report report;
    if (!load_rules(c, {}, std::make_shared<denials>(), report)) error(report.why);
    std::string why;
    if (!load_passwords(c, why, report.warnings)) error(why);
    for (auto const& line : report.warnings) out.push_back(from_line(finding::grade::warning, line));
    for (auto const& b : c.bridges())
        if (auto const bad = bridge::check_tls(b); !bad.empty()) out.push_back({finding::grade::error, b.file, b.line, "connection " + b.name + ": " + bad});
    for (auto const& l : c.listeners()) {
        why.clear();
        if (l.unix_path.empty() && addresses_of(l, why).empty()) error("listener " + l.name() + ": " + why);
        try {
            (void)listener_options_of(l);
        } catch (startup_error const& e) {
            error(e.what());
        }
    }
    try {
        check_reads(c);
    } catch (startup_error const& e) {
        error(e.what());
    }
    if (c.text("acl_mode") == "observe") out.push_back({finding::grade::warning, "", 0, "acl_mode observe (" + c.where("acl_mode") + "): the acl_file denies NOTHING; what it would deny is logged and counted"});
    if (c.flag("strict"))
        for (auto& f : out) f.weight = finding::grade::error;
    return out;
}

}
