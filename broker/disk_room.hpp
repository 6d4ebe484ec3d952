#pragma once
// The room on the disk as the broker speaks of it: limits from the configuration, lines in the log, metrics. What is refused
// when there is little is decided in storage/admit.hpp.

#include "broker/config/config.hpp"
#include "broker/log/metrics.hpp"
#include "storage/disk_watch.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace airmail {

/// What the configuration, which has been checked, says of the disk.
storage::disk_limits disk_limits_of(config::config const& c);
/// Raises an alert: its severity (warning, critical) and text. On the writer thread.
using disk_alarm = std::function<void(std::string_view severity, std::string const& text)>;
/// Gives it a voice: a line for each change of level and of the reserve, one now when there is little room already, and
/// an alert when a level begins.
void speak(storage::disk_watch& w, disk_alarm alarm);
/// Adds its metrics; `w` outlives them.
void measure(storage::disk_watch const& w, std::vector<metrics::probe>& to);

}
