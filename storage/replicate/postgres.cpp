#include "storage/replicate/postgres.hpp"

#include "storage/replicate/secret.hpp"

#include <fmt/core.h>

namespace airmail::storage::replicate {

using sqlite::quote_name;

asio::awaitable<std::string> postgres::connect() {
    if (auto wrong = dsn_problem(options_.dsn); !wrong.empty()) co_return "replicate_postgres " + wrong;
    std::string why;
    auto const password = read_secret(options_.password, why);
    if (!why.empty()) co_return "replicate_postgres_password: " + why;
    why = co_await link_.connect(options_.dsn, password, around_.timeout);
    if (!why.empty()) co_return "cannot connect: " + why;
    tables_ = read_tables(around_.db);
    sql_ = std::make_unique<postgres_sql>(tables_);
    why = co_await check_schema();
    if (why.empty()) why = co_await find_cursor();
    co_return why;
}

/// What the operator has to do about it.
std::string postgres::explain(pg_outcome const& o) const {
    auto const& s = o.sqlstate;
    if (s == "42P01" || s == "42703" || s == "42704" || s == "42883") return fmt::format("{} ({}): run airmailctl db migrate", o.error, s);
    if (s == "42501") return fmt::format("{} ({}): grant it to the user of replicate_postgres", o.error, s);
    if (s == "25006") return fmt::format("{} takes no writes any more ({}): looking for the new primary", link_.server(), s);
    return s.empty() ? o.error : fmt::format("{} ({})", o.error, s);
}

asio::awaitable<std::string> postgres::check_schema() {
    auto const ask = only("SELECT table_name, version FROM airmail_schema WHERE table_name = '' OR to_regclass(quote_ident(table_name)) IS NOT NULL");
    auto o = co_await link_.run(ask, around_.timeout);
    if (o.sqlstate == "42P01") co_return "the database has no Airmail schema: run airmailctl db migrate";
    if (!o) co_return explain(o);
    co_return schema_problem(tables_, o.rows);
}

/// Postgres knows better than we how far it is: it may have committed what we never heard of, or been restored.
asio::awaitable<std::string> postgres::find_cursor() {
    auto const ask = only("SELECT seq FROM airmail_replica WHERE node_id = $1::bigint", std::to_string(around_.node));
    auto o = co_await link_.run(ask, around_.timeout);
    if (!o) co_return explain(o);
    folded_ = around_.box.folded_cursor(name_);
    if (o.rows.empty()) {
        if (!needs_snapshot()) around_.box.ask_for_snapshot(name_, "new database");
        co_return std::string();
    }
    auto const theirs = std::stoll(o.rows[0][0]);
    if (theirs > around_.box.last()) {
        around_.say(true, fmt::format("postgres holds later changes of this node ({}) than this registry has made ({}): it was put back; a new epoch begins", theirs, around_.box.last()));
        around_.box.begin_epoch_after(theirs);
    } else if (!needs_snapshot() && !around_.box.resume(name_, theirs)) around_.box.ask_for_snapshot(name_, "the database is older than the outbox");
    seq_ = theirs;
    co_return std::string();
}

namespace {

std::vector<pg_statement> transaction_of(std::vector<pg_statement> const& body, std::int64_t node, std::int64_t cursor) {
    auto all = only("BEGIN");
    all.insert(all.end(), body.begin(), body.end());
    if (cursor >= 0)
        all.push_back({"INSERT INTO airmail_replica(node_id, seq, at) VALUES ($1::bigint, $2::bigint, now()) ON CONFLICT (node_id) DO UPDATE SET seq = greatest(airmail_replica.seq, excluded.seq), at = now()",
                       {std::to_string(node), std::to_string(cursor)}});
    all.push_back(only("COMMIT")[0]);
    return all;
}

}

asio::awaitable<pg_outcome> postgres::transact(std::vector<pg_statement> const& body, std::int64_t cursor) {
    auto const all = transaction_of(body, around_.node, cursor);
    auto o = co_await link_.run(all, around_.timeout);
    if (!o && link_.connected()) {
        auto const back = only("ROLLBACK");
        co_await link_.run(back, around_.timeout);
    }
    co_return o;
}

asio::awaitable<std::string> postgres::apply(std::span<outbox_entry const> entries, std::int64_t cursor) {
    auto const body = sql_->apply(entries, around_.node);
    auto o = co_await transact(body, cursor);
    if (o) {
        counters_.rows.fetch_add(entries.size());
        counters_.batches.fetch_add(1);
        co_return std::string();
    }
    if (!o.is_data() || entries.empty()) co_return explain(o);
    if (entries.size() == 1) {
        auto const reason = explain(o);
        around_.box.set_aside(name_, entries[0], reason);
        counters_.poison.fetch_add(1);
        auto const line = fmt::format("postgres refuses a row of {} {}: {}; it is set aside in airmail_outbox_poison", entries[0].table, entries[0].pk, reason);
        around_.say(true, line);
        around_.alarm("replicate_poison", line);
        if (cursor < 0) co_return std::string();
        std::span<outbox_entry const> const none;
        co_return co_await apply(none, cursor);
    }
    auto const half = entries.size() / 2;
    auto why = co_await apply(entries.first(half), -1);
    if (why.empty()) why = co_await apply(entries.subspan(half), cursor);
    co_return why;
}

asio::awaitable<std::string> postgres::stream(bool& idle) {
    auto const entries = around_.box.read_after(seq_, around_.batch);
    if (!entries.empty()) {
        if (auto why = co_await apply(entries, entries.back().seq); !why.empty()) co_return why;
        keep_cursor(entries.back().seq, folded_);
        if (entries.size() == around_.batch) co_return std::string();
    }
    // Only after all rows: a folded change of a row that is still on its way would be lost.
    auto const folded = around_.box.read_folded(folded_, around_.batch);
    if (!folded.empty()) {
        auto const body = sql_->fold(folded);
        auto o = co_await transact(body, -1);
        if (!o) co_return explain(o);
        keep_cursor(seq_, folded.back().n);
        counters_.folded.fetch_add(folded.size());
    }
    auto const now = std::chrono::steady_clock::now();
    if (!entries.empty() || !folded.empty()) heard_at_ = now;
    else {
        keep_cursor(seq_, folded_, at_rest);
        // With nothing to send nobody would notice that it has gone.
        if (now - heard_at_ > std::chrono::seconds(2)) {
            auto const ask = only("SELECT 1");
            auto const o = co_await link_.run(ask, around_.timeout);
            if (!o) co_return explain(o);
            heard_at_ = now;
        }
    }
    idle = folded.size() < around_.batch;     // a short rest, so that few rows do not become many transactions
    co_return std::string();
}

asio::awaitable<std::string> postgres::fill() {
    auto const from = around_.box.snapshot_begin(name_);
    around_.say(false, "postgres: copying all tables");
    for (auto const& t : tables_)
        if (auto why = co_await fill_table(t); !why.empty()) co_return why;
    auto const body = sql_->sweep(around_.node, from);
    auto o = co_await transact(body, from);
    if (!o) co_return explain(o);
    if (!around_.box.snapshot_taken(name_, from)) co_return "the outbox was dropped while the tables were copied: copying again";
    keep_cursor(from, around_.box.folded_cursor(name_), at_once);
    co_return std::string();
}

std::vector<outbox_entry> postgres::page_of(table const& t, std::string const& after) {
    std::string order, marks;
    for (std::size_t i = 0; i < t.key.size(); ++i) {
        order += (i ? ", " : "") + ("t." + quote_name(t.key[i]));
        marks += (i ? ", " : "") + fmt::format("json_extract(?1, '$[{}]')", i);
    }
    auto const read = fmt::format("SELECT {}, {} FROM {} t{} ORDER BY {} LIMIT ?2", row_json_sql(t.columns, "t"), key_json_sql(t.columns, t.key, "t"), quote_name(t.name),
                                  after.empty() ? " WHERE ?1 = ''" : fmt::format(" WHERE ({}) > ({})", order, marks), order);
    // The number first, then the rows: whatever the page does not know is later than its number.
    auto const seq = around_.box.last();
    std::vector<outbox_entry> page;
    for (auto& r : around_.db.exec(read, {after, std::int64_t(around_.batch)}))
        page.push_back({seq, around_.node, t.name, std::get<std::string>(r[1]), 'I', std::get<std::string>(r[0]), {}, 0, {}});
    return page;
}

asio::awaitable<std::string> postgres::fill_table(table const& t) {
    for (std::string last;;) {
        auto const page = page_of(t, last);
        if (page.empty()) co_return std::string();
        last = page.back().pk;
        auto why = co_await apply(page, -1);
        if (!why.empty() || page.size() < around_.batch) co_return why;
    }
}

}
