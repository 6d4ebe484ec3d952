// From the first byte to the confirmed slot.
#include "tools/airmail-sim/device.hpp"

#include <fmt/format.h>

namespace airmail::sim {

namespace fw = storage::firmware;
using std::chrono::milliseconds;

namespace {
constexpr std::uint64_t damage_done = 1, power_cut_done = 2, boot_failure_done = 4;
constexpr int tries_max = 5;
constexpr milliseconds resume_wait{5000}, url_wait{15'000}, restless_every{1000};
}

/// `fresh`: a new image from byte 0. Otherwise what lies in the slot stays (it was never executed) and the rest is asked for.
void device::fetch_from(bool fresh) {
    auto& m = mem();
    auto const kept = disk_.begin_write(!fresh, m.size_bytes);
    if (fresh) {
        // In the book before the first byte: a slot written twice for one command must be seen even if we die in between.
        ++m.slot_writes[m.command_id];
        disk_.save();
        ++counts_.downloads;
    } else ++counts_.resumes;
    if (kept == m.size_bytes) return verify();
    world_.fetch(m.url, kept, m.size_bytes);
}

bool device::data(fw::byte_view piece) {
    auto& m = mem();
    if (m.at != stage::downloading || !disk_.writing()) return false;
    counts_.bytes += piece.size();
    if (disk_.written() + piece.size() > m.size_bytes) return false;  // never more than was signed
    bool good = true;
    if (plan_.fate == victim::checksum_fault && !(m.faults_done & damage_done) && !damaged_ && !piece.empty()) {
        std::vector<std::uint8_t> bad(piece.begin(), piece.end());
        bad[dice_.below(bad.size())] ^= 0x40;
        damaged_ = true;
        good = disk_.append(bad);
    } else good = disk_.append(piece);
    if (!good) {
        fail("no_space", m.campaign_id, m.command_id);
        return false;
    }
    auto const percent = static_cast<int>(disk_.written() * 100 / m.size_bytes);
    if (plan_.fate == victim::power_cut && !(m.faults_done & power_cut_done) && percent >= 40) return lose_power(), false;
    if (percent / 25 > progress_told_ / 25 && percent < 100) status("downloading", progress_told_ = percent);
    return true;
}

void device::lose_power() {
    mem().faults_done |= power_cut_done;
    disk_.end_write();
    disk_.save();
    ++life_;
    online_ = false;
    world_.restart(false, plan_.reboot + milliseconds(dice_.below(2000)));
}

void device::fetch_ended(fetch_end how) {
    auto& m = mem();
    if (m.at != stage::downloading || !disk_.writing()) return;
    if (how == fetch_end::complete && disk_.written() == m.size_bytes) {
        ++counts_.images;
        return verify();
    }
    disk_.end_write();
    ++counts_.retries;
    if (++tries_ > tries_max) return fail("download_error", m.campaign_id, m.command_id);
    if (how == fetch_end::forbidden) {
        if (pure()) return fail("download_error", m.campaign_id, m.command_id);
        world_.publish("request", fmt::format(R"({{"request":"url","command_id":"{}"}})", m.command_id), 1);
        return wait_for(give_up, url_wait);
    }
    if (how == fetch_end::gone) return wait_for(give_up, url_wait);  // withdrawn: a cancel is on its way
    auto const backoff = milliseconds(500 << tries_);
    wait_for(resume, backoff + milliseconds(dice_.below(500)));
}

void device::verify() {
    auto& m = mem();
    disk_.end_write();
    if (plan_.fate == victim::checksum_fault) m.faults_done |= damage_done;
    if (!pure()) status("downloaded"), status("verifying");
    auto const promised = fw::parse_digest(m.checksum);
    if (!promised || disk_.written_digest() != *promised) return fail("checksum_mismatch", m.campaign_id, m.command_id);
    auto const file = disk_.path(m.inactive());
    if (!pure() && !trust_.releases.keys.empty() && !fw::verify_release_file(file, trust_.releases)) return fail("signature_invalid", m.campaign_id, m.command_id);
    // What the slot will say of itself is what it carries.
    auto version = m.version;
    if (auto const carried = fw::read_trailer(file))
        if (auto const r = fw::release_manifest::parse(carried->manifest.payload)) version = r->version;
    m.set_version(m.inactive(), version);
    m.at = stage::installing;
    disk_.save();
    status("installing");
    wait_for(install, plan_.install + milliseconds(dice_.below(static_cast<std::uint64_t>(plan_.install.count()) + 1)));
}

void device::timer(int token) {
    if (token / wait_kinds != life_) return;
    auto& m = mem();
    switch (static_cast<wait>(token % wait_kinds)) {
    case resume:
        if (m.at == stage::downloading && !disk_.writing()) fetch_from(false);
        return;
    case give_up:
        if (m.at == stage::downloading) fail("url_expired", m.campaign_id, m.command_id);
        return;
    case install:
        m.at = stage::rebooting;
        disk_.save();
        if (!pure()) status("rebooting");
        online_ = false;
        world_.restart(true, plan_.reboot + milliseconds(dice_.below(static_cast<std::uint64_t>(plan_.reboot.count()) + 1)));
        return;
    case loop:
        ++loops_;
        online_ = false;
        if (loops_ >= plan_.loops) roll_back();
        world_.restart(false, milliseconds(300));
        return;
    case confirm:
        if (m.at != stage::testing) return;
        if (!online_) return;                      // confirmed only while it can reach the broker: connected() asks again
        m.security_counter = std::max(m.security_counter, m.release_counter);  // only now: 4.2 step 10
        heartbeat();
        if (!pure()) status("completed");
        finish("completed");
        if (plan_.fate == victim::restless) restless_ = true, wait_for(fidget, restless_every);
        return;
    case fidget:
        if (m.at != stage::idle) return;
        online_ = false;
        world_.restart(true, milliseconds(100));
        return;
    case wait_kinds: return;
    }
}

void device::roll_back() {
    auto& m = mem();
    if (m.at == stage::testing) m.active = m.inactive();
    m.at = stage::rolled_back;
    disk_.save();
}

void device::boot_anew() {
    auto& m = mem();
    ++m.boots;
    boot_id_ = fmt::format("{:016x}", dice(plan_.seed + m.boots).roll());
    booted_at_ = world_.now();
    ++life_;
}

void device::booted() {
    auto& m = mem();
    boot_anew();
    if (m.at == stage::rebooting) {
        if (plan_.fate == victim::boot_failure && !(m.faults_done & boot_failure_done)) {
            m.faults_done |= boot_failure_done;
            roll_back();
            boot_anew();                           // once into the slot that does not come up, once back
        } else {
            m.active = m.inactive();
            m.at = stage::testing;
        }
    }
    disk_.save();
}

void device::connected() {
    online_ = true;
    auto& m = mem();
    if (m.at == stage::rebooting) booted();        // this process died while it was down
    heartbeat();
    if (!untold_.empty() && world_.publish("status", untold_, 1)) untold_.clear();
    if (m.at == stage::testing && plan_.fate == victim::reboot_loop) return wait_for(loop, milliseconds(300));
    if (m.at == stage::idle && restless_) return wait_for(fidget, restless_every);
    if (m.at == stage::testing) return wait_for(confirm, plan_.confirm);
    if (m.at == stage::rolled_back) {
        status("rollback");
        return finish("rollback");
    }
    // The broker sends the command again with a fresh URL; if it does not, the old one may still be good.
    if (m.at == stage::downloading && !disk_.writing()) wait_for(resume, resume_wait);
}

}
