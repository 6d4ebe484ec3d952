// From a plugin's table to a plugin that runs: the start-up half of a lane.
#include "broker/host/lane.hpp"

#include "broker/host/refusal.hpp"
#include "storage/sqlite/migrations.hpp"

#include <algorithm>

namespace airmail::host {

namespace sqlite = storage::sqlite;

namespace {

/// "a, b" -> a and b.
std::vector<std::string> listed(std::string_view rest) {
    std::vector<std::string> out;
    while (!rest.empty()) {
        auto part = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), part.size() + 1));
        while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
        while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
        out.emplace_back(part);
    }
    return out;
}

}

lane::lane(std::string name, bool shared, environment& env)
    : name_(std::move(name)), shared_(shared), env_(env), durable_(env.options.durable_max), loose_(env.options.loose_max),
      events_(env.options.events_max) {}

lane::~lane() {
    for (auto at = seats_.rbegin(); at != seats_.rend(); ++at)
        if ((*at)->body) (*at)->table->destroy((*at)->body);
}

instance& lane::seat(std::unique_ptr<instance> i) {
    i->home = this, i->scope = static_cast<std::uint32_t>(seats_.size() + 1);
    for (std::size_t n = 0; n < i->what.topics.size(); ++n) {
        auto const& t = i->what.topics[n];
        if (t.dir != sdk::direction::up || !i->table->on_message) continue;
        topics_.add(t.filter, static_cast<std::uint32_t>(interests_.size()));
        interests_.push_back({i.get(), i->schemas[n].get()});
        if (t.overflow == "latest") latest_topics_.add(t.filter, 0), keeps_latest_ = true;
    }
    return *seats_.emplace_back(std::move(i));
}

void lane::open() {
    db_ = std::make_unique<sqlite::db>(env_.options.database, sqlite::db_options{.busy_timeout_ms = static_cast<int>(env_.options.busy_timeout.count())});
    sqlite::migrate_core(*db_, env_.options.wall_ms());
    static sqlite::migration const own[] = {
        {1, "numbers of plugins", "CREATE TABLE airmail_plugins(number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE) STRICT"}};
    sqlite::migrate(*db_, "host", own, env_.options.wall_ms());
    outbox_ = std::make_unique<storage::outbox>(*db_, storage::outbox_options{.wall_ms = env_.options.wall_ms});
    for (auto const* table : {"audit_log", "users", "api_keys"})       // the house's own, copied like any plugin's
        storage::install_outbox_triggers(*db_, {table, {}, {}, {}, 1, true});
    tx_ = std::make_unique<steps>(*db_);
    db_->authorizer([this](sqlite::action const& a) { return may(a); });
    auto lsn = static_cast<storage::lsn>(db_->integer("SELECT max(lsn) FROM airmail_applied WHERE lane = ?", {name_}));
    seen_lsn_ = lsn, stored_lsn_.store(lsn);
    stored_at_ms_ = steady_ms();
}

void lane::create(instance& i) {
    hook_thread_.store(std::this_thread::get_id());
    why_ = "it gave no reason (see the log)";
    auto refuse = [&](char const* step) {
        hook_thread_.store({});
        throw refusal(errc::refused, i.id + ": " + step + " failed: " + why_);
    };
    if (!(i.body = i.table->create(&i.host))) refuse("create");
    if (i.table->configure && i.table->configure(i.body) != 0) refuse("configure");
    hook_thread_.store({});
    if (!commit(seen_lsn_)) throw refusal(errc::database, i.id + ": " + why_);
}

void lane::migrate(instance& i) {
    try {
        db_->exec("INSERT OR IGNORE INTO airmail_plugins(id) VALUES(?)", {i.id});
        i.number = static_cast<std::uint32_t>(db_->integer("SELECT number FROM airmail_plugins WHERE id = ?", {i.id}));
        i.migrating = true;
        // A foreign plugin's scripts run under its own scope, so they touch nothing but its tables.
        db_->scope(shared_ ? 0 : i.scope);
        for (auto const& t : i.what.tables) {
            std::vector<sqlite::migration> steps;
            for (auto const& sql : t.migrations) steps.push_back({static_cast<std::uint32_t>(steps.size() + 1), t.name, sql});
            // Numbered per table: a new step of one table does not renumber its neighbours'.
            sqlite::migrate(*db_, i.id + "/" + t.name, steps, env_.options.wall_ms());
        }
        db_->scope(0), i.migrating = false;
        for (auto const& t : i.what.tables) {
            if (!t.replicated) {
                storage::remove_outbox_triggers(*db_, t.name);
                continue;
            }
            storage::install_outbox_triggers(*db_, {t.name, listed(t.primary_key), {}, listed(t.folded), std::int64_t(t.migrations.size()), i.built_in});
        }
    } catch (sqlite::error const& e) {
        db_->scope(0), i.migrating = false;
        throw refusal(errc::database, i.id + ": its tables: " + e.what());
    }
}

void lane::start(instance& i) {
    if (!i.table->start) return;
    broken_ = false;
    if (!run_start(i) || broken_) throw refusal(errc::refused, i.id + ": start failed: " + (why_.empty() ? "it gave no reason" : why_));
    // What it asked for leaves with the first batch, on the lane's own thread.
    if (!commit(seen_lsn_)) throw refusal(errc::database, i.id + ": start could not commit: " + why_);
}

}
