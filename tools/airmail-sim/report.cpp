// The book of a run, by which tools/demo judges it.
#include "tools/airmail-sim/fleet.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <cstdio>
#include <fmt/format.h>
#include <fstream>

namespace airmail::sim {

namespace json = boost::json;

namespace {

json::object entry_of(unit const& u) {
    auto const& m = u.disk().memory();
    auto const& p = u.machine().plan();
    auto const& n = u.machine().counted();
    std::uint64_t most = 0;
    for (auto const& [id, times] : m.slot_writes) most = std::max(most, times);
    return {{"serial_no", p.serial}, {"model", p.model}, {"victim", name_of(p.fate)}, {"version", m.running()}, {"active_slot", std::string(1, m.active)},
            {"active_path", u.disk().active_path()}, {"active_sha256", u.disk().digest_of(m.active)}, {"ended", u.machine().ended()}, {"last_result", m.last_result},
            {"last_command_id", m.last_command_id}, {"security_counter", m.security_counter}, {"boots", m.boots}, {"command_ids", json::value_from(m.command_ids)},
            {"slot_writes", json::value_from(m.slot_writes)}, {"slot_writes_most", most}, {"commands", n.commands}, {"duplicates", n.duplicates}, {"stale", n.stale},
            {"bad_commands", n.bad_commands}, {"unknown_commands", n.unknown_commands}, {"downloads", n.downloads}, {"resumes", n.resumes}, {"retries", n.retries},
            {"images", n.images}, {"bytes", n.bytes}};
}

}

void fleet::write_report() const {
    json::array list;
    device_counts sum;
    std::size_t ended = 0;
    for (auto const& u : units_) {
        auto const& n = u->machine().counted();
        sum.commands += n.commands, sum.duplicates += n.duplicates, sum.stale += n.stale, sum.downloads += n.downloads, sum.resumes += n.resumes;
        sum.retries += n.retries, sum.images += n.images, sum.bytes += n.bytes;
        ended += u->machine().ended();
        if (!set_.report.empty()) list.push_back(entry_of(*u));
    }
    json::object o{{"seed", set_.seed}, {"device_count", units_.size()}, {"ended", ended}, {"images", sum.images}, {"bytes", sum.bytes}, {"commands", sum.commands},
                   {"duplicates", sum.duplicates}, {"stale", sum.stale}, {"downloads", sum.downloads}, {"resumes", sum.resumes}, {"retries", sum.retries},
                   {"connects", around_->connects}, {"refused", around_->refused}, {"closed", around_->closed}, {"subscribe_failures", around_->subscribe_failures},
                   {"publish_failures", around_->publish_failures}};
    fmt::print("{}\n", json::serialize(o));
    if (set_.report.empty()) return;
    o["devices"] = std::move(list);
    // Whole or not at all: somebody may be waiting for it.
    auto const fresh = set_.report + ".new";
    std::ofstream out(fresh, std::ios::trunc);
    out << json::serialize(o) << '\n';
    out.close();
    if (!out || std::rename(fresh.c_str(), set_.report.c_str()) != 0) fmt::print(stderr, "airmail-sim: cannot write {}\n", set_.report);
}

}
