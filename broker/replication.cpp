#include "broker/replication.hpp"

#include "broker/broker.hpp"
#include "broker/log/log.hpp"
#include "storage/reads/order.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/core.h>

namespace airmail {

namespace rep = storage::replicate;
namespace json = boost::json;

namespace {

rep::replicator_options options_of(config::config const& s, std::string const& database) {
    rep::replicator_options o;
    o.database = database;
    o.batch = static_cast<std::size_t>(s.number("replicate_batch"));
    o.timeout = s.duration("replicate_timeout");
    o.outbox_rows_max = s.number("replicate_outbox_max");
    o.lag_alarm = s.duration("replicate_lag_alarm");
    if (auto dsn = std::string(s.text("replicate_postgres")); !dsn.empty()) o.postgres = rep::postgres_options{dsn, std::string(s.text("replicate_postgres_password"))};
    if (auto url = std::string(s.text("replicate_redis")); !url.empty()) {
        rep::redis_options r;
        r.problem = rep::parse_redis_url(url, r);
        r.password = s.text("replicate_redis_password"), r.cluster = s.flag("replicate_redis_cluster");
        r.login.ca_file = s.text("replicate_redis_cafile"), r.login.cert_file = s.text("replicate_redis_certfile"), r.login.key_file = s.text("replicate_redis_keyfile");
        o.redis = std::move(r);
    }
    return o;
}

namespace rd = storage::reads;

/// Redis and Postgres are those of the replication; a replica may stand in for Postgres.
rd::reads_options reads_options_of(config::config const& s, rep::replicator_options const& r) {
    rd::reads_options o;
    if (auto const wrong = rd::parse_order(s.text("replicate_reads"), o.order); !wrong.empty()) throw startup_error(78, fmt::format("replicate_reads {}", wrong));
    o.database = r.database, o.redis = r.redis, o.postgres = r.postgres;
    if (auto dsn = std::string(s.text("replicate_reads_postgres")); !dsn.empty()) o.postgres = rep::postgres_options{dsn, std::string(s.text("replicate_postgres_password"))};
    auto asks = [&](rd::place p) { return std::find(o.order.begin(), o.order.end(), p) != o.order.end(); };
    if (asks(rd::place::redis) && !o.redis) throw startup_error(78, "replicate_reads names redis, and replicate_redis is not set");
    if (asks(rd::place::postgres) && !o.postgres) throw startup_error(78, "replicate_reads names postgres, and neither replicate_postgres nor replicate_reads_postgres is set");
    o.fresh = s.duration("replicate_reads_fresh"), o.timeout = s.duration("replicate_reads_timeout");
    return o;
}

}

void check_reads(config::config const& settings) { (void)reads_options_of(settings, options_of(settings, {})); }

replication::replication(config::config const& settings, std::string const& database, host::plugin_host& plugins, std::function<std::int64_t()> wall_ms) {
    auto o = options_of(settings, database);
    o.wall_ms = std::move(wall_ms);
    o.say = [](bool trouble, std::string const& line) { trouble ? log::warn("replicate", {}, "{}", line) : log::info("replicate", {}, "{}", line); };
    o.alarm = [&plugins](std::string const& kind, std::string const& line) {
        plugins.call("alert.raise", json::serialize(json::object{{"severity", "warning"}, {"kind", kind}, {"text", line}}), {"replicate", "admin", {}, {}, 0}, [](int, std::string) {});
    };
    auto r = reads_options_of(settings, o);
    try {
        carrier_ = std::make_unique<rep::replicator>(std::move(o));
        reads_ = std::make_unique<rd::reads>(std::move(r));
    } catch (storage::sqlite::error const& e) { throw startup_error(74, fmt::format("replication: {}", e.what())); }
    count();
    count_reads();
}

void replication::start() { carrier_->start(), reads_->start(); }

void replication::stop() { reads_->stop(), carrier_->stop(); }

void replication::ask(rd::subject about, std::string id, rd::answered done) {
    auto const asked = std::chrono::steady_clock::now();
    reads_->ask(about, std::move(id), [this, asked, done = std::move(done)](rd::answer a) {
        if (a.what == rd::answer::kind::known) took_[static_cast<std::size_t>(a.from)]->observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - asked).count());
        done(std::move(a));
    });
}

