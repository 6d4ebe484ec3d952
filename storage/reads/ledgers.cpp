#include "storage/reads/ledgers.hpp"

#include "storage/replicate/secret.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <fmt/core.h>
#include <unordered_map>

namespace airmail::storage::reads {
namespace {

using rows = std::vector<std::vector<std::string>>;

std::int64_t whole(std::string const& s) { return std::strtoll(s.c_str(), nullptr, 10); }

/// One statement for all of a kind. The cursor of the row's node comes with it, of the same moment: what Postgres knows of that
/// node up to there is in the row.
constexpr char devices_sql[] =
    "SELECT d.serial_no, d.model, d.current_firmware, coalesce(floor(extract(epoch FROM d.last_seen)), 0)::bigint, d.status, greatest(d.airmail_seq, coalesce(r.seq, 0)) "
    "FROM devices d LEFT JOIN airmail_replica r ON r.node_id = d.airmail_node "
    "WHERE d.tenant = 0 AND d.ever_seen = 1 AND d.serial_no = ANY(ARRAY(SELECT json_array_elements_text($1::json)))";
constexpr char campaigns_sql[] =
    "SELECT c.campaign_id, c.name, c.to_version, c.stage, c.status, c.n_total, c.n_finished, c.n_pending, c.n_downloading, c.n_installing, c.n_completed, c.n_failed, c.n_rollback, "
    "coalesce(floor(extract(epoch FROM c.updated_at)), 0)::bigint, greatest(c.airmail_seq, coalesce(r.seq, 0)) "
    "FROM campaigns c LEFT JOIN airmail_replica r ON r.node_id = c.airmail_node "
    "WHERE c.campaign_id = ANY(ARRAY(SELECT json_array_elements_text($1::json)))";

std::string device_of(std::vector<std::string> const& r) { return replicate::device_json({r[0], r[1], r[2], r[4], whole(r[3])}); }

std::string campaign_of(std::vector<std::string> const& r) {
    replicate::campaign_facts f{r[0], r[1], r[2], r[3], r[4], whole(r[5]), whole(r[6]), {}, whole(r[13])};
    for (std::size_t i = 0; i < f.counts.size(); ++i) f.counts[i] = whole(r[7 + i]);
    return replicate::campaign_json(f);
}

}

sqlite_source::sqlite_source(std::string const& database) : db_(database, {.create = false, .read_only = true, .busy_timeout_ms = 1000}), views_(db_) {}

asio::awaitable<std::string> sqlite_source::find(std::vector<question*> const& open) {
    // The number first, then the rows: a row may be newer than its number, never older.
    auto const version = db_.integer("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'");
    for (auto* q : open) {
        auto v = q->about == subject::device ? views_.device_called(q->id) : views_.campaign(q->id);
        if (v && !v->value.empty()) q->json = std::move(v->value), q->from = place::sqlite, q->version = version, q->missed &= v->key == q->key();
    }
    co_return std::string();
}

std::string postgres_source::trouble() const {
    std::lock_guard hold(mutex_);
    return why_;
}

void postgres_source::lose(std::string why) {
    link_.close();
    there_ = false;
    std::lock_guard hold(mutex_);
    why_ = std::move(why);
}

asio::awaitable<std::string> postgres_source::connect() {
    if (auto wrong = replicate::dsn_problem(options_.dsn); !wrong.empty()) co_return "replicate_reads_postgres " + wrong;
    std::string why;
    auto const password = replicate::read_secret(options_.password, why);
    if (!why.empty()) co_return "replicate_postgres_password: " + why;
    why = co_await link_.connect(options_.dsn, password, std::max<std::chrono::milliseconds>(timeout_, std::chrono::seconds(2)), false);
    co_return why;
}

asio::awaitable<void> postgres_source::keep() {
    for (;;) {
        if (there_) {
            co_await replicate::sleep_for(std::chrono::milliseconds(50));
            continue;
        }
        auto why = co_await connect();
        if (!why.empty()) {
            lose(std::move(why));
            co_await replicate::sleep_for(backoff_.next());
            continue;
        }
        backoff_.reset();
        there_ = true;
        std::lock_guard hold(mutex_);
        why_.clear();
    }
}

asio::awaitable<std::string> postgres_source::find(std::vector<question*> const& open) {
    for (auto const about : {subject::device, subject::campaign}) {
        boost::json::array ids;
        std::unordered_multimap<std::string, question*> by_id;
        for (auto* q : open)
            if (q->about == about) ids.emplace_back(q->id), by_id.emplace(q->id, q);
        if (ids.empty()) continue;
        auto const ask = replicate::only(about == subject::device ? devices_sql : campaigns_sql, boost::json::serialize(ids));
        auto const o = co_await link_.run(ask, timeout_);
        if (!o) {
            auto why = o.sqlstate.empty() ? o.error : fmt::format("{} ({})", o.error, o.sqlstate);
            lose(why);
            co_return why;
        }
        for (auto const& r : o.rows) {
            auto const [first, last] = by_id.equal_range(r[0]);
            for (auto at = first; at != last; ++at) at->second->json = about == subject::device ? device_of(r) : campaign_of(r), at->second->from = place::postgres, at->second->version = whole(r.back());
        }
    }
    co_return std::string();
}

}
