#include "storage/outbox/outbox.hpp"

#include <algorithm>

namespace airmail::storage {

using sqlite::value;

namespace {

std::int64_t whole(value const& v) {
    auto const* i = std::get_if<std::int64_t>(&v);
    return i ? *i : 0;
}

std::string text(value const& v) {
    auto const* s = std::get_if<std::string>(&v);
    return s ? *s : std::string();
}

}

outbox::outbox(sqlite::db& d, outbox_options o) : db_(d), options_(std::move(o)) {
    // Functions, not a row of settings: a row would be one more write in every transaction.
    db_.define("airmail_node_id", [this] { return value(options_.node_id); });
    db_.define("airmail_wall_ms", [this] { return value(options_.wall_ms()); });
    db_.define("airmail_traceparent", [this] { return value(traceparent_); });
}

void outbox::add_destination(std::string_view name) {
    sqlite::savepoint step(db_, "outbox_destination");
    if (db_.integer("SELECT count(*) FROM airmail_outbox_cursors") == 0) {      // until now nobody was told
        db_.exec("INSERT INTO sqlite_sequence(name, seq) SELECT 'outbox', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'outbox')");
        db_.exec("UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'outbox'");
    }
    db_.exec("INSERT INTO airmail_outbox_cursors(destination, seq) VALUES(?, ?) ON CONFLICT DO UPDATE SET snapshot_from = -1", {std::string(name), last()});
    step.release();
}

void outbox::remove_destination(std::string_view name) {
    db_.exec("DELETE FROM airmail_outbox_cursors WHERE destination = ?", {std::string(name)});
}

std::vector<outbox_entry> outbox::read(std::string_view destination, std::size_t max) {
    auto const cursor = db_.scalar("SELECT seq FROM airmail_outbox_cursors WHERE destination = ? AND needs_snapshot = 0", {std::string(destination)});
    return std::holds_alternative<std::int64_t>(cursor) ? read_after(whole(cursor), max) : std::vector<outbox_entry>{};
}

std::vector<outbox_entry> outbox::read_after(std::int64_t seq, std::size_t max) {
    std::vector<outbox_entry> out;
    for (auto& r : db_.exec("SELECT seq, node_id, table_name, pk, op, row, device, at_ms, traceparent FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?",
                            {seq, std::int64_t(max)}))
        out.push_back({whole(r[0]), whole(r[1]), text(r[2]), text(r[3]), text(r[4]).at(0), text(r[5]), text(r[6]), whole(r[7]), text(r[8])});
    return out;
}

void outbox::advance(std::string_view destination, std::int64_t seq) {
    db_.exec("UPDATE airmail_outbox_cursors SET seq = ? WHERE destination = ? AND seq < ?", {seq, std::string(destination), seq});
}

bool outbox::resume(std::string_view destination, std::int64_t seq) {
    sqlite::savepoint step(db_, "outbox_resume");
    auto mine = whole(db_.scalar("SELECT seq FROM airmail_outbox_cursors WHERE destination = ?", {std::string(destination)}));
    auto oldest = whole(db_.scalar("SELECT min(seq) FROM outbox"));
    bool const kept = seq >= mine || (oldest != 0 && oldest <= seq + 1);
    if (kept) db_.exec("UPDATE airmail_outbox_cursors SET seq = ? WHERE destination = ? AND seq <> ?1", {seq, std::string(destination)});
    step.release();
    return kept;
}

std::vector<folded_entry> outbox::read_folded(std::int64_t after, std::size_t max) {
    std::vector<folded_entry> out;
    for (auto& r : db_.exec("SELECT n, table_name, pk, row FROM outbox_folded WHERE n > ? ORDER BY n LIMIT ?", {after, std::int64_t(max)}))
        out.push_back({whole(r[0]), text(r[1]), text(r[2]), text(r[3])});
    return out;
}

std::int64_t outbox::folded_cursor(std::string_view destination) {
    return whole(db_.scalar("SELECT folded FROM airmail_outbox_cursors WHERE destination = ?", {std::string(destination)}));
}

void outbox::advance_folded(std::string_view destination, std::int64_t n) {
    db_.exec("UPDATE airmail_outbox_cursors SET folded = ? WHERE destination = ?", {n, std::string(destination)});
}

std::int64_t outbox::last_folded() { return whole(db_.scalar("SELECT seq FROM sqlite_sequence WHERE name = 'outbox_folded'")); }

std::int64_t outbox::snapshot_begin(std::string_view destination) {
    sqlite::savepoint step(db_, "outbox_snapshot");
    auto from = last();
    db_.exec("UPDATE airmail_outbox_cursors SET seq = ?, snapshot_from = ?1, needs_snapshot = 1, folded = ? WHERE destination = ?",
             {from, last_folded(), std::string(destination)});
    step.release();
    return from;
}

bool outbox::snapshot_taken(std::string_view destination, std::int64_t seq) {
    db_.exec("UPDATE airmail_outbox_cursors SET seq = ?1, needs_snapshot = 0, snapshot_from = -1, reason = '' WHERE destination = ?2"
             " AND (snapshot_from = ?1 OR (snapshot_from = -1 AND reason <> 'outbox at its bound during the snapshot'))",
             {seq, std::string(destination)});
    return db_.changes() != 0;
}

void outbox::ask_for_snapshot(std::string_view destination, std::string_view reason) {
    db_.exec("UPDATE airmail_outbox_cursors SET needs_snapshot = 1, snapshot_from = -1, snapshots_needed = snapshots_needed + 1, reason = ? WHERE destination = ?",
             {std::string(reason), std::string(destination)});
}

void outbox::begin_epoch_after(std::int64_t seq) {
    sqlite::savepoint step(db_, "outbox_epoch");
    auto const next = ((std::max(seq, last()) >> 40) + 1) << 40;
    db_.exec("DELETE FROM outbox");
    db_.exec("DELETE FROM sqlite_sequence WHERE name = 'outbox'");
    db_.exec("INSERT INTO sqlite_sequence(name, seq) VALUES('outbox', ?)", {next});
    db_.exec("UPDATE airmail_outbox_cursors SET needs_snapshot = 1, snapshot_from = -1, snapshots_needed = snapshots_needed + 1, reason = 'a new epoch'");
    step.release();
}

std::vector<outbox::destination> outbox::destinations() {
    std::vector<destination> out;
    auto const end = last();
    for (auto& r : db_.exec("SELECT destination, seq, needs_snapshot, snapshots_needed, reason, folded FROM airmail_outbox_cursors ORDER BY destination")) {
        destination d{text(r[0]), whole(r[1]), 0, whole(r[3]), whole(r[2]) != 0, text(r[4])};
        if (d.seq < end) d.lag_rows = db_.integer("SELECT count(*) FROM outbox WHERE seq > ?", {d.seq});
        d.oldest_ms = whole(db_.scalar("SELECT at_ms FROM outbox WHERE seq > ? ORDER BY seq LIMIT 1", {d.seq}));
        auto folded = whole(db_.scalar("SELECT at_ms FROM outbox_folded WHERE n > ? ORDER BY n LIMIT 1", {r[5]}));
        if (folded && (d.oldest_ms == 0 || folded < d.oldest_ms)) d.oldest_ms = folded;
        out.push_back(std::move(d));
    }
    return out;
}

std::int64_t outbox::last() { return db_.integer("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'"); }

std::int64_t outbox::size() { return db_.integer("SELECT count(*) FROM outbox"); }

}
