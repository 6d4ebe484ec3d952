#pragma once
// A registry with the real tables, written by the test, and a replicator that carries it to real servers; and the checker:
// SQLite, Postgres and Redis compared row by row.

#include "plugins/campaign/tables.hpp"
#include "plugins/registry/tables.hpp"
#include "storage/firmware/ids.hpp"
#include "storage/replicate/replicator.hpp"
#include "storage/sqlite/migrations.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/servers.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <set>

namespace airmail::testing {

namespace st = storage;
namespace rep = storage::replicate;

inline std::int64_t wall_ms() { return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

/// One Postgres and one Redis for the whole program.
inline postgres_server& ledger_server() {
    static postgres_server one;
    return one;
}
inline redis_server& view_server() {
    static redis_server one;
    return one;
}

/// A value as text, as the checker compares it: NULL, "" and the time 0 are one.
inline std::string plain(st::sqlite::value const& v, bool is_time) {
    if (auto const* s = std::get_if<std::string>(&v)) return *s;
    if (auto const* i = std::get_if<std::int64_t>(&v)) return is_time && *i == 0 ? "" : std::to_string(*i);
    if (auto const* d = std::get_if<double>(&v)) return fmt::format("{}", *d);
    return {};
}

inline std::string without_blanks(std::string s) {
    std::erase(s, ' ');
    return s;
}

/// What differs between the registry and Postgres, at most a few lines; empty = the same, row by row, both ways.
inline std::string differences(st::sqlite::db& d, std::string const& dsn) {
    std::string out;
    for (auto const& t : rep::read_tables(d)) {
        std::string here, there, order;
        auto const columns = rep::pg_columns(t);
        for (std::size_t i = 0; i < columns.size(); ++i) {
            auto const& c = columns[i];
            auto const n = st::sqlite::quote_name(c.name);
            here += (i ? ", " : "") + st::sqlite::quote_name(c.source);
            there += i ? ", " : "";
            there += c.type == "timestamptz" ? "coalesce(round(extract(epoch from " + n + ") * 1000)::bigint::text, '')" : c.type == "bytea" ? "encode(" + n + ", 'hex')" : "coalesce(" + n + "::text, '')";
        }
        std::set<std::vector<std::string>> ours, theirs;
        for (auto& r : d.exec("SELECT " + here + " FROM " + st::sqlite::quote_name(t.name))) {
            std::vector<std::string> row;
            for (std::size_t i = 0; i < columns.size(); ++i) row.push_back(without_blanks(plain(r[i], columns[i].type == "timestamptz")));
            ours.insert(std::move(row));
        }
        auto rows = pg_ask(dsn, "SELECT " + there + " FROM " + st::sqlite::quote_name(t.name));
        for (auto& r : rows) {
            for (auto& v : r) v = without_blanks(v);
            theirs.insert(r);
        }
        if (rows.size() != theirs.size()) out += t.name + ": rows doubled\n";
        if (ours == theirs) continue;
        out += fmt::format("{}: {} rows here, {} there", t.name, ours.size(), theirs.size());
        for (auto const& r : ours)
            if (!theirs.contains(r)) {
                out += "; only here:";
                for (auto const& v : r) out += " " + v;
                break;
            }
        for (auto const& r : theirs)
            if (!ours.contains(r)) {
                out += "; only there:";
                for (auto const& v : r) out += " " + v;
                break;
            }
        out += "\n";
    }
    return out;
}

/// Every connected device has its key, with the present row; what has a key and is known says the same.
inline std::string differences(st::sqlite::db& d, redis_server& r) {
    std::string out;
    int missing = 0;
    for (auto& v : d.exec("SELECT serial_no, model, current_firmware, last_seen / 1000, status FROM devices WHERE ever_seen = 1")) {
        auto const serial = plain(v[0], false);
        auto const want = fmt::format(R"({{"serial_no": "{}", "model": "{}", "fw": "{}", "last_seen": {}, "status": "{}"}})", serial, plain(v[1], false), plain(v[2], false), plain(v[3], false), plain(v[4], false));
        auto const have = r.ask({"GET", "device:" + serial});
        if (have == want || (have.empty() && plain(v[4], false) == "offline")) continue;
        if (++missing < 4) out += "device:" + serial + " is " + have + " and should be " + want + "\n";
    }
    return missing ? fmt::format("{} keys differ\n", missing) + out : out;
}

/// Owned by: one test.
class ledger {
public:
    explicit ledger(bool devices_only = false) {
        st::sqlite::migrate_core(db, 1);
        auto own = [&](char const* name, std::vector<std::string> key, std::vector<std::string> const& sql, std::vector<std::string> folded = {}) {
            for (auto const& s : sql) db.script(s);
            st::install_outbox_triggers(db, {name, std::move(key), {}, std::move(folded), std::int64_t(sql.size()), true});
        };
        own("devices", {"device_id"}, {plugins::registry::devices_1}, {"last_seen"});
        own("device_tags", {"device_id", "tag"}, {plugins::registry::tags_1});
        if (!devices_only)
            for (auto const& t : plugins::campaign::tables())
                if (t.replicated) own(t.name.c_str(), {}, t.migrations);
    }
    ~ledger() { stop(); }

    rep::replicator_options options;
    temp_dir dir;
    st::sqlite::db db{dir / "registry.db"};
    st::outbox box{db, {.wall_ms = wall_ms}};
    std::unique_ptr<rep::replicator> carrier;
    std::mutex mutex;
    std::vector<std::string> said, alarms;

    void to_postgres(std::string const& dsn) { options.postgres = rep::postgres_options{dsn, ""}; }
    void to_redis(std::string const& url, bool cluster = false) {
        rep::redis_options o;
        o.problem = rep::parse_redis_url(url, o);
        o.cluster = cluster;
        options.redis = o;
    }
    static void migrate(std::string const& dsn, st::sqlite::db& d) {
        std::string all = "BEGIN;";
        for (auto const& s : rep::migration_sql(rep::read_tables(d))) all += s + ";";
        pg_ask(dsn, all + "COMMIT");
    }
    void start() {
        options.database = dir / "registry.db";
        options.wall_ms = wall_ms;
        options.linger = std::chrono::milliseconds(0);
        options.say = [this](bool, std::string const& line) {
            std::lock_guard hold(mutex);
            said.push_back(line);
        };
        options.alarm = [this](std::string const& kind, std::string const&) {
            std::lock_guard hold(mutex);
            alarms.push_back(kind);
        };
        carrier = std::make_unique<rep::replicator>(options);
        carrier->start();
    }
    void stop() { carrier.reset(); }
    std::string degraded() const { return carrier->degraded(); }

    /// Waits until every destination says it has all there is (and had time to hear of it).
    bool settles(std::chrono::seconds patience = std::chrono::seconds(40)) {
        return eventually([&] {
            if (!degraded().empty()) return false;
            auto const end = box.last();
            auto const folded = box.last_folded();
            for (auto& r : db.exec("SELECT seq, folded, needs_snapshot FROM airmail_outbox_cursors"))
                if (std::get<std::int64_t>(r[0]) < end || std::get<std::int64_t>(r[1]) < folded || std::get<std::int64_t>(r[2])) return false;
            return true;
        }, patience);
    }

    void device(std::string const& serial, std::string const& status = "online", std::string const& fw = "v1.0.2") {
        db.exec("INSERT INTO devices(device_id, serial_no, model, current_firmware, last_seen, status, created_at, updated_at, ever_seen, hash) VALUES(?, ?, 'TX-100', ?, ?4, ?5, ?4, ?4, 1, 7)",
                {st::firmware::device_id(0, serial), serial, fw, wall_ms(), status});
    }
    /// `n` devices and one campaign over them, in one transaction.
    void fleet(int n) {
        st::sqlite::transaction t(db);
        for (int i = 0; i < n; ++i) device("dev-" + std::to_string(i));
        t.commit();
    }
    void campaign(std::string const& id, int devices) {
        st::sqlite::transaction t(db);
        db.exec("INSERT INTO campaigns(campaign_id, name, firmware_id, target_criteria, status, stage, created_at, updated_at, to_version, phases, salt, max_in_flight, n_total) "
                "VALUES(?, 'Night', ?, '{\"model\":\"TX-100\"}', 'active', 'rolling', ?3, ?3, 'v1.1.0', '[]', 1, 100, ?4)", {id, id, wall_ms(), std::int64_t{devices}});
        for (int i = 0; i < devices; ++i) {
            auto const serial = "dev-" + std::to_string(i);
            db.exec("INSERT INTO campaign_devices(campaign_device_id, campaign_id, device_id, serial_no, bucket, to_version, updated_at) VALUES(?, ?, ?, ?, 1, 'v1.1.0', ?)",
                    {st::firmware::device_id(7, id + serial), id, st::firmware::device_id(0, serial), serial, wall_ms()});
        }
        t.commit();
    }
    /// One status row: the device's row, the campaign's counters and an event, as the engine does.
    void status(std::string const& id, int device, std::string const& word, std::int64_t seq) {
        st::sqlite::transaction t(db);
        auto const serial = "dev-" + std::to_string(device);
        db.exec("UPDATE campaign_devices SET status = ?, rev = rev + 1, updated_at = ? WHERE campaign_id = ? AND serial_no = ?", {word, wall_ms(), id, serial});
        db.exec("UPDATE campaigns SET seq = ?, n_downloading = n_downloading + 1, updated_at = ? WHERE campaign_id = ?", {seq, wall_ms(), id});
        db.exec("INSERT INTO campaign_events(campaign_id, seq, at, event, device_id, serial_no, to_status) VALUES(?, ?, ?, 'device', ?, ?, ?)",
                {id, seq, wall_ms(), st::firmware::device_id(0, serial), serial, word});
        t.commit();
    }
    /// `n` devices are heard, in one transaction as the heartbeat plugin flushes them.
    void heard(int n) {
        st::sqlite::transaction t(db);
        for (int i = 0; i < n; ++i)
            db.exec("UPDATE devices SET last_seen = ?1 WHERE tenant = 0 AND serial_no = ?2 AND last_seen < ?1 AND ever_seen = 1", {wall_ms() + ++beats, "dev-" + std::to_string(i)});
        t.commit();
    }
    std::int64_t beats = 0;
};

inline constexpr char campaign_1[] = "0190a5c0-0000-7000-8000-000000000001";

}
