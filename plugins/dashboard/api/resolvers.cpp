#include "plugins/dashboard/api/resolvers.hpp"

#include "storage/sqlite/db.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <future>

namespace airmail::dashboard {

namespace json = boost::json;
using graphql::field_error;

std::string text_of(json::value const& v) { return v.is_string() ? std::string{v.get_string().data(), v.get_string().size()} : std::string{}; }
std::string text_of(json::object const& o, std::string_view key) {
    auto const* v = o.if_contains(key);
    return v ? text_of(*v) : std::string{};
}
std::string text_of(json::value const& o, std::string_view key) { return o.is_object() ? text_of(o.get_object(), key) : std::string{}; }
std::int64_t number_of(json::object const& o, std::string_view key, std::int64_t otherwise) {
    auto const* v = o.if_contains(key);
    return v && v->is_int64() ? v->get_int64() : v && v->is_double() ? static_cast<std::int64_t>(v->get_double()) : otherwise;
}
std::int64_t number_of(json::value const& o, std::string_view key, std::int64_t otherwise) { return o.is_object() ? number_of(o.get_object(), key, otherwise) : otherwise; }

std::string lower(std::string s) {
    for (auto& c : s)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return s;
}

int rank(std::string_view role) { return role == "admin" ? 3 : role == "operator" ? 2 : role == "viewer" ? 1 : 0; }

json::object connection(json::array rows, std::size_t page, std::string_view cursor, bool had_before) {
    bool const more = rows.size() > page;
    if (more) rows.resize(page);
    json::array edges;
    auto cursor_of = [&](json::value const& n) {
        auto const* v = n.get_object().if_contains(cursor);
        return !v ? std::string{} : v->is_int64() ? std::to_string(v->get_int64()) : text_of(*v);
    };
    for (auto const& n : rows) edges.push_back(json::object{{"cursor", cursor_of(n)}, {"node", n}});
    json::object info{{"hasNextPage", more}, {"hasPreviousPage", had_before}, {"startCursor", nullptr}, {"endCursor", nullptr}};
    if (!rows.empty()) info["startCursor"] = cursor_of(rows.front()), info["endCursor"] = cursor_of(rows.back());
    return {{"nodes", std::move(rows)}, {"edges", std::move(edges)}, {"pageInfo", std::move(info)}};
}

std::unordered_map<std::string, resolvers::resolve_fn> const& resolvers::table() {
    using r = resolvers;
    static std::unordered_map<std::string, resolve_fn> const all = {
        {"Query.device", &r::q_device}, {"Query.devices", &r::q_devices}, {"Query.devicesConnection", &r::q_devices_connection}, {"Query.models", &r::q_models}, {"Query.tags", &r::q_tags},
        {"Query.campaign", &r::q_campaign}, {"Query.campaigns", &r::q_campaigns}, {"Query.campaignsConnection", &r::q_campaigns_connection}, {"Query.targetPreview", &r::q_target_preview},
        {"Query.firmware", &r::q_firmware}, {"Query.firmwares", &r::q_firmwares}, {"Query.viewer", &r::q_viewer}, {"Query.overview", &r::q_overview}, {"Query.fleet", &r::q_fleet},
        {"Query.broker", &r::q_broker}, {"Query.metrics", &r::q_metrics}, {"Query.sessions", &r::q_sessions}, {"Query.aclExplain", &r::q_acl}, {"Query.alerts", &r::q_alerts},
        {"Query.audit", &r::q_audit}, {"Query.auditVerify", &r::q_audit_verify}, {"Query.users", &r::q_users}, {"Query.apiKeys", &r::q_keys}, {"Query.configuration", &r::q_configuration},
        {"Query.call", &r::q_call},
        {"Device.update_status", &r::device_member}, {"Device.update_error", &r::device_member}, {"Device.current_update", &r::device_current}, {"Device.updates", &r::device_updates},
        {"Device.firmware_history", &r::device_history}, {"Device.timeline", &r::device_timeline}, {"Device.configuration", &r::device_configuration},
        {"Device.configuration_history", &r::device_configuration_history}, {"Device.alerts", &r::device_alerts}, {"Device.sessions", &r::device_sessions}, {"Device.explain", &r::device_explain},
        {"Campaign.firmware", &r::campaign_firmware}, {"Campaign.phases", &r::campaign_phases}, {"Campaign.devices", &r::campaign_devices}, {"Campaign.explain", &r::campaign_explain},
        {"Campaign.failures", &r::campaign_failures}, {"Campaign.cohorts", &r::campaign_cohorts}, {"Campaign.events", &r::campaign_events}, {"Campaign.comparison", &r::campaign_comparison},
        {"CampaignDevice.campaign_name", &r::update_campaign_name}, {"CampaignDevice.device", &r::update_device}, {"Firmware.running_on", &r::firmware_running}, {"Firmware.campaigns", &r::firmware_campaigns},
        {"Alert.campaign", &r::alert_campaign}, {"Alert.device", &r::alert_device},
        {"Mutation.createCampaign", &r::m_create_campaign}, {"Mutation.startCampaign", &r::m_campaign}, {"Mutation.pauseCampaign", &r::m_campaign}, {"Mutation.resumeCampaign", &r::m_campaign},
        {"Mutation.advanceCampaign", &r::m_campaign}, {"Mutation.cancelCampaign", &r::m_cancel}, {"Mutation.retryDevice", &r::m_retry}, {"Mutation.compareCampaign", &r::m_compare}, {"Mutation.addDevice", &r::m_device},
        {"Mutation.acceptDevice", &r::m_device}, {"Mutation.blockDevice", &r::m_device}, {"Mutation.tagDevice", &r::m_device}, {"Mutation.removeDevice", &r::m_remove},
        {"Mutation.setDesiredConfiguration", &r::m_configuration}, {"Mutation.deleteFirmware", &r::m_remove}, {"Mutation.acknowledgeAlert", &r::m_acknowledge}, {"Mutation.kickSession", &r::m_kick},
        {"Mutation.changePassword", &r::m_change_password}, {"Mutation.createUser", &r::m_user}, {"Mutation.setUserRole", &r::m_user}, {"Mutation.setUserPassword", &r::m_user},
        {"Mutation.disableUser", &r::m_user}, {"Mutation.removeUser", &r::m_user}, {"Mutation.createApiKey", &r::m_key}, {"Mutation.revokeApiKey", &r::m_key}, {"Mutation.call", &r::m_call},
        {"Subscription.deviceUpdated", &r::s_event}, {"Subscription.campaignProgress", &r::s_event}, {"Subscription.devicesUpdated", &r::s_event}, {"Subscription.campaignsChanged", &r::s_event},
        {"Subscription.alertRaised", &r::s_event}, {"Subscription.overview", &r::s_event},
    };
    return all;
}

json::value resolvers::resolve(call const& f) {
    if (rank(who_.role) < rank(f.field.role)) throw field_error("auth.forbidden", f.on.name + "." + f.field.name + " needs the role " + f.field.role + "; yours is " + who_.role);
    auto at = table().find(f.on.name + "." + f.field.name);
    if (at == table().end()) {
        auto const* o = f.parent.if_object();
        auto const* m = o ? o->if_contains(f.field.name) : nullptr;
        return m ? *m : json::value(nullptr);
    }
    try {
        return (this->*at->second)(f);
    } catch (refused const& e) {
        throw field_error(e.code, e.detail);
    } catch (sdk::error const& e) { throw field_error("storage.sqlite", e.what()); }
    catch (storage::sqlite::error const& e) { throw field_error("storage.sqlite", e.what()); }
}

namespace {

/// Waits for an answer that comes on another thread. The promise outlives a wait that was given up.
json::value awaited(std::atomic<bool> const& stopping, std::function<void(sdk::web_answer)> const& start) {
    auto promise = std::make_shared<std::promise<std::pair<int, std::string>>>();
    auto answer = promise->get_future();
    start([promise](int status, std::string text) { promise->set_value({status, std::move(text)}); });
    for (int tenths = 0; answer.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready; ++tenths)
        if (tenths >= 350 || stopping) throw field_error("host.timeout", "the broker did not answer in time");
    auto [status, text] = answer.get();
    boost::system::error_code ec;
    auto v = text.empty() ? json::value(nullptr) : json::parse(text, ec);
    if (status < 400) return ec ? json::value(nullptr) : v;
    auto code = text_of(v, "code"), detail = text_of(v, "detail");
    throw field_error(code.empty() ? "host.failed" : code, detail.empty() ? "the request failed" : detail);
}

}

json::value resolvers::ask(std::string_view method, json::object params) {
    return awaited(s_.stopping, [&](sdk::web_answer done) { s_.house.call(method, json::serialize(params), who_, request_id_, std::move(done)); });
}

json::value resolvers::ask_rest(std::string verb, std::string path, std::string query, json::object body) {
    auto text = body.empty() ? std::string{} : json::serialize(body);
    return awaited(s_.stopping, [&](sdk::web_answer done) { s_.house.rest(std::move(verb), std::move(path), std::move(query), text, who_, request_id_, std::move(done)); });
}

}
