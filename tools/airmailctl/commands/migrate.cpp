// airmailctl migrate mosquitto: brings a Mosquitto over, and says what is different. Needs no broker; none may be running.

#include "tools/airmailctl/commands/commands.hpp"
#include "tools/airmailctl/failure.hpp"
#include "tools/airmailctl/show.hpp"
#include "tools/migrate/migrate.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdio>

namespace airmail::ctl {
namespace {

namespace json = boost::json;
using migrate::report;

std::string_view word(report::kind k) { return k == report::kind::maps ? "maps" : k == report::kind::changed ? "changed" : "refused"; }

void print(migrate::result const& r, bool as_json) {
    if (as_json) {
        json::array lines;
        for (auto const& l : r.said.lines) lines.push_back(json::object{{"kind", std::string(word(l.what))}, {"where", l.where}, {"text", l.text}});
        return json_line(json::object{{"configuration", r.configuration}, {"sessions", r.counts.sessions}, {"subscriptions", r.counts.subscriptions},
                                      {"retained", r.counts.retained}, {"waiting", r.counts.waiting}, {"expired", r.counts.expired}, {"done_before", r.done_before}, {"lines", std::move(lines)}});
    }
    for (auto const& l : r.said.lines) std::printf("%-8s %s: %s\n", std::string{word(l.what)}.c_str(), l.where.c_str(), l.text.c_str());
}

void run(migrate::request const& o, bool as_json) {
    migrate::result r;
    try {
        r = migrate::mosquitto(o);
    } catch (migrate::stopped const& s) {
        print(s.so_far, as_json);
        auto const code = s.why.what == migrate::trouble::kind::not_found ? exit_code::not_found : s.why.what == migrate::trouble::kind::refused ? exit_code::refused : exit_code::failed;
        throw failure(code, s.why.text.empty() ? "lines of the configuration are refused (above); nothing was written into the store" : s.why.text);
    }
    print(r, as_json);
    if (!as_json) std::printf("%sstart with: airmaild -c %s\n", o.dry_run ? "nothing was written (--dry-run); then " : "", r.configuration.c_str());
    if (r.said.any_refused()) throw failure(exit_code::refused, "some of it is refused (above); the rest was brought over");
}

}

void add_migrate(command_line::command app, context& c) {
    auto group = app.add_subcommand("migrate", "from other brokers to this one");
    group.require_subcommand();
    command<migrate::request>(group, "mosquitto", "configuration, rules, passwords, dynamic security and mosquitto.db; exit 0 all of it, 4 something is refused", [](command_line::command s, migrate::request& o) {
        s.add_option("--conf", o.conf, "mosquitto.conf").required();
        s.add_option("--out", o.out, "folder for files we make (default: airmail/ beside the configuration)");
        s.add_option("--db", o.db, "mosquitto.db (default: as the configuration says)");
        s.add_option("--store", o.store, "data folder to fill (default: as the configuration says)");
        s.add_flag("--dry-run", o.dry_run, "only look and report");
    }, [&c](migrate::request const& o) { run(o, c.json); });
}

}
