// The fleet as a whole, the broker itself, alerts, audit, people: what is not a device and not a campaign.
#include "plugins/dashboard/api/resolvers.hpp"

#include <boost/json/parse.hpp>
#include <charconv>
#include <chrono>
#include <map>

namespace airmail::dashboard {

namespace json = boost::json;
using graphql::field_error;

namespace {

constexpr std::string_view alert_columns = "SELECT alert_id, severity, kind, nullif(campaign_id, ''), nullif(serial_no, ''), text, count, at, last_at, acknowledged_at, acknowledged_by FROM alerts ";
const std::initializer_list<std::string_view> alert_names = {"alert_id", "severity", "kind", "campaign_id", "serial_no", "text", "count", "at~", "last_at~", "acknowledged_at~", "acknowledged_by"};

std::int64_t page_of(json::object const& a, std::int64_t otherwise) {
    auto n = number_of(a, "first", otherwise);
    if (n < 0 || n > 200) throw field_error("graphql.bad_argument", "first must be 0 to 200");
    return n;
}

/// `each(name, labels, value)` for every sample of an exposition.
template <class Each> void samples(std::string_view text, Each each) {
    while (!text.empty()) {
        auto end = text.find('\n');
        auto line = text.substr(0, end);
        text = end == text.npos ? std::string_view{} : text.substr(end + 1);
        if (line.empty() || line[0] == '#') continue;
        auto blank = line.rfind(' ');
        if (blank == line.npos) continue;
        auto name = line.substr(0, blank);
        std::string_view labels;
        if (auto brace = name.find('{'); brace != name.npos) labels = name.substr(brace), name = name.substr(0, brace);
        double v = 0;
        std::from_chars(line.data() + blank + 1, line.data() + line.size(), v);
        each(name, labels, v);
    }
}

/// Sums by name.
std::map<std::string, double, std::less<>> sums(std::string_view text) {
    std::map<std::string, double, std::less<>> out;
    samples(text, [&](std::string_view name, std::string_view, double v) { out[std::string{name}] += v; });
    return out;
}

constexpr std::int64_t for_long = 1'000'000'000;   // ms

double steady_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::string encoded(std::string_view s) {
    static constexpr char hex[] = "0123456789ABCDEF";
    std::string out;
    for (unsigned char c : s)
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.') out += static_cast<char>(c);
        else ((out += '%') += hex[c >> 4]) += hex[c & 15];
    return out;
}

/// Rates need two looks at the counters: the one before this one is kept beside the answer.
json::object rates(json::value const& before, std::map<std::string, double, std::less<>> const& now) {
    static constexpr std::pair<char const*, char const*> wanted[] = {{"messages_in_per_s", "airmail_handlers_publishes_received_total"}, {"messages_out_per_s", "airmail_router_publishes_sent_total"},
                                                                     {"bytes_in_per_s", "airmail_net_received_bytes_total"}, {"bytes_out_per_s", "airmail_net_sent_bytes_total"}};
    json::object out;
    auto at = steady_s();
    json::object seen{{"at", at}};
    for (auto [name, metric] : wanted) {
        auto found = now.find(metric);
        auto total = found == now.end() ? 0.0 : found->second;
        seen[name] = total;
        double rate = 0;
        if (auto const* old = before.is_object() ? before.get_object().if_contains("seen") : nullptr) {
            auto span = at - old->at("at").to_number<double>();
            if (span > 0.2) rate = (total - old->at(name).to_number<double>()) / span;
        }
        out[name] = rate < 0 ? 0 : rate;
    }
    out["seen"] = std::move(seen);
    return out;
}

}

json::value resolvers::fleet() {
    return s_.kept.get("fleet", 1000, [&] {
        json::object o{{"total", 0}, {"online", 0}, {"offline", 0}, {"updating", 0}, {"quarantined", 0}, {"blocked", 0}, {"never_seen", 0}};
        std::int64_t total = 0;
        // Counted through the index; what has no index (registration) is asked for apart and lives longer.
        for (auto const& r : db_.sql("SELECT status, count(*) FROM devices GROUP BY status")) {
            auto n = std::get<std::int64_t>(r[1]);
            o[std::get<std::string>(r[0])] = n, total += n;
        }
        o["total"] = total;
        auto rest = s_.kept.get("fleet registration", 10'000, [&] {
            return db_.object("SELECT coalesce(sum(registration = 'quarantined'), 0), coalesce(sum(registration = 'blocked'), 0), coalesce(sum(ever_seen = 0), 0) FROM devices", {}, {"quarantined", "blocked", "never_seen"});
        });
        for (auto const& m : rest.get_object()) o[m.key()] = m.value();
        o["versions"] = s_.kept.get("fleet versions", 5000, [&] {
            return json::value(db_.objects("SELECT model, current_firmware, count(*) FROM devices GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 100", {}, {"model", "version", "count"}));
        });
        auto ended = s_.kept.get("fleet updates", 5000, [&] {
            // campaign_devices has no index by time; campaigns that changed in the last day are few, and their counters are kept.
            return db_.object("SELECT coalesce(sum(d.status = 'completed'), 0), coalesce(sum(d.status IN ('failed', 'rollback')), 0) FROM campaigns c JOIN campaign_devices d ON d.campaign_id = c.campaign_id "
                              "WHERE c.updated_at > ?1 AND d.completed_at > ?1", {s_.wall_ms() - 86'400'000}, {"good", "bad"});
        });
        auto good = number_of(ended, "good"), bad = number_of(ended, "bad");
        o["updates_succeeded_24h"] = good, o["updates_failed_24h"] = bad;
        o["update_success_percent"] = good + bad ? json::value(static_cast<double>(good) * 100 / static_cast<double>(good + bad)) : json::value(nullptr);
        auto count = [&](char const* text) { return std::get<std::int64_t>(db_.sql(text).at(0).at(0)); };
        o["active_campaigns"] = count("SELECT count(*) FROM campaigns WHERE status = 'active'");
        o["open_alerts"] = count("SELECT count(*) FROM alerts WHERE acknowledged_at IS NULL");
        o["critical_alerts"] = count("SELECT count(*) FROM alerts WHERE acknowledged_at IS NULL AND severity = 'critical'");
        return json::value(std::move(o));
    });
}

