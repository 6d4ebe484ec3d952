#include "plugins/campaign/rows.hpp"

#include "plugins/kit/row.hpp"

namespace airmail::plugins::campaign {

using kit::integer, kit::text, kit::txt, kit::or_null;

namespace {

enum flag : std::int64_t {
    f_issued = 1, f_connected = 2, f_cancel = 4, f_superseded = 8, f_too_late = 16, f_installed_anyway = 32, f_anomaly = 64, f_suspect = 128,
    f_old_seen = 256, f_retry = 512,
};

std::int64_t flags_of(device_row const& r) {
    auto bit = [](bool b, flag f) -> std::int64_t { return b ? std::int64_t{f} : 0; };
    return bit(r.issued, f_issued) | bit(r.connected, f_connected) | bit(r.cancel_requested, f_cancel) | bit(r.superseded, f_superseded) |
           bit(r.too_late, f_too_late) | bit(r.installed_anyway, f_installed_anyway) | bit(r.anomaly, f_anomaly) | bit(r.suspect, f_suspect) |
           bit(r.old_seen, f_old_seen) | bit(r.retry_pending, f_retry);
}

void take_flags(device_row& r, std::int64_t f) {
    r.issued = f & f_issued, r.connected = f & f_connected, r.cancel_requested = f & f_cancel, r.superseded = f & f_superseded;
    r.too_late = f & f_too_late, r.installed_anyway = f & f_installed_anyway, r.anomaly = f & f_anomaly, r.suspect = f & f_suspect;
    r.old_seen = f & f_old_seen, r.retry_pending = f & f_retry;
}

constexpr std::string_view device_columns =
    "c.rowid, c.campaign_id, c.device_id, c.serial_no, c.command_id, c.from_version, c.to_version, c.error_message, c.failed_version, "
    "c.traceparent, c.bucket, c.started_at, c.updated_at, c.completed_at, c.stage, c.reason, c.attempt, c.rev, c.flags, c.resends, "
    "c.heartbeats, c.loops, c.loop_since, c.last_new_at, c.connection, c.deadline_at, c.remaining_ms, c.ended_ms, c.progress, c.bytes, "
    "d.current_firmware, d.model, d.registration";

device_entry to_entry(sdk::sql_row const& v) {
    device_entry e;
    std::size_t i = 0;
    auto num = [&] { return integer(v[i++]); };
    auto str = [&] { return std::string{text(v[i++])}; };
    e.rowid = num(), e.campaign_id = str(), e.device_id = str(), e.serial_no = str(), e.command_id = str(), e.from_version = str();
    e.to_version = str(), e.error_message = str(), e.failed_version = str(), e.traceparent = str();
    e.bucket = num(), e.started_at = num(), e.updated_at = num(), e.completed_at = num();
    auto& r = e.row;
    r.at = stage_named(str()).value_or(stage::waiting), r.why = reason_named(str()).value_or(reason::unspecified);
    r.attempt = static_cast<std::uint32_t>(num()), r.rev = static_cast<std::uint32_t>(num());
    take_flags(r, num());
    r.resends = static_cast<std::uint8_t>(num()), r.heartbeats = static_cast<std::uint8_t>(num()), r.loops = static_cast<std::uint8_t>(num());
    r.loop_since = num(), r.last_new_at = num(), r.connection = static_cast<std::uint64_t>(num());
    r.deadline_at = num(), r.remaining = num(), r.completed_at = num(), r.progress = static_cast<int>(num());
    r.bytes = static_cast<std::uint64_t>(num());
    e.current_version = str(), e.model = str(), e.registration = str();
    return e;
}

}

void counters::add(device_row const& r, std::int64_t sign) {
    by_status[static_cast<int>(status_of(r.at))] += sign;
    total += sign;
    if (campaign::in_flight(r)) in_flight += sign;
    if (!terminal(r)) return;
    finished += sign;
    if (status_of(r.at) == status::failed && !counts_as_failure(r.why)) not_counting += sign;
}

std::optional<campaign_row> load_campaign(sdk::context& ctx, std::string_view id) {
    auto rows = ctx.sql("SELECT campaign_id, name, firmware_id, target_criteria, status, stage, reason, created_by, to_version, phases, traceparent, "
                        "created_at, updated_at, started_at, completed_at, start_at, expires_at, phase, phase_since, salt, max_in_flight, "
                        "rate_per_min, seq, dynamic, allow_downgrade, supersedes, n_total, n_finished, n_not_counting, n_in_flight, n_pending, "
                        "n_downloading, n_installing, n_completed, n_failed, n_rollback, auto_stop, stop_score, priority, rate_bytes_s, windows, "
                        "zone, approved_by, reverts FROM campaigns WHERE campaign_id = ?", {txt(id)});
    if (rows.empty()) return std::nullopt;
    auto const& v = rows[0];
    campaign_row c;
    std::size_t i = 0;
    for (auto* s : {&c.id, &c.name, &c.firmware_id, &c.target_criteria, &c.status, &c.stage, &c.reason, &c.created_by, &c.to_version,
                    &c.phases_text, &c.traceparent})
        *s = text(v[i++]);
    for (auto* n : {&c.created_at, &c.updated_at, &c.started_at, &c.completed_at, &c.start_at, &c.expires_at, &c.phase, &c.phase_since,
                    &c.salt, &c.max_in_flight, &c.rate_per_min, &c.seq})
        *n = integer(v[i++]);
    c.dynamic = integer(v[i++]) != 0, c.allow_downgrade = integer(v[i++]) != 0, c.supersedes = integer(v[i++]) != 0;
    for (auto* n : {&c.n.total, &c.n.finished, &c.n.not_counting, &c.n.in_flight}) *n = integer(v[i++]);
    for (auto& n : c.n.by_status) n = integer(v[i++]);
    c.auto_stop = integer(v[i++]) != 0;
    if (auto score = std::get_if<double>(&v[i])) c.stop_score = *score;
    ++i;
    c.priority = integer(v[i++]), c.rate_bytes_s = integer(v[i++]);
    for (auto* s : {&c.windows_text, &c.zone, &c.approved_by, &c.reverts}) *s = text(v[i++]);
    std::string why;
    c.windows = parse_windows(c.windows_text, why).value_or(std::vector<window>{});
    c.phases = parse_phases(c.phases_text, 0, 0, why).value_or(std::vector<phase>{{}});
    if (c.phase < 0 || static_cast<std::size_t>(c.phase) >= c.phases.size()) c.phase = static_cast<std::int64_t>(c.phases.size()) - 1;
    return c;
}

void save_campaign(sdk::context& ctx, campaign_row const& c) {
    ctx.sql("UPDATE campaigns SET status = ?, stage = ?, reason = ?, updated_at = ?, started_at = ?, completed_at = ?, phase = ?, phase_since = ?, "
            "seq = ?, n_total = ?, n_finished = ?, n_not_counting = ?, n_in_flight = ?, n_pending = ?, n_downloading = ?, n_installing = ?, "
            "n_completed = ?, n_failed = ?, n_rollback = ?, stop_score = ?, approved_by = ? WHERE campaign_id = ?",
            {c.status, c.stage, c.reason, c.updated_at, or_null(c.started_at), or_null(c.completed_at), c.phase, c.phase_since, c.seq,
             c.n.total, c.n.finished, c.n.not_counting, c.n.in_flight, c.n.by_status[0], c.n.by_status[1], c.n.by_status[2],
             c.n.by_status[3], c.n.by_status[4], c.n.by_status[5], c.stop_score, c.approved_by, c.id});
}

void insert_campaign(sdk::context& ctx, campaign_row const& c) {
    ctx.sql("INSERT INTO campaigns(campaign_id, name, firmware_id, target_criteria, status, stage, created_by, created_at, updated_at, start_at, "
            "expires_at, to_version, phases, salt, max_in_flight, rate_per_min, dynamic, allow_downgrade, supersedes, auto_stop, priority, rate_bytes_s, windows, zone, "
            "reverts, traceparent) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            {c.id, c.name, c.firmware_id, c.target_criteria, c.status, c.stage, c.created_by, c.created_at, c.updated_at, or_null(c.start_at),
             or_null(c.expires_at), c.to_version, c.phases_text, c.salt, c.max_in_flight, c.rate_per_min, std::int64_t{c.dynamic},
             std::int64_t{c.allow_downgrade}, std::int64_t{c.supersedes}, std::int64_t{c.auto_stop}, c.priority, c.rate_bytes_s, c.windows_text, c.zone,
             c.reverts, c.traceparent});
}

