#pragma once
// A store of which the test keeps every row in RAM as well: what a list must show is computed from these, by walking all of them, and from
// no SQL of ours. Seeded. It is made to be awkward: many ties, empty texts, nulls, names in several cases and alphabets, more models
// than a menu shows, groups on both sides of what counts as few (2,000).

#include "plugins/alert/plugin.hpp"
#include "plugins/campaign/device_state.hpp"
#include "plugins/campaign/plugin.hpp"
#include "plugins/cohort/plugin.hpp"
#include "plugins/config_notify/plugin.hpp"
#include "plugins/firmware/plugin.hpp"
#include "plugins/registry/plugin.hpp"
#include "storage/sqlite/audit.hpp"
#include "storage/sqlite/db.hpp"
#include "storage/sqlite/migrations.hpp"
#include "tests/support/temp_dir.hpp"

#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace known {

namespace sq = airmail::storage::sqlite;
namespace cmp = airmail::plugins::campaign;
using std::int64_t;
using std::string;
using maybe_text = std::optional<string>;
using maybe_number = std::optional<int64_t>;

constexpr int64_t wall = 1'795'000'000'000;      // 2026-11-18

struct device {
    string serial, id, model, version, status, registration, slot;
    int64_t last_seen = 0, created = 0;
    bool ever_seen = false;
    maybe_number keys, counter;
    std::set<string> tags;
    std::map<string, string> attributes, settings;
};
struct update {
    int64_t rowid = 0;
    string campaign, serial, status, stage, reason, from, to;
    maybe_text error;
    int64_t rank = 0, bucket = 0, updated = 0;
    bool live = true;
    maybe_number completed;
};
struct event { int64_t id = 0, seq = 0, at = 0; string campaign; maybe_text serial; string status, stage, reason, detail; };
struct change { int64_t id = 0, at = 0; string serial, key, fresh, source; maybe_text old; };
struct alert { int64_t id = 0, at = 0; string severity, kind, campaign, serial, text; bool open = true; };
struct entry { int64_t seq = 0; string actor, action, target; };
struct image { string id, version; std::vector<string> models; int64_t at = 0; };
struct campaign { string id, status, firmware; int64_t phase = 0; };

class store {
public:
    airmail::testing::temp_dir dir;
    std::vector<device> devices;                 // in the order of serial numbers
    std::vector<update> updates;                 // by rowid
    std::vector<event> events;
    std::vector<change> changes;
    std::vector<alert> alerts;
    std::vector<entry> audit;
    std::vector<image> images;
    std::vector<campaign> campaigns;             // oldest first

    store() : db_(dir / "registry.db") {
        sq::migrate_core(db_, wall);
        make_tables<airmail::plugins::registry_plugin, airmail::plugins::firmware_plugin, airmail::plugins::campaign_plugin, airmail::plugins::config_plugin, airmail::plugins::alert_plugin,
                    airmail::plugins::cohort_plugin>();
        sq::transaction all(db_);
        make_devices(), make_images(), make_campaigns(), make_updates(), make_events(), make_changes(), make_alerts(), make_audit();
        all.commit();
    }
    device const* find(string const& serial) const {
        for (auto const& d : devices)
            if (d.serial == serial) return &d;
        return nullptr;
    }
    /// The device that has more of everything than fits on a page.
    static constexpr char const* busy = "SN-00007";

    std::mt19937_64 rng{20261125};
    int64_t below(int64_t n) { return static_cast<int64_t>(rng() % static_cast<std::uint64_t>(n)); }
    bool one_in(int64_t n) { return below(n) == 0; }
    template <class T> T const& of(std::vector<T> const& all) { return all[static_cast<std::size_t>(below(static_cast<int64_t>(all.size())))]; }

private:
    template <class... Plugins> void make_tables() {
        auto one = [&](auto const& d) {
            for (auto const& t : d.tables)
                for (auto const& sql : t.migrations) db_.script(sql);
        };
        (one(Plugins::declare()), ...);
    }
    static sq::value null_or(maybe_number const& n) { return n ? sq::value(*n) : sq::value(nullptr); }
    static sq::value null_or(maybe_text const& t) { return t ? sq::value(*t) : sq::value(nullptr); }

