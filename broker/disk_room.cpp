#include "broker/disk_room.hpp"

#include "broker/config/value.hpp"
#include "broker/log/log.hpp"

namespace airmail {
namespace {

using storage::disk_level;

std::string sentence(disk_level l, std::string const& words) {
    if (l == disk_level::refuse) return "the disk is nearly full: " + words + ". Messages for sessions and retained ones are refused (0x97); QoS 0, what only plugins take, and reading go on";
    return "the disk is all but full: " + words + ". Only acknowledgements, removals and sessions that come back are stored; QoS 0 and reading go on";
}

void tell(disk_level l, std::string const& words) {
    switch (l) {
    case disk_level::plenty: return log::info("store", {}, "the disk has room again: all messages are taken");
    case disk_level::refuse: return log::warn("store", {}, "{}", sentence(l, words));
    case disk_level::readonly: return log::error("store", {}, "{}", sentence(l, words));
    }
}

storage::disk_floor floor_of(config::config const& c, std::string_view name) {
    auto const r = config::to_room(c.text(name));   // checked when it was read
    return {.percent = r->percent, .bytes = r->bytes};
}

}

storage::disk_limits disk_limits_of(config::config const& c) {
    return {.refuse = floor_of(c, "limit_disk_refuse"), .readonly = floor_of(c, "limit_disk_readonly"), .reserve = c.size("limit_disk_reserve")};
}

void speak(storage::disk_watch& w, disk_alarm alarm) {
    w.on_change = [alarm = std::move(alarm)](disk_level l, std::string const& words) {
        tell(l, words);
        if (l != disk_level::plenty) alarm(l == disk_level::refuse ? "warning" : "critical", sentence(l, words));
    };
    w.on_reserve = [](std::string const& line) { log::info("store", {}, "{}", line); };
    if (w.level() != disk_level::plenty) tell(w.level(), w.trouble());
}

void measure(storage::disk_watch const& w, std::vector<metrics::probe>& to) {
    using metrics::kind;
    auto const part = [&w](auto member) { return [&w, member] { return static_cast<double>(w.now().*member); }; };
    using r = storage::disk_watch::report;
    to.emplace_back(kind::gauge, "airmail_storage_disk_total_bytes", "Size of the file system that holds store_path.", part(&r::total));
    to.emplace_back(kind::gauge, "airmail_storage_disk_free_bytes", "What is free on it for the broker.", part(&r::free));
    to.emplace_back(kind::gauge, "airmail_storage_disk_room_bytes", "What limit_disk_refuse and limit_disk_readonly look at: free, with the hot store's own empty pages, without what the reserve lacks.", part(&r::room));
    to.emplace_back(kind::gauge, "airmail_storage_disk_level", "0 plenty, 1 below limit_disk_refuse, 2 below limit_disk_readonly.", part(&r::level));
    to.emplace_back(kind::gauge, "airmail_storage_disk_reserve_bytes", "Kept back now (limit_disk_reserve).", part(&r::reserve));
    to.emplace_back(kind::counter, "airmail_storage_disk_refused_total", "Changes that were not stored because the disk had little room.", part(&r::refused));
}

}
