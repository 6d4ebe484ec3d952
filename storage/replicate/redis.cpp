#include "storage/replicate/redis.hpp"

#include "storage/replicate/redis_scripts.hpp"
#include "storage/replicate/secret.hpp"

#include <fmt/core.h>

namespace airmail::storage::replicate {
namespace {

constexpr char events_key[] = "events:recent";
constexpr std::size_t page_size = 500;
constexpr auto round_time = std::chrono::seconds(device_life_s / 3);
constexpr std::int64_t longest_before_look_ms = 1000;

}

redis::redis(surroundings& around, redis_options o) : destination("redis", around), options_(std::move(o)), client_(options_, redis_scripts), views_(around.db) {}

asio::awaitable<std::string> redis::connect() {
    if (!options_.problem.empty()) co_return "replicate_redis " + options_.problem;
    std::string why;
    auto const password = read_secret(options_.password, why);
    if (!why.empty()) co_return "replicate_redis_password: " + why;
    why = co_await client_.connect(password, around_.timeout);
    if (!why.empty()) co_return "cannot connect: " + why;
    auto const here = around_.db.exec("SELECT seq, folded FROM airmail_outbox_cursors WHERE destination = ?", {name_});
    seq_ = std::get<std::int64_t>(here.at(0)[0]), folded_ = std::get<std::int64_t>(here[0][1]);
    if (!needs_snapshot()) {
        bool const whole = co_await marks_there(why);
        if (!why.empty()) co_return why;
        if (!whole) around_.box.ask_for_snapshot(name_, "Redis was emptied");
    }
    looked_at_ = std::chrono::steady_clock::now();
    alive_after_.clear(), next_page_ = {}, next_campaigns_ = {};
    co_return why;
}

asio::awaitable<std::string> redis::run(requests const& r, std::vector<redis_reply>& replies) {
    if (r.empty()) co_return std::string();
    auto why = co_await client_.run(r, replies);
    for (auto const& x : replies)
        if (x.is_error() && why.empty()) why = fmt::format("{}: {}", client_.server().str(), x.text);
    if (why.find("READONLY") != why.npos) why += " (a replica: replicate_redis must name the master)";
    co_return why;
}

asio::awaitable<std::string> redis::run(requests const& r) {
    std::vector<redis_reply> replies;
    co_return co_await run(r, replies);
}

void redis::put(requests& out, redis_view const& v, std::int64_t seq, bool tell) const {
    out.push_back({{"EVALSHA", std::to_string(script_put), "2", v.key, guard_of(v.key), std::to_string(seq), std::to_string(v.life_s), v.value, tell ? v.channel : "", v.event, v.status, v.notice}, v.key});
}

void redis::push(requests& out, std::int64_t seq, std::string const& json) const {
    out.push_back({{"EVALSHA", std::to_string(script_push), "2", events_key, guard_of(events_key), std::to_string(seq), json, std::to_string(recent_events)}, events_key});
}

/// The marks say how far Redis is. They go before the cursor in SQLite, so a mark behind the cursor means an older Redis.
asio::awaitable<std::string> redis::mark() {
    if (marked_ == seq_) co_return std::string();
    requests r;
    for (auto const& key : client_.mark_keys(fmt::format("airmail:mark:{}", around_.node))) r.push_back({{"SET", key, std::to_string(seq_)}, key});
    auto why = co_await run(r);
    if (why.empty()) marked_ = seq_;
    co_return why;
}

asio::awaitable<bool> redis::marks_there(std::string& why) {
    requests r;
    for (auto const& key : client_.mark_keys(fmt::format("airmail:mark:{}", around_.node))) r.push_back({{"GET", key}, key});
    std::vector<redis_reply> replies;
    why = co_await run(r, replies);
    if (!why.empty()) co_return false;
    auto const cursor = around_.db.integer("SELECT seq FROM airmail_outbox_cursors WHERE destination = ?", {name_});
    for (auto const& x : replies)
        if (x.what != redis_reply::kind::text || std::strtoll(x.text.c_str(), nullptr, 10) < cursor) co_return false;
    co_return true;
}

asio::awaitable<std::string> redis::stream(bool& idle) {
    auto const now = std::chrono::steady_clock::now();
    if (now - looked_at_ > std::chrono::milliseconds(longest_before_look_ms)) {
        std::string why = co_await mark();
        if (!why.empty()) co_return why;
        bool const whole = co_await marks_there(why);
        if (!whole) {
            if (why.empty()) around_.box.ask_for_snapshot(name_, "Redis was emptied"), marked_ = -1;
            co_return why;
        }
        keep_cursor(seq_, folded_);
        looked_at_ = now;
    }
    // The version is asked for before the rows are read: a row may be newer than its number, never older.
    auto const version = around_.box.last();
    auto const entries = around_.box.read_after(seq_, around_.batch);
    auto const folded = entries.size() < around_.batch ? around_.box.read_folded(folded_, around_.batch) : std::vector<folded_entry>{};
    touched_keys touched;
    for (auto const& e : entries) touched.add(e);
    for (auto const& f : folded) touched.add(f);
    requests r;
    for (auto const& v : views_.of(touched)) put(r, v, version, true);
    for (auto const& [seq, json] : touched.events) push(r, seq, json);
    if (auto why = co_await run(r); !why.empty()) co_return why;
    if (!entries.empty()) seq_ = entries.back().seq, counters_.rows.fetch_add(entries.size()), counters_.batches.fetch_add(1);
    if (!folded.empty()) folded_ = folded.back().n, counters_.folded.fetch_add(folded.size());
    if (entries.empty() && folded.empty() && !cursor_kept()) {
        if (auto why = co_await mark(); !why.empty()) co_return why;
        keep_cursor(seq_, folded_, at_rest);
    }
    idle = entries.size() < around_.batch && folded.size() < around_.batch;
    if (!idle) co_return std::string();
    co_return co_await keep_alive();
}

/// The connected devices' keys, one page at a time, so that all have had their turn in a third of their life.
asio::awaitable<std::string> redis::keep_alive() {
    auto const now = std::chrono::steady_clock::now();
    if (now >= next_campaigns_) {
        requests r;
        auto const version = around_.box.last();
        for (auto const& id : views_.living_campaigns(around_.wall_ms()))
            if (auto v = views_.campaign(id)) put(r, *v, version, false);
        if (auto why = co_await run(r); !why.empty()) co_return why;
        next_campaigns_ = now + std::chrono::seconds(campaign_life_s / 3);
    }
    if (now < next_page_) co_return std::string();
    auto const page = views_.connected(alive_after_, page_size);
    requests r;
    for (auto const& [id, serial] : page) r.push_back({{"EXPIRE", "device:" + serial, std::to_string(device_life_s)}, "device:" + serial});
    std::vector<redis_reply> replies;
    if (auto why = co_await run(r, replies); !why.empty()) co_return why;
    requests again;
    auto const version = around_.box.last();
    for (std::size_t i = 0; i < page.size(); ++i)
        if (replies[i].number == 0)
            if (auto v = views_.device(page[i].first, "")) put(again, *v, version, false);
    if (auto why = co_await run(again); !why.empty()) co_return why;
    healed_.fetch_add(again.size());
    if (page.size() < page_size) {
        next_page_ = now + round_time / 2, alive_after_.clear();
        co_return std::string();
    }
    alive_after_ = page.back().first;
    auto const pages = std::max<std::int64_t>(1, views_.connected_count() / std::int64_t(page_size));
    next_page_ = now + std::chrono::duration_cast<std::chrono::milliseconds>(round_time) / (2 * pages);
    co_return std::string();
}

asio::awaitable<std::string> redis::fill_events(std::int64_t seq) {
    requests r(1);
    r[0] = {{"EVALSHA", std::to_string(script_refill), "2", events_key, guard_of(events_key), std::to_string(seq)}, events_key};
    for (auto& json : views_.recent(recent_events)) r[0].words.push_back(std::move(json));
    co_return co_await run(r);
}

asio::awaitable<std::string> redis::fill() {
    auto const from = around_.box.snapshot_begin(name_);
    around_.say(false, "redis: writing all keys from the registry");
    for (std::string after;;) {
        auto const version = around_.box.last();
        auto const page = views_.living_devices(after, around_.wall_ms(), page_size);
        requests r;
        for (auto const& id : page)
            if (auto v = views_.device(id, "")) put(r, *v, version, false);
        if (auto why = co_await run(r); !why.empty()) co_return why;
        if (page.size() < page_size) break;
        after = page.back();
    }
    requests r;
    auto const version = around_.box.last();
    for (auto const& id : views_.living_configs(around_.wall_ms()))
        if (auto v = views_.config(id)) put(r, *v, version, false);
    for (auto const& id : views_.living_campaigns(around_.wall_ms()))
        if (auto v = views_.campaign(id)) put(r, *v, version, false);
    if (auto why = co_await run(r); !why.empty()) co_return why;
    if (auto why = co_await fill_events(from); !why.empty()) co_return why;
    if (!around_.box.snapshot_taken(name_, from)) co_return "the outbox was dropped while the keys were written: writing again";
    seq_ = from, marked_ = -1;
    if (auto why = co_await mark(); !why.empty()) co_return why;
    keep_cursor(from, around_.box.folded_cursor(name_), at_once);
    co_return std::string();
}

}
