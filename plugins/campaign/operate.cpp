// What operators want of a campaign: pending{draft, scheduled} -> active{running, paused, draining} -> completed | cancelled.
#include "plugins/campaign/engine_unit.hpp"
#include "plugins/kit/params.hpp"
#include "plugins/kit/row.hpp"

namespace airmail::plugins::campaign {

namespace {

void expect(bool good, campaign_row const& c, char const* verb) {
    if (!good) throw kit::refusal{409, "campaign.wrong_state", "cannot " + std::string{verb} + " campaign " + c.id + ": it is " + c.status + " (" + c.stage + ")"};
}

}

campaign_row engine::prepare(campaign_row c, std::string_view who) {
    return unit([&] {
        insert_campaign(ctx, c);
        c.n.total = c.n.by_status[0] = materialise(ctx, c);
        auto& kept = work_.campaigns.emplace(c.id, c).first->second;
        say(kept, "created", who, {});
        if (c.phases.size() == 1) say(kept, "phases_none", who, "everyone at once");
        if (c.stage == "scheduled") ctx.timer(house_timer, ctx.now());
        return kept;
    });
}

/// Devices that came since create join; then the first phase opens.
void engine::begin(campaign_row& c, std::string_view who) {
    auto fresh = materialise(ctx, c);
    c.n.total += fresh, c.n.by_status[0] += fresh;
    c.status = "active", c.stage = "running", c.started_at = ctx.wall();
    say(c, "started", who, {});
    if (c.supersedes) supersede(c);
    begin_phase(c, 0);
    ctx.timer(house_timer, ctx.now() + 60'000);
}

/// Older updates of the same devices that can still be stopped give way; those that install are waited for.
void engine::supersede(campaign_row& c) {
    for (auto& d : load_devices(ctx, "c.live = 1 AND c.campaign_id <> ?1 AND c.serial_no IN (SELECT serial_no FROM campaign_devices WHERE campaign_id = ?1)", {c.id}))
        if (auto* older = find(d.campaign_id); older && older->open()) step(d, make(d, event_kind::supersede), "by " + c.id);
}

campaign_row engine::launch(std::string const& id, std::string_view who) {
    return unit([&] {
        auto& c = need(id);
        expect(c.status == "pending", c, "start");
        if (c.stage == "awaiting_approval") throw kit::refusal{409, "campaign.not_approved", "campaign " + id + " waits for somebody other than " + c.created_by + " to approve it"};
        if (!mint_.release(ctx, c.firmware_id)) throw kit::refusal{409, "campaign.no_firmware", "firmware " + c.firmware_id + " is gone"};
        refuse_poisoned(c);
        begin(c, who);
        return c;
    });
}

campaign_row engine::approve(std::string const& id, std::string_view who) {
    return unit([&] {
        auto& c = need(id);
        expect(c.status == "pending" && c.stage == "awaiting_approval", c, "approve");
        if (who == c.created_by) throw kit::refusal{403, "campaign.same_person", std::string{who} + " made this campaign: somebody else must approve it"};
        c.approved_by = who, c.stage = c.start_at > 0 ? "scheduled" : "draft";
        say(c, "approved", who, {});
        if (c.stage == "scheduled") ctx.timer(house_timer, ctx.now());
        return c;
    });
}

campaign_row engine::deny(std::string const& id, std::string_view who, std::string_view reason) {
    return unit([&] {
        auto& c = need(id);
        expect(c.status == "pending" && c.stage == "awaiting_approval", c, "deny");
        c.reason = reason;
        for (auto& d : load_devices(ctx, "c.campaign_id = ? AND c.live = 1", {c.id})) step(d, make(d, event_kind::cancel), "denied");
        c.status = "cancelled", c.stage = "denied", c.completed_at = ctx.wall();
        say(c, "denied", who, c.reason);
        return c;
    });
}

campaign_row engine::pause(std::string const& id, std::string_view who, std::string_view reason) {
    return unit([&] {
        auto& c = need(id);
        expect(c.running(), c, "pause");
        c.stage = "paused", c.reason = reason.empty() ? "operator" : std::string{reason};
        queues_.erase(c.id);
        say(c, "paused", who, c.reason);
        return c;
    });
}

campaign_row engine::resume(std::string const& id, std::string_view who) {
    return unit([&] {
        auto& c = need(id);
        expect(c.open() && c.stage == "paused", c, "resume");
        c.stage = "running", c.reason.clear();
        c.stop_score = 0, said_.erase(c.id);                       // somebody has looked: counted anew
        ctx.sql("DELETE FROM campaign_poison_models WHERE campaign_id = ?", {c.id});
        say(c, "resumed", who, {});
        enqueue_range(c, 0, c.current().threshold());
        return c;
    });
}

campaign_row engine::advance(std::string const& id, std::string_view who) {
    return unit([&] {
        auto& c = need(id);
        expect(c.running() && !c.last_phase(), c, "advance");
        say(c, "advanced", who, "gate passed over");
        begin_phase(c, c.phase + 1);
        return c;
    });
}

campaign_row engine::cancel(std::string const& id, std::string_view who, std::string_view reason, cancel_count& n) {
    return unit([&] {
        auto& c = need(id);
        expect(c.status == "pending" || c.open(), c, "cancel");
        c.status = "active", c.stage = "draining", c.reason = reason.empty() ? "operator" : std::string{reason};
        queues_.erase(c.id);
        say(c, "cancelling", who, c.reason);
        // At once: no further byte. The answer is counted; the rows follow in pieces, each with its cancel command.
        for (auto const& v : ctx.sql("SELECT serial_no, rank, command_id FROM campaign_devices WHERE campaign_id = ? AND live = 1 AND rank BETWEEN 2 AND 50", {c.id})) {
            if (kit::integer(v[1]) >= 30) {
                ++n.too_late;
                continue;
            }
            ++(connected(kit::text(v[0])) ? n.asked : n.offline);
            // Bound: the effects of one batch. What is beyond it is revoked with its piece.
            if (std::string id{kit::text(v[2])}; !id.empty() && revoked_.size() < 20'000 && revoked_.insert(id).second) ctx.revoke(id);
        }
        auto waiting = ctx.sql("SELECT count(*) FROM campaign_devices WHERE campaign_id = ? AND live = 1 AND (rank = 0 OR rank = 110)", {c.id});
        n.stopped = kit::integer(waiting.at(0).at(0));
        if (n.stopped + n.asked + n.offline + n.too_late > 50) ctx.timer(drain_timer, ctx.now());
        else drain(c);
        return c;
    });
}

campaign_row engine::retry(std::string const& id, std::string_view who, std::string_view serial) {
    return unit([&] {
        auto& c = need(id);
        auto d = load_device(ctx, id, serial);
        if (!d) throw kit::refusal{404, "campaign.no_such_device", std::string{serial} + " is not in campaign " + id};
        expect(c.open() && c.stage != "draining", c, "retry a device in");
        if (rank_of(d->row.at) < 110) throw kit::refusal{409, "campaign.wrong_state", std::string{serial} + " is " + std::string{name_of(d->row.at)}};
        if (!connected(serial)) throw kit::refusal{409, "campaign.offline", std::string{serial} + " is not connected"};
        if (busy_elsewhere(*d)) throw kit::refusal{409, "campaign.busy", std::string{serial} + " has another update under way"};
        ctx.sql("DELETE FROM campaign_poison WHERE device_id = ? AND to_version = ?", {d->device_id, d->to_version});
        d->row.connected = true, d->row.connection = presence_[std::string{serial}];
        d->from_version = d->current_version;
        auto e = make(*d, event_kind::admit);
        e.forced = true;
        step(*d, e, "retried by " + std::string{who});
        return c;
    });
}

void engine::say_custom(custom_command c, std::string const& firmware_id) {
    if (!firmware_id.empty() && !(c.release = mint_.release(ctx, firmware_id))) throw kit::refusal{404, "campaign.no_firmware", "no firmware " + firmware_id};
    mint_.send_custom(ctx, c);
}

}
