#pragma once
// The JSON of campaigns, rows and events (plugins/README.md).

#include "plugins/campaign/rows.hpp"

namespace airmail::plugins::campaign {

std::string campaign_json(campaign_row const& c, std::string_view extra = {});
std::string counters_json(counters const& n);
/// `now`, `wall`: to tell a deadline of the stored clock as a time for people.
std::string device_json(device_entry const& d, std::int64_t now, std::int64_t wall);
/// Columns as selected by `event_columns`.
std::string event_json(sdk::sql_row const& v);
inline constexpr std::string_view event_columns =
    "seq, campaign_id, at, event, serial_no, from_status, to_status, stage, reason, command_id, attempt, detail, event_id";

}
