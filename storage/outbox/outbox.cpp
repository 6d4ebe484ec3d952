#include "storage/outbox/outbox.hpp"

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
    db_.exec("INSERT INTO airmail_outbox_cursors(destination, seq) VALUES(?, ?) ON CONFLICT DO NOTHING", {std::string(name), last()});
}

void outbox::remove_destination(std::string_view name) {
    db_.exec("DELETE FROM airmail_outbox_cursors WHERE destination = ?", {std::string(name)});
}

std::vector<outbox_entry> outbox::read(std::string_view destination, std::size_t max) {
    std::vector<outbox_entry> out;
    for (auto& r : db_.exec("SELECT seq, node_id, table_name, pk, op, row, device, at_ms, traceparent FROM outbox"
                            " WHERE seq > (SELECT seq FROM airmail_outbox_cursors WHERE destination = ? AND needs_snapshot = 0)"
                            " ORDER BY seq LIMIT ?",
                            {std::string(destination), std::int64_t(max)}))
        out.push_back({whole(r[0]), whole(r[1]), text(r[2]), text(r[3]), text(r[4]).at(0), text(r[5]), text(r[6]), whole(r[7]), text(r[8])});
    return out;
}

void outbox::advance(std::string_view destination, std::int64_t seq) {
    db_.exec("UPDATE airmail_outbox_cursors SET seq = ? WHERE destination = ? AND seq < ?", {seq, std::string(destination), seq});
}

void outbox::snapshot_taken(std::string_view destination, std::int64_t seq) {
    db_.exec("UPDATE airmail_outbox_cursors SET seq = ?, needs_snapshot = 0, reason = '' WHERE destination = ?",
             {seq, std::string(destination)});
}

std::int64_t outbox::trim() {
    sqlite::savepoint step(db_, "outbox_trim");
    auto readers = db_.integer("SELECT count(*) FROM airmail_outbox_cursors");
    std::int64_t removed = 0;
    if (readers == 0) {
        db_.exec("DELETE FROM outbox WHERE seq <= ?", {last() - options_.rows_kept_without_reader});
        removed = db_.changes();
    } else {
        // A destination waiting for its snapshot reads nothing of what is here: it does not hold rows back.
        db_.exec("DELETE FROM outbox WHERE seq <= (SELECT coalesce(min(seq), ?) FROM airmail_outbox_cursors WHERE needs_snapshot = 0)",
                 {last()});
        removed = db_.changes();
        if (size() > options_.rows_max) {
            auto end = last();
            db_.exec("UPDATE airmail_outbox_cursors SET needs_snapshot = 1, snapshots_needed = snapshots_needed + 1,"
                     " reason = 'outbox at its bound' WHERE needs_snapshot = 0 AND seq < ?", {end});
            db_.exec("DELETE FROM outbox");
            removed += db_.changes();
            dropped_ += std::uint64_t(db_.changes());
        }
    }
    step.release();
    return removed;
}

std::vector<outbox::destination> outbox::destinations() {
    std::vector<destination> out;
    auto end = last();
    for (auto& r : db_.exec("SELECT destination, seq, needs_snapshot, snapshots_needed, reason FROM airmail_outbox_cursors ORDER BY destination"))
        out.push_back({text(r[0]), whole(r[1]), end - whole(r[1]), whole(r[3]), whole(r[2]) != 0, text(r[4])});
    return out;
}

std::int64_t outbox::last() { return db_.integer("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'"); }

// Rows leave from the old end only and numbers have no holes, so the ends tell the count without a scan.
std::int64_t outbox::size() {
    auto r = db_.exec("SELECT (SELECT max(seq) FROM outbox) - (SELECT min(seq) FROM outbox) + 1");
    return whole(r.at(0).at(0));
}

}
