#include "plugins/watch/plugin.hpp"

#include "plugins/campaign/views.hpp"
#include "plugins/kit/row.hpp"

#include <utility>

namespace airmail::plugins {

using kit::integer, kit::text;

namespace {

// `told`: published in the batch before the newest, so surely out; `newest`: published in the newest, maybe not. A restart tells again
// from `told`: subscribers see some events twice, with the same seq, and never miss one.
constexpr char cursor_1[] = R"(CREATE TABLE watch_cursor(
    one    INTEGER PRIMARY KEY CHECK(one = 1),
    told   INTEGER NOT NULL,
    newest INTEGER NOT NULL
) STRICT;
INSERT INTO watch_cursor VALUES(1, 0, 0);)";

constexpr int events_per_turn = 5000;

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
    auto told = integer(ctx.sql("SELECT told FROM watch_cursor").at(0).at(0));
    tell(told);
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
    ctx.sql("UPDATE watch_cursor SET told = newest, newest = ?", {rows.back()[12]});
    ctx.timer(2, rows.size() == events_per_turn ? ctx.now() : ctx.now() + 200);
}

void watch_plugin::tick(std::uint64_t, sdk::instant) {
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
