// airmailctl audit: who did what, and whether the record was tampered with.

#include "tools/airmailctl/commands/commands.hpp"
#include "tools/airmailctl/show.hpp"

#include <fmt/core.h>

namespace airmail::ctl {

namespace {
struct list_options { int limit = 50; };
struct none {};
}

void add_audit(command_line::command app, context& c) {
    auto audit = app.add_subcommand("audit", "the record of what operators did");
    audit.require_subcommand();
    command<list_options>(audit, "list", "newest first", [](command_line::command s, list_options& o) { s.add_option("--limit", o.limit, "at most so many").show_default(); },
        [&c](list_options const& o) {
            auto v = c.broker().get(fmt::format("/api/v1/audit?limit={}", o.limit));
            c.json ? json_line(v) : table(v.at("entries"), {{"SEQ", "seq"}, {"AT", "at"}, {"WHO", "actor"}, {"ROLE", "role"}, {"ACTION", "action"}, {"TARGET", "target"}, {"OUTCOME", "outcome"}});
        });
    command<none>(audit, "verify", "check the hash chain; exit 1 when it is broken", [](command_line::command, none&) {}, [&c](none const&) {
        auto v = c.broker().get("/api/v1/audit/verify");
        c.json ? json_line(v) : record(v);
        if (text_of(v, "intact") != "true") throw trouble(exit_code::failed, "the audit chain is broken at seq " + text_of(v, "first_bad_seq"));
    });
}

}