    void make_devices() {
        std::vector<string> const versions{"v1.0.2", "v1.0.2", "v1.0.2", "v1.0.2", "1.1.0", "1.1.0", "v1.1.0", "v1.10.0", "v1.1.0-rc.1", "nightly", ""};
        std::vector<string> const names{"tx-100", "", "Größe 7", "M'quote", "a%b_c", "TX-1000", "*"};
        std::map<string, device> sorted;
        for (int i = 0; i < 6000; ++i) {
            device d;
            char serial[32];
            std::snprintf(serial, sizeof serial, i % 7 == 3 ? "sn-%05d" : i % 11 == 5 ? "A.%d:x" : i % 13 == 6 ? "z_%d" : "SN-%05d", i);
            d.serial = serial, d.id = "id-" + std::to_string((i * 7919) % 6007) + "-" + std::to_string(i);
            // 1,300 devices are the only ones of their model.
            d.model = i < 2600 ? "TX-100" : i < 4000 ? "TX-200" : i < 5300 ? "solo-" + std::to_string(i) : of(names);
            d.version = one_in(60) ? "v0.9.9" : of(versions);
            d.status = i % 20 == 0 ? "updating" : one_in(2) && !one_in(5) ? "offline" : "online";
            d.registration = one_in(16) ? of<string>({"quarantined", "blocked", "imported"}) : "accepted";
            d.slot = of<string>({"", "a", "b", "A"});
            d.created = wall - below(40) * 86'400'000, d.last_seen = wall - below(50) * 3'600'000;
            d.ever_seen = !one_in(9);
            if (!one_in(3)) d.keys = below(4);
            if (one_in(2)) d.counter = below(6);
            if (i % 2 == 0) d.tags.insert("lab");
            for (auto const* t : {"roof", "Berlin", "berlin", "x y", "lab2"})
                if (one_in(12)) d.tags.insert(t);
            if (one_in(1500)) d.tags.insert("rare");
            if (one_in(4)) d.attributes["site"] = of<string>({"north", "South", "south", "", "n*"});
            if (one_in(3)) d.attributes["rev"] = of<string>({"3", "7", "07", "7.5", "seven", "", "-1", "10"});
            if (one_in(5)) d.attributes["group"] = of<string>({"eu/north", "eu/south", "us"});
            if (one_in(6)) d.settings["interval"] = of<string>({"300", "60", "off"});
            sorted[d.serial] = std::move(d);
        }
        // In another order than that of their names.
        std::vector<device const*> mixed;
        for (auto const& [serial, d] : sorted) devices.push_back(d), mixed.push_back(&d);
        std::shuffle(mixed.begin(), mixed.end(), rng);
        for (auto const* d : mixed) {
            db_.exec("INSERT INTO devices(device_id, serial_no, model, current_firmware, last_seen, status, created_at, updated_at, registration, ever_seen, hash, keys_version, security_counter, boot_slot) "
                     "VALUES(?,?,?,?,?,?,?,?,?,?,0,?,?,?)",
                     {d->id, d->serial, d->model, d->version, d->last_seen, d->status, d->created, wall, d->registration, int64_t{d->ever_seen}, null_or(d->keys), null_or(d->counter), d->slot});
            for (auto const& t : d->tags) db_.exec("INSERT INTO device_tags(device_id, tag, serial_no) VALUES(?,?,?)", {d->id, t, d->serial});
            for (auto const& [k, v] : d->attributes) db_.exec("INSERT INTO device_attributes(device_id, key, value) VALUES(?,?,?)", {d->id, k, v});
            for (auto const& [k, v] : d->settings) db_.exec("INSERT INTO device_configs(device_id, config_key, config_value, updated_at, reported) VALUES(?,?,?,?,1)", {d->id, k, v, wall});
            // Asked for and never reported: no setting of the device.
            if (d->settings.empty() && one_in(8)) db_.exec("INSERT INTO device_configs(device_id, config_key, desired, updated_at, reported) VALUES(?,'interval','300',?,0)", {d->id, wall});
        }
    }