json::value resolvers::broker() {
    auto out = s_.kept.get("broker", 1000, [&] {
        auto now = sums(s_.house.metrics());
        auto of = [&](char const* name) {
            auto at = now.find(name);
            return at == now.end() ? 0.0 : at->second;
        };
        auto whole = [&](char const* name) { return static_cast<std::int64_t>(of(name)); };
        auto before = s_.kept.get("broker rates", for_long, [] { return json::value(nullptr); });
        auto o = rates(before, now);
        s_.kept.forget("broker rates");
        s_.kept.get("broker rates", for_long, [&] { return json::value(o); });
        o["connections"] = whole("airmail_net_connections"), o["sessions"] = whole("airmail_session_sessions"), o["messages_dropped"] = whole("airmail_router_deliveries_dropped_total");
        o["queue_depth"] = whole("airmail_storage_queue_changes") + whole("airmail_host_queued_items"), o["store_used_bytes"] = whole("airmail_storage_used_bytes");
        o["http_connections"] = whole("airmail_admin_connections"), o["version"] = s_.house.version(), o["started_at"] = s_.started_at;
        return json::value(std::move(o));
    });
    auto& o = out.get_object();
    json::array trouble, listeners, certificates;
    auto text = s_.house.not_ready();
    for (std::size_t from = 0, end; (end = text.find('\n', from)) != text.npos; from = end + 1) trouble.emplace_back(text.substr(from, end - from));
    for (auto const& l : s_.house.listeners()) listeners.push_back(json::object{{"name", l.name}, {"address", l.address}, {"port", l.port}});
    for (auto const& c : s_.house.certificates())
        certificates.push_back(json::object{{"name", c.name}, {"subject", c.subject}, {"not_after", c.not_after}, {"days_left", (c.not_after - s_.wall_ms() / 1000) / 86'400}});
    o["ready"] = trouble.empty(), o["trouble"] = std::move(trouble), o["listeners"] = std::move(listeners), o["certificates"] = std::move(certificates);
    return out;
}

json::value resolvers::overview() { return json::object{{"at", s_.wall_ms() / 1000}, {"fleet", fleet()}, {"broker", broker()}}; }

json::value resolvers::q_overview(call const&) { return overview(); }
json::value resolvers::q_fleet(call const&) { return fleet(); }
json::value resolvers::q_broker(call const&) { return broker(); }

json::value resolvers::q_metrics(call const& f) {
    auto prefix = text_of(f.arguments, "prefix");
    json::array out;
    auto text = s_.house.metrics();
    samples(text, [&](std::string_view name, std::string_view labels, double v) {
        if (name.substr(0, prefix.size()) == prefix && out.size() < 1000) out.push_back(json::object{{"name", name}, {"labels", labels}, {"value", v}});
    });
    return out;
}

json::value resolvers::q_viewer(call const&) { return json::object{{"name", who_.name}, {"role", who_.role}, {"kind", who_.kind}}; }

json::value resolvers::q_sessions(call const& f) {
    std::string query = "limit=" + std::to_string(page_of(f.arguments, 100));
    if (auto only = text_of(f.arguments, "identity"); !only.empty()) query += "&identity=" + encoded(only);
    auto said = ask_rest("GET", "/api/v1/sessions", query);
    return json::object{{"nodes", said.at("sessions")}, {"totalCount", said.at("total")}};
}

json::value resolvers::q_acl(call const& f) {
    std::string query = "identity=" + encoded(text_of(f.arguments, "identity")) + "&action=" + lower(text_of(f.arguments, "action")) + "&topic=" + encoded(text_of(f.arguments, "topic"));
    query += "&client_id=" + encoded(text_of(f.arguments, "clientId")) + "&role=" + encoded(text_of(f.arguments, "role"));
    return ask_rest("GET", "/api/v1/acl/explain", query);
}

json::value resolvers::q_alerts(call const& f) {
    auto const* open = f.arguments.if_contains("open");
    bool const only_open = open && open->is_bool() && open->get_bool();
    return db_.objects(std::string{alert_columns} + "WHERE (?1 = 0 OR acknowledged_at IS NULL) ORDER BY alert_id DESC LIMIT ?2", {std::int64_t{only_open}, page_of(f.arguments, 50)}, alert_names);
}

json::value resolvers::device_alerts(call const& f) {
    auto const* open = f.arguments.if_contains("open");
    bool const only_open = open && open->is_bool() && open->get_bool();
    return db_.objects(std::string{alert_columns} + "WHERE serial_no = ?1 AND (?2 = 0 OR acknowledged_at IS NULL) ORDER BY alert_id DESC LIMIT ?3",
                       {text_of(f.parent, "serial_no"), std::int64_t{only_open}, page_of(f.arguments, 20)}, alert_names);
}

json::value resolvers::alert(std::int64_t id) { return db_.object(std::string{alert_columns} + "WHERE alert_id = ?", {id}, alert_names); }
json::value resolvers::alert_campaign(call const& f) {
    auto id = text_of(f.parent, "campaign_id");
    return id.empty() ? json::value(nullptr) : campaign(id);
}
json::value resolvers::alert_device(call const& f) {
    auto id = text_of(f.parent, "serial_no");
    return id.empty() ? json::value(nullptr) : device(id);
}

json::value resolvers::q_audit(call const& f) {
    auto page = page_of(f.arguments, 50);
    auto after = number_of(f.arguments, "after", INT64_MAX);
    auto rows = db_.objects("SELECT seq, at_ms, actor, role, action, target, outcome, detail, request_id FROM audit_log WHERE seq < ?1 AND (?2 = '' OR actor = ?2) AND (?3 = '' OR action = ?3) AND "
                            "(?4 = '' OR target = ?4) ORDER BY seq DESC LIMIT ?5",
                            {after, text_of(f.arguments, "actor"), text_of(f.arguments, "action"), text_of(f.arguments, "target"), page + 1},
                            {"seq", "at~", "actor", "role", "action", "target", "outcome", "detail{", "request_id"});
    return connection(std::move(rows), static_cast<std::size_t>(page), "seq", after != INT64_MAX);
}

json::value resolvers::q_audit_verify(call const&) {
    auto v = ask_rest("GET", "/api/v1/audit/verify", {});
    if (v.at("intact").as_bool()) v.get_object()["first_bad_seq"] = nullptr;
    return v;
}

json::value resolvers::q_users(call const&) {
    json::array out;
    for (auto const& u : s_.users.all())
        out.push_back(json::object{{"user_id", u.id}, {"name", u.name}, {"role", u.role}, {"disabled", u.disabled}, {"created_at", u.created_at / 1000}, {"updated_at", u.updated_at / 1000}});
    return out;
}

json::value resolvers::q_keys(call const&) { return ask_rest("GET", "/api/v1/keys", {}).at("keys"); }

json::value resolvers::q_configuration(call const& f) {
    auto prefix = text_of(f.arguments, "prefix");
    json::array out;
    for (auto const& e : s_.house.settings())
        if (e.key.substr(0, prefix.size()) == prefix) out.push_back(json::object{{"key", e.key}, {"value", e.value}, {"written", e.written}, {"unit", e.unit}, {"doc", e.doc}});
    return out;
}

json::value resolvers::q_call(call const& f) {
    auto name = text_of(f.arguments, "method");
    for (auto const& m : s_.house.methods())
        if (m.name == name) {
            if (m.verb != "GET") throw field_error("auth.forbidden", name + " changes something; use the mutation call");
            return m_call(f);
        }
    throw field_error("host.no_such_method", "no method " + name);
}

json::value resolvers::m_call(call const& f) {
    auto const* p = f.arguments.if_contains("params");
    if (p && !p->is_null() && !p->is_object()) throw field_error("graphql.bad_argument", "params must be an object");
    return ask(text_of(f.arguments, "method"), p && p->is_object() ? p->get_object() : json::object{});
}

}