std::vector<device_entry> load_devices(sdk::context& ctx, std::string_view where, std::vector<sdk::sql_value> const& params) {
    std::string sql = "SELECT ";
    ((sql += device_columns) += " FROM campaign_devices c LEFT JOIN devices d ON d.device_id = c.device_id WHERE ") += where;
    std::vector<device_entry> out;
    for (auto const& row : ctx.sql(sql, params)) out.push_back(to_entry(row));
    return out;
}

std::optional<device_entry> load_device(sdk::context& ctx, std::string_view campaign_id, std::string_view serial_no) {
    auto rows = load_devices(ctx, "c.campaign_id = ? AND c.serial_no = ?", {txt(campaign_id), txt(serial_no)});
    if (rows.empty()) return std::nullopt;
    return std::move(rows[0]);
}

void save_device(sdk::context& ctx, device_entry const& d) {
    auto const& r = d.row;
    ctx.sql("UPDATE campaign_devices SET status = ?, stage = ?, reason = ?, attempt = ?, rev = ?, rank = ?, live = ?, flags = ?, resends = ?, "
            "heartbeats = ?, loops = ?, loop_since = ?, last_new_at = ?, connection = ?, deadline_at = ?, remaining_ms = ?, ended_ms = ?, "
            "progress = ?, bytes = ?, command_id = ?, from_version = ?, error_message = ?, failed_version = ?, started_at = ?, "
            "completed_at = ?, updated_at = ?, traceparent = ? WHERE rowid = ?",
            {txt(name_of(status_of(r.at))), txt(name_of(r.at)), txt(name_of(r.why)), std::int64_t{r.attempt}, std::int64_t{r.rev},
             std::int64_t{rank_of(r.at)}, std::int64_t{!terminal(r)}, flags_of(r), std::int64_t{r.resends}, std::int64_t{r.heartbeats},
             std::int64_t{r.loops}, r.loop_since, r.last_new_at, static_cast<std::int64_t>(r.connection), r.deadline_at, r.remaining,
             r.completed_at, std::int64_t{r.progress}, static_cast<std::int64_t>(r.bytes), or_null(d.command_id), d.from_version,
             or_null(d.error_message), or_null(d.failed_version), or_null(d.started_at), or_null(d.completed_at), d.updated_at,
             d.traceparent, d.rowid});
}

counters recount(sdk::context& ctx, std::string_view campaign_id) {
    counters n;
    for (auto const& v : ctx.sql("SELECT stage, reason, flags, count(*) FROM campaign_devices WHERE campaign_id = ? GROUP BY 1, 2, 3", {txt(campaign_id)})) {
        device_row r;
        r.at = stage_named(text(v[0])).value_or(stage::waiting), r.why = reason_named(text(v[1])).value_or(reason::unspecified);
        take_flags(r, integer(v[2]));
        n.add(r, integer(v[3]));
    }
    return n;
}

}
