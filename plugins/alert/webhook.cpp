#include "plugins/alert/webhook.hpp"

#include "plugins/kit/row.hpp"
#include "storage/firmware/files.hpp"
#include "storage/firmware/sigv4.hpp"

#include <algorithm>
#include <stdexcept>
#include <unistd.h>

namespace airmail::plugins::alert {

namespace fw = storage::firmware;
using kit::integer, kit::text;

namespace {

constexpr char waiting_1[] = R"(CREATE TABLE alert_webhook(
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    alert_id INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    tries    INTEGER NOT NULL DEFAULT 0,
    next_at  INTEGER NOT NULL DEFAULT 0
) STRICT;)";

constexpr std::int64_t waiting_max = 1000, look_busy = 200, look_waiting = 1000, retry_first = 10'000, retry_most = 600'000, given_up_after = 86'400'000;

/// A file of ours, its last line end taken off.
std::string secret_of(char const* setting, std::string const& file) {
    auto read = fw::read_small_file(file, fw::secrecy::owner_only, 4096);
    if (!read) throw std::runtime_error(std::string(setting) + " " + file + ": " + read.error().message());
    while (!read->empty() && (read->back() == '\n' || read->back() == '\r' || read->back() == ' ')) read->pop_back();
    if (read->empty()) throw std::runtime_error(std::string(setting) + " " + file + ": the file is empty");
    return *read;
}

}

sdk::table_decl webhook::table() { return {"alert_webhook", "id", false, {waiting_1}}; }

std::vector<sdk::metric_decl> webhook::metrics() {
    return {{"airmail_alert_webhook_sent_total", "alerts that the webhook has taken"}, {"airmail_alert_webhook_failures_total", "posts to the webhook that failed and are tried again"},
            {"airmail_alert_webhook_dropped_total", "alerts that were given up: too many waiting, or a day of failures"}};
}

void webhook::configure() {
    auto url = ctx_.option("ota_alert_webhook");
    if (url.empty()) return;
    // Slack's address is itself the secret.
    if (url.starts_with("file:")) url = secret_of("ota_alert_webhook", url.substr(5));
    auto const format = parse_format(ctx_.option("ota_alert_webhook_format"));
    if (!format) throw std::runtime_error("ota_alert_webhook_format: must be airmail, slack, pagerduty or alertmanager");
    auto const slash = url.find('/', url.find("://") == url.npos ? 0 : url.find("://") + 3);
    auto const place = fw::object_place::parse(std::string_view(url).substr(0, slash));
    if (!place) throw std::runtime_error("ota_alert_webhook: must be https://host/path, or file:/path of a file that holds it");
    bool const inside = ctx_.option("ota_alert_webhook_inside") == "true";
    if (!place->tls && !inside) throw std::runtime_error("ota_alert_webhook: must be https:// (http:// needs ota_alert_webhook_inside true)");
    server_ = {.tls = place->tls, .host = place->host, .port = place->port, .ca_file = ctx_.option("ota_alert_webhook_cafile"), .public_only = !inside};
    path_ = slash == url.npos ? "/" : url.substr(slash);
    if (auto file = ctx_.option("ota_alert_webhook_key"); !file.empty()) secret_ = secret_of("ota_alert_webhook_key", file);
    if (*format == webhook_format::pagerduty && secret_.empty()) throw std::runtime_error("ota_alert_webhook_key is not set: PagerDuty's routing key, in a file (0600)");
    char name[256] = {};
    source_ = ::gethostname(name, sizeof name - 1) == 0 && name[0] ? name : "airmail";
    format_ = format;
}

void webhook::start() {
    if (!on()) return;
    client_ = std::make_unique<outbound::web_client>(server_);
    errand_ = std::make_unique<outbound::errand>("airmail-webhook");
}

void webhook::stop() {
    if (client_) client_->stop();
    errand_.reset(), client_.reset();
}

void webhook::tell(std::int64_t alert_id) {
    if (!on()) return;
    ctx_.sql("INSERT INTO alert_webhook(alert_id, at) VALUES(?, ?)", {alert_id, ctx_.wall()});
    ctx_.sql("DELETE FROM alert_webhook WHERE id IN (SELECT id FROM alert_webhook ORDER BY id DESC LIMIT -1 OFFSET ?)", {waiting_max});
    if (auto const gone = ctx_.changes(); gone > 0) ctx_.metric_add("airmail_alert_webhook_dropped_total", static_cast<double>(gone));
}

std::int64_t webhook::look() {
    if (!errand_) return 0;
    if (auto done = errand_->take()) settle(*done);
    if (!errand_->busy()) next();
    if (errand_->busy()) return look_busy;
    return ctx_.sql("SELECT 1 FROM alert_webhook LIMIT 1").empty() ? 0 : look_waiting;
}

void webhook::settle(std::string const& why) {
    if (why.empty()) {
        ctx_.metric_add("airmail_alert_webhook_sent_total", 1);
        ctx_.sql("DELETE FROM alert_webhook WHERE id = ?", {row_});
        return;
    }
    ctx_.metric_add("airmail_alert_webhook_failures_total", 1);
    auto const rows = ctx_.sql("SELECT tries, at FROM alert_webhook WHERE id = ?", {row_});
    if (rows.empty()) return;
    auto const tries = integer(rows[0][0]);
    if (tries == 0) ctx_.log(sdk::level::warn, "alert webhook: " + why);
    if (ctx_.wall() - integer(rows[0][1]) > given_up_after) {
        ctx_.metric_add("airmail_alert_webhook_dropped_total", 1);
        ctx_.sql("DELETE FROM alert_webhook WHERE id = ?", {row_});
        return;
    }
    auto const wait = std::min(retry_first << std::min<std::int64_t>(tries, 6), retry_most);
    ctx_.sql("UPDATE alert_webhook SET tries = tries + 1, next_at = ? WHERE id = ?", {ctx_.wall() + wait, row_});
}

void webhook::next() {
    auto const rows = ctx_.sql("SELECT w.id, a.alert_id, a.severity, a.kind, a.campaign_id, a.serial_no, a.text, a.at, coalesce(a.acknowledged_at, 0), coalesce(a.acknowledged_by, '') "
                               "FROM alert_webhook w JOIN alerts a ON a.alert_id = w.alert_id WHERE w.next_at <= ? ORDER BY w.id LIMIT 1", {ctx_.wall()});
    if (rows.empty()) return;
    auto const& v = rows[0];
    row_ = integer(v[0]);
    told_alert a{integer(v[1]), integer(v[7]), integer(v[8])};
    a.severity = text(v[2]), a.kind = text(v[3]), a.campaign_id = text(v[4]), a.serial_no = text(v[5]), a.text = text(v[6]), a.acknowledged_by = text(v[9]);
    auto host = server_.host;
    if (!server_.port.empty()) host += ":" + server_.port;
    outbound::web_ask ask{.verb = "POST", .target = path_, .headers = {{"host", host}, {"content-type", "application/json"}, {"user-agent", "airmail"}}, .body = webhook_body(*format_, a, source_, secret_)};
    if (*format_ == webhook_format::airmail && !secret_.empty()) ask.headers.emplace_back("x-airmail-signature", webhook_signature(secret_, ctx_.wall() / 1000, ask.body));
    errand_->begin([c = client_.get(), ask = std::move(ask)]() -> std::string {
        auto const answer = c->ask(ask);
        if (answer.status == 0) return answer.trouble;
        return answer.status / 100 == 2 ? std::string{} : "the receiver answers " + std::to_string(answer.status);
    });
}

}