    void make_images() {
        for (int i = 0; i < 90; ++i) {
            image m{"fw-" + std::to_string(i), of<string>({"v1.1.0", "v1.10.0", "v2.0.0"}), {of<string>({"TX-100", "TX-200", "M'quote"})}, wall - below(6) * 1000};
            if (one_in(3)) m.models.push_back("tx-100");
            string list = "[";
            for (auto const& name : m.models) list += (list.size() > 1 ? ",\"" : "\"") + name + "\"";
            db_.exec("INSERT INTO firmware(firmware_id, version, model, file_url, checksum, size_bytes, uploaded_at, models, image_bytes) VALUES(?,?,?,'https://x',?,1,?,?,1)",
                     {m.id, m.version, m.models[0], "sha256:" + m.id, m.at, list + "]"});
            images.push_back(std::move(m));
        }
    }

    void make_campaigns() {
        for (int i = 0; i < 260; ++i) {
            campaign c{"c-" + std::to_string((i * 37) % 997), of<string>({"pending", "active", "completed", "cancelled", "completed"}), "fw-" + std::to_string(below(12)), 0};
            if (i < 6) c.status = i == 0 ? "active" : i == 1 ? "pending" : "completed";
            c.phase = c.status == "pending" ? 0 : 1;
            db_.exec("INSERT INTO campaigns(campaign_id, name, firmware_id, status, stage, created_at, updated_at, to_version, phases, phase, salt, max_in_flight) VALUES(?,?,?,?,'running',?,?,'v2.0.0',?,?,1,10)",
                     {c.id, "name " + std::to_string(i), c.firmware, c.status, wall, wall, R"([{"percent":1},{"percent":10},{"percent":50.5},{"percent":100}])", c.phase});
            campaigns.push_back(std::move(c));
        }
        db_.exec("INSERT INTO cohort_studies(campaign_id, window_ms, alpha, gate, fields, alarm, alarm_at) VALUES(?, 600000, 0.05, 1, '{\"battery\":\"lower\"}', 'field:battery', ?)", {campaigns[0].id, wall});
        db_.exec("INSERT INTO cohort_measures(campaign_id, measure, worse, better, same) VALUES(?, 'field:battery', 30, 2, 10)", {campaigns[0].id});
    }

