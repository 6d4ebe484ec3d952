// Commands: what is obeyed, what is repeated, what is refused.
#include "tools/airmail-sim/device.hpp"

#include <algorithm>

namespace airmail::sim {

using std::chrono::milliseconds;

namespace {
/// The broker makes a new attempt after these (reference/ota.md 2.4).
bool retried(std::string_view result) { return result == "checksum_mismatch" || result == "download_error" || result == "url_expired" || result == "stalled"; }
}

device::device(device_plan plan, slots& disk, trust const& who, outlet& world)
    : plan_(std::move(plan)), disk_(disk), trust_(who), world_(world), dice_(plan_.seed) {
    boot_anew();
    if (mem().at == stage::installing) mem().at = stage::downloading;  // we died while flashing: the image is whole, and is looked at again
    disk_.save();
}

bool device::ended() const {
    auto const& m = disk_.memory();
    if (plan_.fate == victim::silent) return heard_;
    return m.at == stage::idle && !m.last_result.empty() && !retried(m.last_result);
}

void device::command_came(std::string_view payload) {
    auto const c = command::parse(payload);
    if (!c) {
        ++counts_.bad_commands;
        return;
    }
    ++counts_.commands;
    heard_ = true;
    auto& ids = mem().command_ids;
    if (c->kind == "ota_update" && std::find(ids.begin(), ids.end(), c->command_id) == ids.end()) {
        ids.push_back(c->command_id);
        disk_.save();
    }
    if (plan_.fate == victim::silent) return;
    if (c->kind == "ota_update") return update(*c);
    if (pure()) {
        ++counts_.unknown_commands;
        return;
    }
    if (c->kind == "cancel") cancel(*c);
    else if (c->kind == "url") new_url(*c);
    else if (c->kind == "report") heartbeat(), tell_again(*c);
    else if (c->kind == "config") configure(*c);
    else if (c->kind == "verify_only") {
        auto const v = judge(*c, trust_, {.serial = plan_.serial, .model = plan_.model, .version = mem().running(), .security_counter = mem().security_counter, .now = world_.now()});
        if (v.reason.empty()) status({.word = "accepted", .campaign_id = c->campaign_id, .command_id = c->command_id});
        else status({.word = "rejected", .reason = v.reason, .campaign_id = c->campaign_id, .command_id = c->command_id});
    } else ++counts_.unknown_commands;
}

/// The same command again: it is never begun twice. What we knew is told; a download that lay still goes on with the fresh URL.
bool device::repeated(command const& c) {
    auto& m = mem();
    // A document-pure device has no command_id to compare; the same image while one is under way is the same update.
    bool const under_way = m.at != stage::idle && (pure() ? c.checksum == m.checksum : c.command_id == m.command_id);
    bool const known = !pure() && m.at == stage::idle && !c.command_id.empty() && c.command_id == m.last_command_id;
    if (!under_way && !known) return false;
    ++counts_.duplicates;
    if (known) {
        tell_again(c);
    } else if (m.at == stage::downloading) {
        m.url = c.url;
        m.seq = std::max(m.seq, c.seq);
        disk_.save();
        if (!disk_.writing()) fetch_from(false);
    }
    return true;
}

void device::update(command const& c) {
    auto& m = mem();
    verdict v;
    if (plan_.fate == victim::signature_fault) v.reason = "signature_invalid";
    else if (!pure()) {
        auto const& known = m.command_id.empty() ? m.last_command_id : m.command_id;
        v = judge(c, trust_, {.serial = plan_.serial, .model = plan_.model, .version = m.running(), .security_counter = m.security_counter, .last_seq = m.seq, .known_command_id = known, .now = world_.now()});
    }
    if (v.stale) {
        ++counts_.stale;
        return;
    }
    if (repeated(c)) return;
    if (m.at > stage::downloading) return;  // too late for another one; the broker does not send two
    if (m.at == stage::downloading) world_.stop_fetch(), disk_.end_write();
    m.seq = std::max(m.seq, c.seq);
    m.command_id = c.command_id, m.campaign_id = c.campaign_id;
    if (v.reason.empty() && (c.url.empty() || c.checksum.empty() || c.size_bytes == 0)) v.reason = "incompatible";
    if (v.reason.empty() && c.size_bytes > disk_.free_bytes()) v.reason = "no_space";
    if (!v.reason.empty()) return fail(v.reason, c.campaign_id, c.command_id);
    if (!pure() && c.version == m.running()) {
        status("completed");
        return finish("completed");
    }
    begin(c, v.security_counter);
}

void device::begin(command const& c, std::uint64_t release_counter) {
    auto& m = mem();
    m.at = stage::downloading;
    m.version = c.version, m.url = c.url, m.checksum = c.checksum, m.size_bytes = c.size_bytes, m.release_counter = release_counter;
    disk_.save();
    ++life_;
    tries_ = progress_told_ = 0;
    damaged_ = false;
    if (!pure()) status("accepted");
    status("downloading", 0);
    fetch_from(true);
}

void device::cancel(command const& c) {
    auto& m = mem();
    if (m.at == stage::idle || c.command_id != m.command_id) {
        if (c.command_id == m.last_command_id) return tell_again(c);
        return status({.word = "cancelled", .reason = "cancelled", .campaign_id = c.campaign_id, .command_id = c.command_id});
    }
    auto const v = judge(c, trust_, {.serial = plan_.serial, .model = plan_.model, .version = m.running(), .last_seq = m.seq, .known_command_id = m.command_id, .now = world_.now()});
    if (!v.reason.empty()) {
        ++counts_.stale;
        return;
    }
    m.seq = std::max(m.seq, c.seq);
    if (m.at > stage::downloading) return status("too_late");
    world_.stop_fetch();
    disk_.end_write();
    ++life_;
    status({.word = "cancelled", .reason = "cancelled", .campaign_id = m.campaign_id, .command_id = m.command_id});
    finish("cancelled");
}

void device::new_url(command const& c) {
    auto& m = mem();
    if (m.at != stage::downloading || c.command_id != m.command_id || c.url.empty()) return;
    m.url = c.url;
    disk_.save();
    ++life_;  // the wait for it is over
    if (!disk_.writing()) fetch_from(false);
}

void device::configure(command const& c) {
    for (auto const& [key, value] : c.settings) change_setting(key, value);
}

void device::tell_again(command const& c) {
    auto const& m = disk_.memory();
    if (m.at != stage::idle) return;
    if (c.command_id.empty() || c.command_id != m.last_command_id || c.campaign_id.empty()) return;
    told t{.campaign_id = c.campaign_id, .command_id = c.command_id};
    if (m.last_result == "completed" || m.last_result == "rollback" || m.last_result == "cancelled") t.word = m.last_result;
    else t.word = "failed", t.reason = m.last_result;
    status(t);
}

void device::fail(std::string_view reason, std::string_view campaign_id, std::string_view command_id) {
    disk_.end_write();
    ++life_;
    status({.word = "failed", .reason = reason, .campaign_id = campaign_id, .command_id = command_id});
    finish(std::string(reason));
}

void device::finish(std::string const& result) {
    auto& m = mem();
    m.last_command_id = m.command_id;
    m.last_result = result;
    m.at = stage::idle;
    m.command_id.clear(), m.campaign_id.clear(), m.url.clear();
    disk_.save();
}

}
