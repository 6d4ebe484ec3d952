#include "plugins/watch/plugin.hpp"

#include "plugins/campaign/views.hpp"
#include "plugins/kit/row.hpp"

#include <utility>

namespace airmail::plugins {

using kit::integer, kit::text;

namespace {

// `newest`: published last. `told`: published so long ago that it is surely on disk in the queues of whoever was to get it; the store
// commits on its own time, and a kill in between takes with it what was published and not yet stored. A restart tells again from
// `told`: subscribers see some events twice, with the same seq, and never miss one.
constexpr char cursor_1[] = R"(CREATE TABLE watch_cursor(
    one    INTEGER PRIMARY KEY CHECK(one = 1),
    told   INTEGER NOT NULL,
    newest INTEGER NOT NULL
) STRICT;
INSERT INTO watch_cursor VALUES(1, 0, 0);)";

constexpr int events_per_turn = 5000;
constexpr sdk::instant surely_stored_ms = 10'000;   // a group commit takes milliseconds; a disk that stalls longer is alarmed about
constexpr std::uint64_t next_turn = 2, later = 3;   // timers

}

sdk::declaration watch_plugin::declare() {
    sdk::declaration d;
    d.after = {"ota.campaign"};
    d.topics = {{.filter = "$ota/campaign/+/events", .dir = sdk::direction::down, .role = "viewer"},
                {.filter = "$ota/campaign/+/progress", .dir = sdk::direction::down, .role = "viewer"}};
    d.tables = {{"watch_cursor", "one", false, {cursor_1}}};
    d.methods = {{"watch.flush", "admin", "", "", "There are new events; for the campaign plugin.", false}};
    d.metrics = {{"airmail_watch_events_total", "events published"}};
    return d;
}

void watch_plugin::start() {
    // The last batch before the stop may not have left.
    told_ = integer(ctx.sql("SELECT told FROM watch_cursor").at(0).at(0));
    tell(told_);
    for (auto const& v : ctx.sql("SELECT campaign_id FROM campaigns WHERE status = 'active'")) progress(std::string{text(v[0])});
}

void watch_plugin::method(sdk::call_view const& c) {
    tell(integer(ctx.sql("SELECT newest FROM watch_cursor").at(0).at(0)));
    ctx.reply(c.handle, 200, "{}");
}

void watch_plugin::tell(std::int64_t after) {
    auto rows = ctx.sql("SELECT " + std::string{campaign::event_columns} + " FROM campaign_events WHERE event_id > ? ORDER BY event_id LIMIT ?",
                        {after, std::int64_t{events_per_turn}});
    if (rows.empty()) return;
    for (auto const& v : rows) {
        std::string id{text(v[1])};
        auto topic = "$ota/campaign/" + id + "/events", payload = campaign::event_json(v);
        ctx.publish({.topic = topic, .payload = payload});
        stale_.insert(std::move(id));
    }
    ctx.metric_add("airmail_watch_events_total", static_cast<double>(rows.size()));
    under_way_.push_back({ctx.now(), integer(rows.back()[12])});
    settle();
    ctx.sql("UPDATE watch_cursor SET told = ?, newest = ?", {told_, under_way_.back().newest});
    ctx.timer(next_turn, rows.size() == events_per_turn ? ctx.now() : ctx.now() + 200);
    ctx.timer(later, under_way_.front().at + surely_stored_ms);
}

bool watch_plugin::settle() {
    auto const before = told_;
    for (; !under_way_.empty() && under_way_.front().at + surely_stored_ms <= ctx.now(); under_way_.pop_front()) told_ = under_way_.front().newest;
    return told_ != before;
}

void watch_plugin::tick(std::uint64_t timer, sdk::instant) {
    if (timer == later) {
        if (settle()) ctx.sql("UPDATE watch_cursor SET told = ?", {told_});
        if (!under_way_.empty()) ctx.timer(later, under_way_.front().at + surely_stored_ms);
        return;
    }
    tell(integer(ctx.sql("SELECT newest FROM watch_cursor").at(0).at(0)));
    for (auto const& id : std::exchange(stale_, {})) progress(id);
}

void watch_plugin::progress(std::string const& id) {
    auto c = campaign::load_campaign(ctx, id);
    if (!c) return;
    auto topic = "$ota/campaign/" + id + "/progress", payload = campaign::campaign_json(*c);
    ctx.publish({.topic = topic, .payload = payload, .retain = true});
}

}
