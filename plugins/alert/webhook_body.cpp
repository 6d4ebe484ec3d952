#include "plugins/alert/webhook_body.hpp"

#include "plugins/kit/json_out.hpp"
#include "storage/firmware/encoding.hpp"

#include <array>
#include <ctime>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace airmail::plugins::alert {

using kit::json_array, kit::json_object;

namespace {

std::string rfc3339(std::int64_t ms) {
    std::time_t const t = static_cast<std::time_t>(ms / 1000);
    std::tm tm{};
    ::gmtime_r(&t, &tm);
    char text[24];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return text;
}

/// Slack's three control characters; a device's text must not become a link or a mention.
std::string for_slack(std::string_view s) {
    std::string out;
    for (char const c : s) out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
    return out;
}

std::string airmail_body(told_alert const& a) {
    json_object o;
    o.text("action", a.open() ? "raised" : "acknowledged").number("alert_id", a.alert_id).text("severity", a.severity).text("kind", a.kind);
    o.text_if("campaign_id", a.campaign_id).text_if("serial_no", a.serial_no).text("text", a.text).number("at", a.at_ms / 1000);
    if (!a.open()) o.number("acknowledged_at", a.acknowledged_ms / 1000).text("acknowledged_by", a.acknowledged_by);
    return o.str();
}

std::string slack_body(told_alert const& a, std::string_view source) {
    auto const head = a.open() ? a.severity : "acknowledged by " + a.acknowledged_by;
    auto const line = "*" + for_slack(head) + "* " + for_slack(a.text);
    auto const markdown = [](std::string const& s) { return json_object{}.text("type", "mrkdwn").text("text", s).str(); };
    std::string small = for_slack(a.kind) + " · " + for_slack(source);
    if (!a.campaign_id.empty()) small += " · campaign " + for_slack(a.campaign_id);
    if (!a.serial_no.empty()) small += " · device " + for_slack(a.serial_no);
    json_array blocks;
    blocks.add(json_object{}.text("type", "section").raw("text", markdown(line)).str());
    blocks.add(json_object{}.text("type", "context").raw("elements", json_array{}.add(markdown(small)).str()).str());
    return json_object{}.text("text", head + ": " + for_slack(a.text)).raw("blocks", blocks.str()).str();
}

std::string pagerduty_body(told_alert const& a, std::string_view source, std::string_view key) {
    json_object o;
    o.text("routing_key", key).text("event_action", a.open() ? "trigger" : "acknowledge").text("dedup_key", "airmail-" + std::string(source) + "-" + std::to_string(a.alert_id));
    if (!a.open()) return o.str();
    auto const details = json_object{}.text_if("campaign_id", a.campaign_id).text_if("serial_no", a.serial_no).str();
    return o.raw("payload", json_object{}.text("summary", a.text.substr(0, 1024)).text("source", source).text("severity", a.severity).text("timestamp", rfc3339(a.at_ms))
                                .text("component", "airmail").text("class", a.kind).raw("custom_details", details).str()).str();
}

std::string alertmanager_body(told_alert const& a, std::string_view source) {
    json_object labels, one;
    labels.text("alertname", "Airmail" + a.kind).text("severity", a.severity).text("kind", a.kind).text("instance", source).text("alert_id", std::to_string(a.alert_id));
    labels.text_if("campaign_id", a.campaign_id).text_if("serial_no", a.serial_no);
    one.raw("labels", labels.str()).raw("annotations", json_object{}.text("summary", a.text).str()).text("startsAt", rfc3339(a.at_ms));
    if (!a.open()) one.text("endsAt", rfc3339(a.acknowledged_ms));
    return json_array{}.add(one.str()).str();
}

}

std::optional<webhook_format> parse_format(std::string_view s) {
    if (s == "airmail" || s.empty()) return webhook_format::airmail;
    if (s == "slack") return webhook_format::slack;
    if (s == "pagerduty") return webhook_format::pagerduty;
    if (s == "alertmanager") return webhook_format::alertmanager;
    return std::nullopt;
}

std::string webhook_body(webhook_format f, told_alert const& a, std::string_view source, std::string_view key) {
    switch (f) {
    case webhook_format::slack: return slack_body(a, source);
    case webhook_format::pagerduty: return pagerduty_body(a, source, key);
    case webhook_format::alertmanager: return alertmanager_body(a, source);
    case webhook_format::airmail: break;
    }
    return airmail_body(a);
}

std::string webhook_signature(std::string_view secret, std::int64_t at, std::string_view body) {
    auto const text = std::to_string(at) + "." + std::string(body);
    std::array<std::uint8_t, 32> mac{};
    unsigned int n = 0;
    HMAC(EVP_sha256(), secret.data(), int(secret.size()), reinterpret_cast<unsigned char const*>(text.data()), text.size(), mac.data(), &n);
    return "t=" + std::to_string(at) + ",v1=" + storage::firmware::to_hex(mac);
}

}