std::string replication::report() const {
    json::array list;
    for (auto const& s : carrier_->states()) {
        auto const& c = *s.counters;
        list.push_back(json::object{{"destination", s.name}, {"connected", c.connected.load()}, {"filling", c.filling.load()}, {"lag_rows", c.lag_rows.load()}, {"lag_seconds", c.lag_ms.load() / 1000},
                                    {"seq", c.cursor.load()}, {"rows", c.rows.load()}, {"folded", c.folded.load()}, {"poison", c.poison.load()}, {"snapshots", c.snapshots.load()}, {"degraded", s.degraded}});
    }
    return json::serialize(json::object{{"destinations", std::move(list)}, {"outbox_rows", carrier_->outbox_rows()}});
}

void replication::count() {
    using metrics::kind;
    for (auto const& s : carrier_->states()) {
        auto add = [&](kind k, char const* name, char const* help, auto member, double scale = 1) {
            probes_.emplace_back(k, name, help, [c = s.counters, member, scale] { return static_cast<double>((c->*member).load()) * scale; }, metrics::labels{{"to", s.name}});
        };
        using d = rep::destination_counters;
        add(kind::gauge, "airmail_replicate_lag_rows", "Changes the destination has not taken yet.", &d::lag_rows);
        add(kind::gauge, "airmail_replicate_lag_seconds", "Age of the oldest change it has not taken.", &d::lag_ms, 0.001);
        add(kind::gauge, "airmail_replicate_connected", "1 while connected.", &d::connected);
        add(kind::counter, "airmail_replicate_rows_total", "Changes of the outbox it took.", &d::rows);
        add(kind::counter, "airmail_replicate_folded_rows_total", "Changes of folded columns it took.", &d::folded);
        add(kind::counter, "airmail_replicate_batches_total", "Batches it took.", &d::batches);
        add(kind::counter, "airmail_replicate_poison_rows_total", "Rows it refused for what they contain; set aside.", &d::poison);
        add(kind::counter, "airmail_replicate_snapshots_total", "Times it was filled anew.", &d::snapshots);
        add(kind::counter, "airmail_replicate_failures_total", "Connections that failed or were lost.", &d::failures);
    }
    auto of = [&](kind k, char const* name, char const* help, auto f) { probes_.emplace_back(k, name, help, [c = carrier_.get(), f] { return static_cast<double>((c->*f)()); }); };
    using r = rep::replicator;
    of(kind::gauge, "airmail_outbox_rows", "Changes kept on disk for the destinations.", &r::outbox_rows);
    of(kind::counter, "airmail_outbox_dropped_rows_total", "Changes dropped at replicate_outbox_max; the destinations are filled anew.", &r::dropped_rows);
    of(kind::counter, "airmail_outbox_compacted_rows_total", "Changes removed because a later one of the same row stands in the outbox.", &r::compacted_rows);
    of(kind::counter, "airmail_replicate_healed_keys_total", "Redis keys of connected devices that had gone and were written again.", &r::healed_keys);
    of(kind::counter, "airmail_replicate_cpu_seconds_total", "CPU time of the replicate thread.", &r::cpu_seconds);
}

void replication::count_reads() {
    using metrics::kind;
    for (auto const name : rd::place_names)
        took_.push_back(std::make_unique<metrics::histogram>("airmail_replicate_read_seconds", "From the question to the answer, by who knew it.", metrics::seconds_buckets, metrics::labels{{"from", std::string(name)}}));
    for (auto const p : reads_->order()) {
        auto add = [&](char const* name, char const* help, auto member) {
            probes_.emplace_back(kind::counter, name, help, [c = &reads_->counters(p), member] { return static_cast<double>((c->*member).load()); }, metrics::labels{{"of", std::string(rd::name_of(p))}});
        };
        using c = rd::source_counters;
        add("airmail_replicate_reads_asked_total", "Questions put to the source.", &c::asked);
        add("airmail_replicate_reads_answered_total", "Questions it answered.", &c::answered);
        add("airmail_replicate_reads_failed_total", "Questions it could not be asked, or did not answer in time.", &c::failed);
    }
    auto of = [&](char const* name, char const* help, auto f) { probes_.emplace_back(kind::counter, name, help, [r = reads_.get(), f] { return static_cast<double>((r->*f)()); }); };
    of("airmail_replicate_reads_total", "Questions about the status of a device or campaign.", &rd::reads::total);
    of("airmail_replicate_reads_refused_total", "Questions refused because too many waited.", &rd::reads::refused);
    of("airmail_replicate_reads_refilled_total", "Keys that Redis lacked, put back from a ledger's answer.", &rd::reads::refilled);
}

}
