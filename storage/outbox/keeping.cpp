// What stays in the outbox: trimming, the bound, compaction, and what was set aside.
#include "storage/outbox/outbox.hpp"

namespace airmail::storage {

using sqlite::value;

namespace {

std::int64_t whole(value const& v) {
    auto const* i = std::get_if<std::int64_t>(&v);
    return i ? *i : 0;
}

constexpr std::int64_t poison_rows_max = 10'000;
constexpr std::int64_t removed_at_once = 20'000;        // a transaction holds the write lock: keep it short

}

std::int64_t outbox::trim() {
    sqlite::savepoint step(db_, "outbox_trim");
    std::int64_t removed = 0;
    if (db_.integer("SELECT count(*) FROM airmail_outbox_cursors") == 0) {      // the last one has gone
        auto const first = whole(db_.scalar("SELECT min(seq) FROM outbox"));
        db_.exec("DELETE FROM outbox WHERE seq <= ?", {first + removed_at_once});
        removed = db_.changes();
        db_.exec("DELETE FROM outbox_folded WHERE n IN (SELECT n FROM outbox_folded ORDER BY n LIMIT ?)", {removed_at_once});
        removed += db_.changes();
    } else {
        // A destination waiting for its snapshot reads nothing of what is here: it does not hold rows back.
        auto const read = db_.integer("SELECT coalesce(min(seq), ?) FROM airmail_outbox_cursors WHERE needs_snapshot = 0 OR snapshot_from >= 0", {last()});
        auto const first = whole(db_.scalar("SELECT min(seq) FROM outbox"));
        db_.exec("DELETE FROM outbox WHERE seq <= ?", {std::min(read, first + removed_at_once)});
        removed = db_.changes();
        // Numbers have no holes but those of compaction: the ends tell an upper bound without a scan.
        auto const ends = whole(db_.scalar("SELECT (SELECT max(seq) FROM outbox) - (SELECT min(seq) FROM outbox) + 1"));
        if (ends > options_.rows_max && read - first < removed_at_once && size() > options_.rows_max) {
            auto end = last();
            db_.exec("UPDATE airmail_outbox_cursors SET reason = iif(snapshot_from >= 0, 'outbox at its bound during the snapshot', 'outbox at its bound'),"
                     " needs_snapshot = 1, snapshot_from = -1, snapshots_needed = snapshots_needed + 1"
                     " WHERE (needs_snapshot = 0 OR snapshot_from >= 0) AND seq < ?", {end});
            db_.exec("DELETE FROM outbox");
            removed += db_.changes();
            dropped_ += std::uint64_t(db_.changes());
        }
    }
    step.release();
    return removed;
}

bool outbox::compact(std::size_t step) {
    if (compact_from_ == 0) compact_from_ = last() + 1, met_.clear();
    std::vector<std::int64_t> superseded;
    std::int64_t at = 0;
    std::size_t seen = 0;
    for (auto& r : db_.exec("SELECT seq, table_name || pk FROM outbox WHERE seq < ? ORDER BY seq DESC LIMIT ?", {compact_from_, std::int64_t(step)})) {
        at = whole(r[0]), ++seen;
        if (!met_.insert(std::get<std::string>(r[1])).second) superseded.push_back(at);
    }
    if (!superseded.empty()) {
        sqlite::savepoint all(db_, "outbox_compact");
        for (auto seq : superseded) db_.exec("DELETE FROM outbox WHERE seq = ?", {seq});
        all.release();
        compacted_ += superseded.size();
    }
    compact_from_ = at;
    if (seen == step) return true;
    compact_from_ = 0, met_ = {};
    return false;
}

void outbox::set_aside(std::string_view destination, outbox_entry const& e, std::string_view reason) {
    sqlite::savepoint step(db_, "outbox_poison");
    db_.exec("INSERT INTO airmail_outbox_poison(destination, seq, table_name, pk, op, row, reason, at_ms) VALUES(?, ?, ?, ?, ?, ?, ?, ?)"
             " ON CONFLICT DO UPDATE SET reason = excluded.reason, at_ms = excluded.at_ms",
             {std::string(destination), e.seq, e.table, e.pk, std::string(1, e.op), e.row, std::string(reason), options_.wall_ms()});
    db_.exec("DELETE FROM airmail_outbox_poison WHERE id <= (SELECT max(id) FROM airmail_outbox_poison) - ?", {poison_rows_max});
    step.release();
}

std::int64_t outbox::poison_rows(std::string_view destination) {
    return db_.integer("SELECT count(*) FROM airmail_outbox_poison WHERE destination = ?", {std::string(destination)});
}

}