    void make_updates() {
        std::vector<string> const stages{"waiting", "waiting", "sent", "downloading", "downloaded", "installing", "probation", "confirmed", "confirmed", "inferred", "already_installed", "failed", "failed",
                                         "reported", "rollback_inferred"};
        std::vector<string> const reasons{"checksum_mismatch", "no_space", "stalled", "unspecified", "cancelled", "superseded", "not_applicable", "device_removed", ""};
        for (int c = 0; c < 6; ++c)
            for (auto const& d : devices) {
                if (c == 0 ? !one_in(2) : c == 1 ? !one_in(5) : !one_in(9)) {
                    if (d.serial != busy) continue;
                }
                update u;
                u.rowid = static_cast<int64_t>(updates.size()) + 1, u.campaign = campaigns[static_cast<std::size_t>(c)].id, u.serial = d.serial, u.bucket = below(10'000);
                do u.stage = c == 1 ? "waiting" : of(stages);
                while (c > 1 && cmp::rank_of(*cmp::stage_named(u.stage)) > 0 && cmp::rank_of(*cmp::stage_named(u.stage)) < 100);      // one under way for a device
                auto const at = *cmp::stage_named(u.stage);
                u.rank = cmp::rank_of(at), u.status = cmp::name_of(cmp::status_of(at)), u.live = u.rank < 100;
                if (u.status == "failed") u.reason = of(reasons);
                if (u.status == "rollback") u.reason = of<string>({"", "boot_loop", "unspecified"});
                if (!u.reason.empty() && one_in(2)) u.error = "error " + std::to_string(below(5));
                u.from = of<string>({"v1.0.2", "1.1.0", "v1.1.0", "", "nightly"}), u.to = "v2.0.0", u.updated = wall - below(20) * 1000;
                if (!u.live && !one_in(4)) u.completed = wall - below(4) * 43'200'000;
                db_.exec("INSERT INTO campaign_devices(rowid, campaign_device_id, campaign_id, device_id, serial_no, status, error_message, completed_at, stage, reason, rank, live, bucket, from_version, to_version, updated_at) "
                         "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                         {u.rowid, "r" + std::to_string(u.rowid), u.campaign, d.id, u.serial, u.status, null_or(u.error), null_or(u.completed), u.stage, u.reason, u.rank, int64_t{u.live}, u.bucket, u.from, u.to, u.updated});
                updates.push_back(std::move(u));
            }
    }

    void make_events() {
        auto add = [&](event e) {
            e.id = static_cast<int64_t>(events.size()) + 1;
            db_.exec("INSERT INTO campaign_events(event_id, campaign_id, seq, at, event, serial_no, to_status, stage, reason, detail) VALUES(?,?,?,?,?,?,?,?,?,?)",
                     {e.id, e.campaign, e.seq, e.at, string(e.serial ? "device" : "campaign"), null_or(e.serial), e.status, e.stage, e.reason, e.detail});
            events.push_back(std::move(e));
        };
        for (int c = 0; c < 5; ++c) {
            auto const& id = campaigns[static_cast<std::size_t>(c)].id;
            std::vector<string> members;
            for (auto const& u : updates)
                if (u.campaign == id && (members.size() < 40 || u.serial == busy)) members.push_back(u.serial);
            for (int64_t seq = 1; seq <= 500; ++seq) {
                event e{0, seq, wall - below(30) * 500, id, std::nullopt, "pending", "waiting", "", "{\"what\":\"x\"}"};
                if (!one_in(8)) e.serial = one_in(3) ? string(busy) : of(members), e.status = "installing", e.stage = of<string>({"installing", "rebooting"}), e.reason = one_in(3) ? "stalled" : "", e.detail = "e" + std::to_string(events.size());
                add(std::move(e));
            }
        }
    }

    void make_changes() {
        for (int i = 0; i < 600; ++i) {
            change h{i + 1, wall - below(25) * 500, one_in(2) ? string(busy) : of(devices).serial, of<string>({"interval", "mode"}), std::to_string(below(9)), of<string>({"device", "desired"}), std::nullopt};
            if (!one_in(3)) h.old = "o" + std::to_string(i);
            db_.exec("INSERT INTO config_history(change_id, device_id, config_key, old_value, new_value, source, at) VALUES(?,?,?,?,?,?,?)", {h.id, find(h.serial)->id, h.key, null_or(h.old), h.fresh, h.source, h.at});
            changes.push_back(std::move(h));
        }
    }

    void make_alerts() {
        for (int i = 0; i < 700; ++i) {
            alert a{i + 1, wall - below(25) * 500, of<string>({"critical", "warning"}), of<string>({"offline_rate", "rollback"}), one_in(3) ? of(campaigns).id : "", one_in(3) ? string(busy) : one_in(2) ? of(devices).serial : "",
                    "alert " + std::to_string(i), !one_in(3)};
            db_.exec("INSERT INTO alerts(alert_id, severity, kind, campaign_id, serial_no, text, at, last_at, acknowledged_at) VALUES(?,?,?,?,?,?,?,?,?)",
                     {a.id, a.severity, a.kind, a.campaign, a.serial, a.text, a.at, a.at, a.open ? sq::value(nullptr) : sq::value(a.at)});
            alerts.push_back(std::move(a));
        }
    }

    void make_audit() {
        for (int i = 0; i < 900; ++i) {
            sq::audit_entry e;
            e.at_ms = wall + below(5) * 1000, e.actor = of<string>({"ada", "bob", "control"}), e.role = "admin", e.action = of<string>({"campaign.start", "device.tag", "key.create"}), e.target = of<string>({"", "c-0", "c-37"});
            audit.push_back({sq::audit_append(db_, e), e.actor, e.action, e.target});
        }
    }

    sq::db db_;
};

}
