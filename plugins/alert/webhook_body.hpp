#pragma once
// What a webhook is told of an alert, in the words of whoever listens. Pure.
//   airmail       the alert's own JSON with "action", signed: X-Airmail-Signature: t=<unix>,v1=<hex HMAC-SHA256 of "t.body">
//   slack         incoming webhook: text and blocks
//   pagerduty     Events API v2: trigger, acknowledge; dedup_key = the alert's id
//   alertmanager  POST /api/v2/alerts: labels, annotations, startsAt, endsAt

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace airmail::plugins::alert {

enum class webhook_format { airmail, slack, pagerduty, alertmanager };
/// Nullopt: not one of the four words.
std::optional<webhook_format> parse_format(std::string_view s);

struct told_alert {
    std::int64_t alert_id = 0, at_ms = 0, acknowledged_ms = 0;     // 0: open
    std::string severity, kind, campaign_id, serial_no, text, acknowledged_by;
    bool open() const { return acknowledged_ms == 0; }
};

/// @param source  who speaks: this node's name  @param key  PagerDuty's routing key, else unused
std::string webhook_body(webhook_format f, told_alert const& a, std::string_view source, std::string_view key);
/// The signature header's value. @param at unix seconds
std::string webhook_signature(std::string_view secret, std::int64_t at, std::string_view body);

}
