// A campaign that stops itself: hard stops, the stop rule on finished rows, and the versions that nobody is given until somebody has looked.
#include "plugins/campaign/engine_unit.hpp"
#include "plugins/kit/json_out.hpp"
#include "plugins/kit/params.hpp"
#include "plugins/kit/row.hpp"

namespace airmail::plugins::campaign {

void engine::hard_stops(campaign_row& c, device_entry const& d) {
    int limit = d.row.why == reason::signature_invalid ? set_.signature_stop : d.row.why == reason::boot_loop ? set_.boot_loop_stop : 0;
    if (limit == 0 || !c.running() || !c.auto_stop) return;
    auto rows = ctx.sql("SELECT count(*) FROM campaign_devices WHERE campaign_id = ? AND reason = ?", {c.id, kit::txt(name_of(d.row.why))});
    if (kit::integer(rows.at(0).at(0)) >= limit) halt(c, name_of(d.row.why));
}

/// A row that says something about the image, or something else than before: a success that turns out to be a rollback is a failure.
void engine::weigh(campaign_row& c, std::int64_t began, device_row const& before, device_row const& after) {
    auto const& rule = set_.stop;
    auto failed = [](device_row const& r) {
        return terminal(r) && (status_of(r.at) == status::rollback || (status_of(r.at) == status::failed && counts_as_failure(r.why)));
    };
    auto came_back = [](device_row const& r) { return r.at == stage::probation || (status_of(r.at) == status::completed && r.at != stage::already_installed); };
    auto says = [&](device_row const& r) { return failed(r) ? rule.failure() : came_back(r) ? rule.success() : 0; };
    if (rule.bad <= 0 || !c.open() || says(before) == says(after)) return;
    auto& said = said_.try_emplace(c.id, c.stop_score).first->second;
    said.says(began, says(before), says(after));
    if (!failed(after)) return;
    c.stop_score = said.worst();
    if (c.auto_stop && c.running() && rule.stops(c.stop_score))
        halt(c, "too many failures: " + std::to_string(c.n.counted() - c.n.of(status::completed)) + " of " + std::to_string(c.n.counted()) + " finished devices");
}

/// The policy says stop: admission ends, devices under way go on, people are told.
void engine::halt(campaign_row& c, std::string_view reason) {
    poison_models(c, reason);
    c.stage = "paused", c.reason = std::string{"policy: "} + std::string{reason};
    say(c, "stopped", "policy", reason);
    raise("critical", "campaign_stopped", c, {}, "campaign " + c.name + " paused: " + std::string{reason});
}

void engine::poison_models(campaign_row const& c, std::string_view reason) {
    ctx.sql("INSERT OR REPLACE INTO campaign_poison_models(model, to_version, campaign_id, reason, at) SELECT DISTINCT d.model, ?2, ?1, ?3, ?4 FROM campaign_devices c "
            "JOIN devices d ON d.device_id = c.device_id WHERE c.campaign_id = ?1 AND c.live = 0 AND (c.status = 'rollback' OR (c.status = 'failed' AND c.reason NOT IN "
            "('cancelled', 'superseded', 'not_applicable', 'device_removed')))", {c.id, c.to_version, kit::txt(reason), ctx.wall()});
}

/// A new campaign does not walk into what stopped another; resuming that one, or `campaign.unpoison`, says that somebody has looked.
void engine::refuse_poisoned(campaign_row const& c) {
    auto rows = ctx.sql("SELECT p.model, p.campaign_id, p.reason FROM campaign_poison_models p WHERE p.to_version = ?2 AND p.campaign_id <> ?1 AND EXISTS(SELECT 1 FROM "
                        "campaign_devices c JOIN devices d ON d.device_id = c.device_id WHERE c.campaign_id = ?1 AND c.live = 1 AND d.model = p.model) LIMIT 1", {c.id, c.to_version});
    if (rows.empty()) return;
    std::string model{kit::text(rows[0][0])}, by{kit::text(rows[0][1])}, why{kit::text(rows[0][2])};
    throw kit::refusal{409, "campaign.poisoned", c.to_version + " is poisoned for " + model + ": campaign " + by + " stopped itself (" + why +
                                                     "); look, then resume that campaign or lift it with DELETE /api/v1/poison/" + model + "/" + c.to_version};
}

std::string engine::unpoison(std::string const& model, std::string const& version) {
    return unit([&]() -> std::string {
        ctx.sql("DELETE FROM campaign_poison_models WHERE model = ? AND to_version = ?", {model, version});
        if (ctx.changes() == 0) throw kit::refusal{404, "campaign.not_poisoned", version + " is not poisoned for " + model};
        for (auto const& v : ctx.sql("SELECT campaign_id FROM campaigns WHERE status = 'active' AND stage = 'running' AND to_version = ?", {version}))
            if (auto* c = find(std::string{kit::text(v[0])})) enqueue_range(*c, 0, c->current().threshold());
        return kit::json_object{}.text("model", model).text("version", version).str();
    });
}

}
