// What a device publishes.
#include "tools/airmail-sim/device.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace airmail::sim {

namespace json = boost::json;

void device::heartbeat() {
    auto const& m = disk_.memory();
    json::object o{{"serial_no", plan_.serial}, {"model", plan_.model}, {"current_firmware", m.running()}, {"timestamp", world_.now()}};
    if (!pure()) {
        if (!m.last_command_id.empty()) o["last_command_id"] = m.last_command_id, o["last_result"] = m.last_result;
        o["boot_id"] = boot_id_;
        o["boot_slot"] = std::string(1, m.active);
        o["counter"] = m.security_counter;
        o["uptime_s"] = world_.now() - booted_at_;
    }
    world_.publish("heartbeat", json::serialize(o), 1);
}

void device::status(std::string_view word, int progress) {
    auto const& m = disk_.memory();
    status({.word = word, .campaign_id = m.campaign_id, .command_id = m.command_id, .progress = progress});
}

void device::status(told const& t) {
    auto& m = mem();
    if (t.campaign_id.empty()) return;              // a status without a campaign says nothing
    json::object o{{"campaign_id", t.campaign_id}, {"status", t.word}, {"timestamp", world_.now()}};
    if (t.progress >= 0) o["progress"] = t.progress;
    if (!t.reason.empty()) o["error"] = t.reason;
    if (t.word == "rollback") {
        o["current_firmware"] = m.running();
        o["failed_firmware"] = m.version_of(m.inactive());
        o["error"] = plan_.fate == victim::reboot_loop ? "boot_loop" : "boot_failure";
    } else if (t.word == "completed") o["current_firmware"] = m.running();
    if (!pure()) {
        o["command_id"] = t.command_id;
        if (!t.reason.empty()) o["reason"] = t.reason;
        if (t.word == "downloading") o["bytes"] = disk_.written();
        o["seq"] = ++m.status_seq;
    }
    auto const text = json::serialize(o);
    // Progress that nobody hears is worth nothing later; the last word is.
    if (!world_.publish("status", text, 1) && t.progress < 0) untold_ = text;
}

void device::change_setting(std::string const& key, std::string const& value) {
    auto& m = mem();
    auto const old = m.settings.contains(key) ? m.settings[key] : std::string();
    m.settings[key] = value;
    disk_.save();
    world_.publish("notify", json::serialize(json::object{{"setting_changed", key}, {"old_value", old}, {"new_value", value}, {"timestamp", world_.now()}}), 1);
}

}
