#pragma once
// What the fields of schema.graphqls mean. One object per request, on one thread, with that thread's reader; fields that are
// not here are members of the value above them. Roles are enforced here, before the field's own code.

#include "plugins/dashboard/api/cache.hpp"
#include "plugins/dashboard/api/people.hpp"
#include "plugins/dashboard/api/reader.hpp"
#include "plugins/dashboard/graphql/execute.hpp"
#include "plugins/sdk/web.hpp"

#include <atomic>
#include <unordered_map>

namespace airmail::dashboard {

/// What all requests share; outlives them.
struct shared {
    sdk::web_house& house;
    people& users;
    cache& kept;
    std::int64_t started_at = 0;                      // unix s
    std::function<std::int64_t()> wall_ms;
    std::atomic<bool> stopping{false};

    shared(sdk::web_house& h, people& u, cache& k, std::int64_t at, std::function<std::int64_t()> wall) : house(h), users(u), kept(k), started_at(at), wall_ms(std::move(wall)) {}
};

/// viewer 1, operator 2, admin 3, else 0.
int rank(std::string_view role);

class resolvers final : public graphql::resolver {
public:
    resolvers(shared& s, reader& db, sdk::web_who who, std::string request_id, std::string peer)
        : s_(s), db_(db), who_(std::move(who)), request_id_(std::move(request_id)), peer_(std::move(peer)) {}

    boost::json::value resolve(graphql::field_call const& f) override;
    /// What a subscription's root field gives: the object that was changed.
    void event(boost::json::value v) { event_ = std::move(v); }

    // Also used by subscriptions.
    boost::json::value device(std::string const& id);
    boost::json::value campaign(std::string const& id);
    boost::json::value alert(std::int64_t id);
    boost::json::value overview();

private:
    using call = graphql::field_call;
    using value = boost::json::value;
    using resolve_fn = value (resolvers::*)(call const&);
    static std::unordered_map<std::string, resolve_fn> const& table();

    // devices.cpp
    value q_device(call const& f);
    value q_devices(call const& f);
    value q_devices_connection(call const& f);
    value q_models(call const& f);
    value q_tags(call const& f);
    value device_member(call const& f);
    value device_updates(call const& f);
    value device_current(call const& f);
    value device_history(call const& f);
    value device_timeline(call const& f);
    value device_configuration(call const& f);
    value device_configuration_history(call const& f);
    value device_alerts(call const& f);
    value device_sessions(call const& f);
    value device_explain(call const& f);
    // campaigns.cpp
    value q_campaign(call const& f);
    value q_campaigns(call const& f);
    value q_campaigns_connection(call const& f);
    value q_target_preview(call const& f);
    value q_firmware(call const& f);
    value q_firmwares(call const& f);
    value campaign_firmware(call const& f);
    value campaign_phases(call const& f);
    value campaign_devices(call const& f);
    value campaign_explain(call const& f);
    value campaign_failures(call const& f);
    value campaign_cohorts(call const& f);
    value campaign_events(call const& f);
    value campaign_comparison(call const& f);
    value update_campaign_name(call const& f);
    value update_device(call const& f);
    value firmware_running(call const& f);
    value firmware_campaigns(call const& f);
    // broker.cpp
    value q_viewer(call const& f);
    value q_overview(call const& f);
    value q_fleet(call const& f);
    value q_broker(call const& f);
    value q_metrics(call const& f);
    value q_sessions(call const& f);
    value q_acl(call const& f);
    value q_alerts(call const& f);
    value q_audit(call const& f);
    value q_audit_verify(call const& f);
    value q_users(call const& f);
    value q_keys(call const& f);
    value q_configuration(call const& f);
    value q_call(call const& f);
    value alert_campaign(call const& f);
    value alert_device(call const& f);
    // mutations.cpp
    value m_create_campaign(call const& f);
    value m_campaign(call const& f);
    value m_cancel(call const& f);
    value m_retry(call const& f);
    value m_compare(call const& f);
    value m_device(call const& f);
    value m_configuration(call const& f);
    value m_remove(call const& f);
    value m_acknowledge(call const& f);
    value m_kick(call const& f);
    value m_change_password(call const& f);
    value m_user(call const& f);
    value m_key(call const& f);
    value m_call(call const& f);
    value s_event(call const&) { return event_; }

    /// Asks a method or path of the house and waits; throws field_error with its code.
    value ask(std::string_view method, boost::json::object params);
    value ask_rest(std::string verb, std::string path, std::string query, boost::json::object body = {});
    std::string hash(std::string const& password);
    bool verify(std::string const& stored, std::string const& password);
    value fleet();
    value broker();
    /// Which rows of devices, and through which index; `serial` names the column that orders them.
    struct device_query {
        std::string from = "devices d", where, serial = "d.serial_no", key = "count", lean;   // lean: the same count without the join
        bool accepted_only = false;                                                     // all but a few: those few are counted
        std::vector<sdk::sql_value> args;
    };
    device_query query_of(call const& f);
    bool few(std::string const& what, std::vector<sdk::sql_value> args);
    boost::json::value count_of(device_query const& q);
    std::pair<std::string, std::int64_t> landing(device_query const& q, std::int64_t skip);
    boost::json::array devices_where(std::string const& where, std::vector<sdk::sql_value> params);
    boost::json::array updates_where(std::string const& where, std::vector<sdk::sql_value> params);
    boost::json::array firmware_where(std::string const& where, std::vector<sdk::sql_value> params);

    shared& s_;
    reader& db_;
    sdk::web_who who_;
    std::string request_id_, peer_;
    value event_;
};

// Members of arguments and values; "" and 0 when absent or null.
std::string text_of(boost::json::value const& v);
std::string text_of(boost::json::object const& o, std::string_view key);
std::string text_of(boost::json::value const& o, std::string_view key);
std::int64_t number_of(boost::json::object const& o, std::string_view key, std::int64_t otherwise = 0);
std::int64_t number_of(boost::json::value const& o, std::string_view key, std::int64_t otherwise = 0);
std::string lower(std::string s);
/// What cohort.get says, in the words of the schema.
boost::json::value comparison_of(boost::json::value said);
/// {"nodes","edges","pageInfo"}; `rows` may hold one more than `page`; cursors are members of the nodes.
boost::json::object connection(boost::json::array rows, std::size_t page, std::string_view cursor, bool had_before);

}
