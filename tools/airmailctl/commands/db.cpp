// airmailctl db: the ledger's tables in Postgres, made and checked; and how far the copies are.

#include "storage/replicate/postgres_link.hpp"
#include "storage/replicate/secret.hpp"
#include "tools/airmailctl/commands/commands.hpp"
#include "tools/airmailctl/show.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <fmt/core.h>

namespace airmail::ctl {

namespace {

namespace rep = storage::replicate;
struct migrate_options { std::string dsn, password; bool print = false; };
struct no_options {};

/// All of it in one transaction: half a schema is never seen.
boost::asio::awaitable<void> apply(std::string const& dsn, std::string const& password, std::vector<rep::pg_statement> const& steps, std::string& trouble_line) {
    rep::pg_link link;
    trouble_line = co_await link.connect(dsn, password, std::chrono::seconds(20));
    if (!trouble_line.empty()) co_return;
    auto const o = co_await link.run(steps, std::chrono::minutes(10));
    if (!o) trouble_line = o.sqlstate.empty() ? o.error : fmt::format("{} ({})", o.error, o.sqlstate);
}

void migrate(context& c, migrate_options const& o) {
    std::vector<rep::pg_statement> steps;
    auto const v = c.broker().get("/api/v1/replication/schema");
    for (auto const& s : v.at("statements").as_array()) steps.push_back({std::string(s.as_string()), {}});
    if (o.print) {
        std::puts("BEGIN;");
        for (auto const& s : steps) std::printf("%s;\n", s.sql.c_str());
        std::puts("COMMIT;");
        return;
    }
    if (auto wrong = rep::dsn_problem(o.dsn); !wrong.empty()) throw trouble(exit_code::usage, "--dsn " + wrong);
    std::string why;
    auto password = rep::read_secret(o.password, why);
    if (!why.empty()) throw trouble(exit_code::failed, "--password: " + why);
    steps.insert(steps.begin(), {"BEGIN", {}});
    steps.push_back({"COMMIT", {}});
    boost::asio::io_context loop;
    boost::asio::co_spawn(loop, apply(o.dsn, password, steps, why), boost::asio::detached);
    loop.run();
    if (!why.empty()) throw trouble(why.find("cannot connect") != why.npos || why.find("no answer") != why.npos ? exit_code::unreachable : exit_code::failed, "postgres: " + why);
    if (c.json) json_line(boost::json::object{{"statements", steps.size()}});
    else fmt::print("the schema is up to date ({} statements)\n", steps.size());
}

}

void add_db(command_line::command app, context& c) {
    auto db = app.add_subcommand("db", "the copies in Postgres and Redis");
    db.require_subcommand();
    command<migrate_options>(db, "migrate", "make or extend the tables in Postgres, as the running broker's plugins declare them", [](command_line::command s, migrate_options& o) {
        s.add_option("--dsn", o.dsn, "connection string of a role that may create tables: host=... dbname=... user=...").environment("AIRMAIL_POSTGRES");
        s.add_option("--password", o.password, "where its password is: file:/path, env:NAME, credential:NAME, exec:/program");
        s.add_flag("--print", o.print, "print the SQL instead");
    }, [&c](migrate_options const& o) { migrate(c, o); });
    command<no_options>(db, "state", "how far each copy is", [](command_line::command, no_options&) {}, [&c](no_options const&) {
        auto v = c.broker().get("/api/v1/replication");
        c.json ? json_line(v) : table(v.at("destinations"), {{"TO", "destination"}, {"CONNECTED", "connected"}, {"LAG rows", "lag_rows"}, {"LAG s", "lag_seconds"}, {"ROWS", "rows"}, {"SET ASIDE", "poison"}, {"WHY", "degraded"}});
    });
}

}
