#include "storage/replicate/redis_views.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/core.h>

namespace airmail::storage::replicate {
namespace {

std::string text(sqlite::value const& v) {
    if (auto const* s = std::get_if<std::string>(&v)) return *s;
    if (auto const* i = std::get_if<std::int64_t>(&v)) return std::to_string(*i);
    return {};
}
std::int64_t whole(sqlite::value const& v) {
    auto const* i = std::get_if<std::int64_t>(&v);
    return i ? *i : 0;
}

/// The document's way of writing JSON: a blank after each colon and comma.
class spaced {
public:
    spaced& text(std::string_view name, std::string_view v) { return put(name, quoted(v)); }
    spaced& number(std::string_view name, std::int64_t v) { return put(name, std::to_string(v)); }
    std::string str() const { return out_ + "}"; }
    std::string open() const { return out_; }

private:
    static std::string quoted(std::string_view v) { return boost::json::serialize(boost::json::string_view(v.data(), v.size())); }
    spaced& put(std::string_view name, std::string_view v) {
        out_ += out_.size() > 1 ? ", " : "";
        out_ += quoted(name);
        out_ += ": ";
        out_ += v;
        return *this;
    }
    std::string out_ = "{";
};

boost::json::object object_of(std::string const& json) {
    boost::system::error_code ec;
    auto v = boost::json::parse(json, ec);
    return !ec && v.is_object() ? std::move(v.get_object()) : boost::json::object{};
}
std::string field(boost::json::object const& o, char const* name) {
    auto const* v = o.if_contains(name);
    return v && v->is_string() ? std::string(v->get_string()) : std::string();
}
std::int64_t seconds(boost::json::object const& o, char const* name) {
    auto const* v = o.if_contains(name);
    return v && v->is_int64() ? v->get_int64() / 1000 : 0;
}

std::string first_of(std::string const& pk) {
    boost::system::error_code ec;
    auto const v = boost::json::parse(pk, ec);
    return !ec && v.is_array() && !v.get_array().empty() && v.get_array()[0].is_string() ? std::string(v.get_array()[0].get_string()) : std::string();
}

/// A row of campaign_events as the list shows it.
std::string campaign_event(boost::json::object const& o) {
    spaced s;
    s.number("at", seconds(o, "at")).text("event", field(o, "event")).text("campaign_id", field(o, "campaign_id"));
    for (auto const* name : {"serial_no", "from_status", "to_status", "stage", "reason"})
        if (auto v = field(o, name); !v.empty()) s.text(name, v);
    return s.str();
}
std::string alert_event(boost::json::object const& o) {
    return spaced().number("at", seconds(o, "at")).text("event", "alert").text("severity", field(o, "severity")).text("kind", field(o, "kind")).text("text", field(o, "text")).str();
}
std::string device_event(boost::json::object const& o) {
    return spaced().number("at", seconds(o, "created_at")).text("event", "registered").text("serial_no", field(o, "serial_no")).text("model", field(o, "model")).str();
}

}

void touched_keys::add(outbox_entry const& e) {
    if (e.table == "devices") {
        auto& op = devices[first_of(e.pk)];
        op = op == 'I' && e.op == 'U' ? 'I' : e.op;
        auto const o = object_of(e.row);
        if (e.op == 'D') gone.insert(e.device);
        if (e.op == 'I') events.emplace_back(e.seq, device_event(o));
    } else if (e.table == "device_configs") configs.insert(first_of(e.pk));
    else if (e.table == "campaigns") campaigns.insert(first_of(e.pk));
    else if (e.table == "campaign_events" && e.op == 'I') events.emplace_back(e.seq, campaign_event(object_of(e.row)));
    else if (e.table == "alerts" && e.op == 'I') events.emplace_back(e.seq, alert_event(object_of(e.row)));
}

void touched_keys::add(folded_entry const& e) {
    if (e.table == "devices") devices.emplace(first_of(e.pk), 'H');
}

redis_views::redis_views(sqlite::db& d) : db_(d) {
    auto has = [&](char const* name) { return db_.integer("SELECT count(*) FROM airmail_outbox_tables WHERE table_name = ?", {std::string(name)}) != 0; };
    devices_ = has("devices"), configs_ = devices_ && has("device_configs"), campaigns_ = has("campaigns"), events_ = has("campaign_events");
}

std::string device_json(device_facts const& f) {
    return spaced().text("serial_no", f.serial_no).text("model", f.model).text("fw", f.firmware).number("last_seen", f.last_seen_s).text("status", f.status).str();
}

std::string campaign_json(campaign_facts const& f) {
    spaced s;
    s.text("campaign_id", f.campaign_id).text("name", f.name).text("firmware_version", f.firmware_version).number("progress", f.total ? f.finished * 100 / f.total : 0).text("stage", f.stage).number("total", f.total);
    char const* names[] = {"pending", "downloading", "installing", "completed", "failed", "rollback"};
    for (std::size_t i = 0; i < f.counts.size(); ++i) s.number(names[i], f.counts[i]);
    return s.number("updated_at", f.updated_at_s).text("status", f.status).str();     // last, where the script looks for it
}

std::optional<redis_view> redis_views::device_where(char const* condition, std::string const& name, std::string event) {
    auto rows = db_.exec(std::string("SELECT serial_no, model, current_firmware, last_seen, status, ever_seen FROM devices WHERE ") + condition, {name});
    if (rows.empty() || whole(rows[0][5]) == 0) return std::nullopt;
    auto const& r = rows[0];
    redis_view v;
    v.key = "device:" + text(r[0]), v.life_s = device_life_s, v.channel = "device:updates", v.event = std::move(event), v.status = text(r[4]);
    v.value = device_json({text(r[0]), text(r[1]), text(r[2]), v.status, whole(r[3]) / 1000});
    return v;
}

std::optional<redis_view> redis_views::device(std::string const& id, std::string event) { return device_where("device_id = ?", id, std::move(event)); }

std::optional<redis_view> redis_views::device_called(std::string const& name) {
    if (!devices_) return std::nullopt;
    auto v = device_where("tenant = 0 AND serial_no = ?", name, "");
    return v ? v : device_where("device_id = ?", name, "");
}

std::optional<redis_view> redis_views::config(std::string const& id) {
    auto serial = db_.exec("SELECT serial_no FROM devices WHERE device_id = ?", {id});
    if (serial.empty()) return std::nullopt;
    spaced s;
    for (auto& r : db_.exec("SELECT config_key, config_value FROM device_configs WHERE device_id = ? AND reported = 1 ORDER BY config_key", {id})) s.text(text(r[0]), text(r[1]));
    redis_view v;
    v.key = "device:" + text(serial[0][0]) + ":config", v.value = s.str(), v.life_s = config_life_s;
    return v;
}

std::optional<redis_view> redis_views::campaign(std::string const& id) {
    if (!campaigns_) return std::nullopt;
    auto rows = db_.exec("SELECT name, status, stage, to_version, n_total, n_pending, n_downloading, n_installing, n_completed, n_failed, n_rollback, n_finished, updated_at"
                         " FROM campaigns WHERE campaign_id = ?", {id});
    redis_view v;
    v.key = "campaign:" + id, v.life_s = campaign_life_s, v.channel = "campaign:updates", v.event = "updated";
    if (rows.empty()) {
        v.event = "removed", v.notice = spaced().text("campaign_id", id).open();
        return v;
    }
    auto const& r = rows[0];
    v.status = text(r[1]);
    campaign_facts f{id, text(r[0]), text(r[3]), text(r[2]), v.status, whole(r[4]), whole(r[11]), {}, whole(r[12]) / 1000};
    for (std::size_t i = 0; i < f.counts.size(); ++i) f.counts[i] = whole(r[5 + i]);
    v.value = campaign_json(f);
    return v;
}

std::vector<redis_view> redis_views::of(touched_keys const& t) {
    std::vector<redis_view> out;
    for (auto const& [id, op] : t.devices) {
        if (!devices_ || op == 'D') continue;
        if (auto v = device(id, op == 'I' ? "registered" : op == 'H' ? "heartbeat" : "updated")) out.push_back(std::move(*v));
    }
    for (auto const& serial : t.gone)
        if (!devices_ || db_.integer("SELECT count(*) FROM devices WHERE serial_no = ?", {serial}) == 0)
            for (auto const* suffix : {"", ":config"}) {
                redis_view v;
                v.key = "device:" + serial + suffix;
                if (!*suffix) v.channel = "device:updates", v.event = "removed", v.notice = spaced().text("serial_no", serial).open();
                out.push_back(std::move(v));
            }
    if (configs_)
        for (auto const& id : t.configs)
            if (auto v = config(id)) out.push_back(std::move(*v));
    if (campaigns_)
        for (auto const& id : t.campaigns)
            if (auto v = campaign(id)) out.push_back(std::move(*v));
    return out;
}

std::vector<std::string> redis_views::living_devices(std::string const& after, std::int64_t now_ms, std::size_t max) {
    std::vector<std::string> out;
    if (!devices_) return out;
    for (auto& r : db_.exec("SELECT device_id FROM devices WHERE device_id > ?1 AND (status <> 'offline' OR updated_at > ?2) AND ever_seen = 1 ORDER BY device_id LIMIT ?3",
                            {after, now_ms - device_life_s * 1000, std::int64_t(max)}))
        out.push_back(text(r[0]));
    return out;
}

std::vector<std::pair<std::string, std::string>> redis_views::connected(std::string const& after, std::size_t max) {
    std::vector<std::pair<std::string, std::string>> out;
    if (!devices_) return out;
    for (auto& r : db_.exec("SELECT device_id, serial_no FROM devices WHERE device_id > ?1 AND status <> 'offline' AND ever_seen = 1 ORDER BY device_id LIMIT ?2", {after, std::int64_t(max)}))
        out.emplace_back(text(r[0]), text(r[1]));
    return out;
}

std::int64_t redis_views::connected_count() { return devices_ ? db_.integer("SELECT count(*) FROM devices WHERE status IN ('online', 'updating')") : 0; }

std::vector<std::string> redis_views::living_configs(std::int64_t now_ms) {
    std::vector<std::string> out;
    if (!configs_) return out;
    for (auto& r : db_.exec("SELECT DISTINCT device_id FROM device_configs WHERE updated_at > ?", {now_ms - config_life_s * 1000})) out.push_back(text(r[0]));
    return out;
}

std::vector<std::string> redis_views::living_campaigns(std::int64_t now_ms) {
    std::vector<std::string> out;
    if (!campaigns_) return out;
    for (auto& r : db_.exec("SELECT campaign_id FROM campaigns WHERE status = 'active' OR updated_at > ?", {now_ms - campaign_life_s * 1000})) out.push_back(text(r[0]));
    return out;
}

std::vector<std::string> redis_views::recent(std::size_t max) {
    std::vector<std::string> out;
    if (!events_) return out;
    for (auto& r : db_.exec("SELECT json_object('at', at, 'event', event, 'campaign_id', campaign_id, 'serial_no', serial_no, 'from_status', from_status, 'to_status', to_status,"
                            " 'stage', stage, 'reason', reason) FROM campaign_events ORDER BY event_id DESC LIMIT ?", {std::int64_t(max)}))
        out.push_back(campaign_event(object_of(text(r[0]))));
    return out;
}

}
