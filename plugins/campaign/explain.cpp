#include "plugins/campaign/explain.hpp"

#include "plugins/campaign/targets.hpp"
#include "plugins/kit/row.hpp"

#include <algorithm>

namespace airmail::plugins::campaign {

namespace {

std::string in_seconds(std::int64_t ms) {
    auto s = std::max<std::int64_t>(ms, 0) / 1000;
    return s < 120 ? std::to_string(s) + " s" : s < 7200 ? std::to_string(s / 60) + " min" : std::to_string(s / 3600) + " h";
}
std::string left(device_row const& r, std::int64_t now) { return r.deadline_at > 0 ? " in " + in_seconds(r.deadline_at - now) : " when its clock runs again"; }

explanation of_campaign(campaign_row const& c, moment const& m) {
    if (c.status != "pending") {
        if (c.stage == "paused") return {"campaign", "The campaign is paused: " + c.reason + ".", "campaign resume"};
        return {"campaign", "The campaign is " + c.status + " (" + c.stage + ").", c.open() ? "" : "A new campaign."};
    }
    if (c.stage == "awaiting_approval") return {"campaign", "The campaign waits for somebody other than " + c.created_by + " to approve it.", "campaign approve"};
    if (c.stage == "scheduled") return {"campaign", "The campaign begins in " + in_seconds(c.start_at - m.wall) + ".", "Time, or campaign start."};
    return {"campaign", "The campaign has not been started.", "campaign start"};
}

/// Waiting: everything that admission asks for, in its order.
explanation of_waiting(sdk::context& ctx, campaign_row const& c, device_entry const& d, moment const& m) {
    if (!c.running()) return of_campaign(c, m);
    auto threshold = c.current().threshold();
    if (d.bucket >= threshold) {
        auto opens = std::find_if(c.phases.begin(), c.phases.end(), [&](phase const& p) { return d.bucket < p.threshold(); });
        auto n = std::to_string(opens - c.phases.begin() + 1);
        return {"bucket", "Its turn comes in phase " + n + ": bucket " + std::to_string(d.bucket) + ", open below " + std::to_string(threshold) + " of 10000.",
                "The gate of phase " + std::to_string(c.phase + 1) + ", or campaign advance."};
    }
    if (d.registration != "accepted")
        return {"registration", "The device is " + (d.registration.empty() ? std::string{"not registered"} : d.registration) + ".", "device accept"};
    if (!m.connected) {
        auto seen = ctx.sql("SELECT last_seen, ever_seen FROM devices WHERE device_id = ?", {d.device_id});
        bool ever = !seen.empty() && kit::integer(seen[0][1]) != 0;
        return {"offline", ever ? "It has been offline for " + in_seconds(m.wall - kit::integer(seen[0][0])) + "." : "It has never connected.",
                "The command leaves when it subscribes to its command topic."};
    }
    auto barred = ctx.sql("SELECT campaign_id, reason FROM campaign_poison_models WHERE model = ? AND to_version = ?", {d.model, c.to_version});
    if (!barred.empty())
        return {"poisoned", c.to_version + " is poisoned for " + d.model + ": campaign " + std::string{kit::text(barred[0][0])} + " stopped itself (" + std::string{kit::text(barred[0][1])} + ").",
                "Resume that campaign, or DELETE /api/v1/poison/" + d.model + "/" + c.to_version + "."};
    if (!c.windows.empty()) {
        auto own = ctx.sql("SELECT value FROM device_attributes WHERE device_id = ? AND key IN ('utc_offset', 'zone') ORDER BY key", {d.device_id});
        auto where = zone::find(c.zone).value_or(zone{});
        for (auto const& v : own) where = zone::find(kit::text(v[0])).value_or(where);
        if (auto opens = opens_at(c.windows, m.wall, where); opens > m.wall)
            return {"window", "Its maintenance window opens in " + in_seconds(opens - m.wall) + " (its clock: " + where.name() + ").", "Time."};
    }
    auto busy = ctx.sql("SELECT campaign_id, stage FROM campaign_devices WHERE tenant = 0 AND serial_no = ? AND rank BETWEEN 2 AND 50 AND rowid <> ?", {d.serial_no, d.rowid});
    if (!busy.empty())
        return {"busy", "It has another update under way: campaign " + std::string{kit::text(busy[0][0])} + ", " + std::string{kit::text(busy[0][1])} + ".", "The end of that update."};
    if (c.n.in_flight >= c.max_in_flight)
        return {"tokens", std::to_string(c.n.in_flight) + " devices are under way and " + std::to_string(c.max_in_flight) + " may be.", "An update that ends, or a larger max_in_flight."};
    return {"tokens", "It waits for its turn" + (c.rate_per_min > 0 ? ": " + std::to_string(c.rate_per_min) + " devices a minute." : std::string{"."}), "Time."};
}

}

explanation explain(sdk::context& ctx, campaign_row const& c, device_entry const& d, moment const& m) {
    auto const& r = d.row;
    std::string name{name_of(r.at)}, why{name_of(r.why)};
    if (r.retry_pending) return {"retry", "It failed (" + why + "); attempt " + std::to_string(r.attempt + 1) + " follows" + left(r, m.now) + ".", "Time."};
    if (terminal(r)) {
        bool again = c.open() && c.stage != "draining" && status_of(r.at) != status::completed;
        auto const told = d.error_message.empty() ? why : d.error_message;
        auto const next = again ? "A new attempt, when somebody asks for it." : "";
        if (status_of(r.at) == status::rollback)
            return {"done", "It installed " + d.to_version + " and went back to " + (d.from_version.empty() ? "what it ran before" : d.from_version) + ": " + told + ".", next};
        if (status_of(r.at) == status::failed && counts_as_failure(r.why)) return {"done", "Its update failed: " + told + ".", next};
        return {"done", "Nothing: it is " + name + (r.why == reason::none ? "." : " (" + why + ")."), again ? "campaign retry" : ""};
    }
    if (r.cancel_requested && !r.too_late) return {"cancel", "A cancel has been sent; without an answer it counts as cancelled" + left(r, m.now) + ".", ""};
    if (r.at == stage::waiting) return of_waiting(ctx, c, d, m);
    if (rank_of(r.at) < 10)
        return m.connected ? explanation{"answer", "It has the command and has not begun; it is sent again" + left(r, m.now) + ".", "A status from the device."}
                           : explanation{"offline", "It went offline before it began.", "Its return."};
    if (rank_of(r.at) < 30)
        return m.connected ? explanation{"download", "It is downloading; without progress it has stalled" + left(r, m.now) + ".", "Progress."}
                           : explanation{"offline", "It is offline in the middle of the download; the clock stands.", "Its return."};
    if (r.at == stage::probation)
        return {"probation", "The new version was seen; it is on probation (" + std::to_string(r.heartbeats) + " heartbeats), decided" + left(r, m.now) + ".", "Time, and heartbeats."};
    return {"install", "It is installing; it has timed out" + left(r, m.now) + ".", "A heartbeat with the new version."};
}

explanation explain_absence(sdk::context& ctx, campaign_row const& c, targets::device_facts const& d, moment const& m) {
    auto k = parse_criteria(c.target_criteria);
    auto no = [](std::string why, std::string change) { return explanation{"not_in_target", "Not in the target: " + why + ".", std::move(change)}; };
    if (d.registration != "accepted") return {"registration", "The device is " + d.registration + ".", "device accept"};
    if (auto why = unfit(rules_of(ctx, c), k, d.model, d.version); !why.empty()) return no(why + " (" + d.model + ", " + (d.version.empty() ? "no version yet" : d.version) + ")", "Another version on the device, or another campaign.");
    if (k.explicit_list && std::find(k.devices.begin(), k.devices.end(), d.serial_no) == k.devices.end() && std::find(k.devices.begin(), k.devices.end(), d.device_id) == k.devices.end())
        return no("it is not in the list of devices", "Another campaign.");
    for (auto const& tag : k.tags)
        if (std::find(d.tags.begin(), d.tags.end(), tag) == d.tags.end()) return no("it has no tag " + tag, "device tag");
    if (k.q && !k.q->matches(d, m.wall)) return no("the filter " + k.q->text() + " does not hold", "Another value of what the filter asks for.");
    if (!c.dynamic) return no("it matches since the campaign was made, and the campaign takes no late joiners", "A new campaign, or one that is dynamic.");
    return no("it matches now and joins with its next heartbeat", "A heartbeat.");
}

}
