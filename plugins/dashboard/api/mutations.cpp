// What changes something: always a method of the one table (its role, its audit), or a user.
#include "plugins/dashboard/api/resolvers.hpp"

#include "acl/password.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <future>

namespace airmail::dashboard {

namespace json = boost::json;
using graphql::field_error;

json::value resolvers::m_create_campaign(call const& f) {
    auto in = f.arguments.at("input").as_object();
    if (auto criteria = text_of(in, "target_criteria"); criteria.empty()) in.erase("target_criteria");
    auto const* all = in.if_contains("without_phases");
    bool const none = all && all->is_bool() && all->get_bool();
    in.erase("without_phases");
    if (none) in["phases"] = "none";
    for (auto key : {"phases", "max_in_flight", "rate_per_min", "start_at", "expires_at", "dynamic", "allow_downgrade", "supersedes", "start"})
        if (auto const* v = in.if_contains(key); v && v->is_null()) in.erase(key);
    auto made = ask("campaign.create", std::move(in));
    return campaign(text_of(made, "campaign_id"));
}

json::value resolvers::m_campaign(call const& f) {
    auto const& name = f.field.name;
    auto verb = name.substr(0, name.find("Campaign"));
    auto id = text_of(f.arguments, "id");
    json::object params{{"id", id}};
    if (auto why = text_of(f.arguments, "reason"); !why.empty()) params["reason"] = why;
    ask("campaign." + verb, std::move(params));
    return verb == "start" ? json::value(true) : campaign(id);
}

json::value resolvers::m_cancel(call const& f) {
    auto id = text_of(f.arguments, "id");
    json::object params{{"id", id}};
    if (auto why = text_of(f.arguments, "reason"); !why.empty()) params["reason"] = why;
    auto said = ask("campaign.cancel", std::move(params));
    json::object out{{"campaign", campaign(id)}};
    auto const* n = said.is_object() ? said.get_object().if_contains("cancel") : nullptr;
    for (auto key : {"stopped", "asked", "too_late", "offline"}) out[key] = n ? number_of(*n, key) : 0;
    return out;
}

json::value resolvers::m_compare(call const& f) {
    json::object params{{"id", text_of(f.arguments, "id")}};
    if (auto window = text_of(f.arguments, "window"); !window.empty()) params["window"] = window;
    if (auto const* gate = f.arguments.if_contains("gate"); gate && gate->is_bool()) params["gate"] = *gate;
    if (auto const* alpha = f.arguments.if_contains("alpha"); alpha && alpha->is_number()) params["alpha"] = json::serialize(json::value(alpha->to_number<double>()));
    if (auto const* list = f.arguments.if_contains("fields"); list && list->is_array()) {
        json::object fields;
        for (auto const& one : list->get_array()) fields[text_of(one, "name")] = lower(text_of(one, "harm"));
        params["fields"] = std::move(fields);
    }
    return comparison_of(ask("cohort.set", std::move(params)));
}

json::value resolvers::m_retry(call const& f) {
    auto d = device(text_of(f.arguments, "device"));
    auto serial = d.is_null() ? text_of(f.arguments, "device") : text_of(d, "serial_no");
    ask("campaign.retry", {{"id", text_of(f.arguments, "campaignId")}, {"device", serial}});
    auto rows = updates_where("WHERE campaign_id = ? AND serial_no = ?", {text_of(f.arguments, "campaignId"), serial});
    return rows.empty() ? json::value(nullptr) : rows[0];
}

json::value resolvers::m_device(call const& f) {
    auto const& name = f.field.name;
    json::object params;
    std::string id = text_of(f.arguments, "id");
    if (name == "addDevice") {
        id = text_of(f.arguments, "serialNo"), params["serial_no"] = id;
        for (auto key : {"model", "tags"})
            if (auto const* v = f.arguments.if_contains(key); v && !v->is_null()) params[key] = *v;
    } else {
        params["id"] = id;
        for (auto key : {"reason", "add", "remove"})
            if (auto const* v = f.arguments.if_contains(key); v && !v->is_null()) params[key] = *v;
    }
    ask("device." + name.substr(0, name.find("Device")), std::move(params));
    return device(id);
}

json::value resolvers::m_remove(call const& f) {
    ask(f.field.name == "removeDevice" ? "device.remove" : "firmware.delete", {{"id", text_of(f.arguments, "id")}});
    return true;
}

json::value resolvers::m_configuration(call const& f) {
    json::object settings;
    for (auto const& s : f.arguments.at("settings").as_array()) settings[text_of(s, "key")] = text_of(s, "value");
    auto id = text_of(f.arguments, "id");
    ask("config.desired.set", {{"id", id}, {"settings", std::move(settings)}});
    auto d = device(id);
    return device_configuration({f.on, f.field, d, f.arguments, f.wants});
}

json::value resolvers::m_acknowledge(call const& f) {
    auto id = text_of(f.arguments, "id");
    ask("alert.ack", {{"id", id}});
    return alert(std::atoll(id.c_str()));
}

json::value resolvers::m_kick(call const& f) {
    std::string path = "/api/v1/sessions/";
    static constexpr char hex[] = "0123456789ABCDEF";
    for (unsigned char c : text_of(f.arguments, "identity")) ((path += '%') += hex[c >> 4]) += hex[c & 15];
    return ask_rest("DELETE", path, {}).at("disconnected");
}

std::string resolvers::hash(std::string const& password) {
    people::check_password(password);
    auto promise = std::make_shared<std::promise<std::string>>();
    auto answer = promise->get_future();
    if (!s_.house.compute([promise, password] {
            auto made = acl::hash_password(password, acl::password_scheme::argon2id);
            promise->set_value(made ? *made : std::string{});
        }))
        throw field_error("auth.busy", "too many logins are being checked; try again");
    auto text = answer.get();
    if (text.empty()) throw field_error("auth.crypto", "the password could not be hashed");
    return text;
}

bool resolvers::verify(std::string const& stored, std::string const& password) {
    auto promise = std::make_shared<std::promise<bool>>();
    auto answer = promise->get_future();
    if (!s_.house.compute([promise, stored, password] { promise->set_value(!acl::verify_password(stored, password)); }))
        throw field_error("auth.busy", "too many logins are being checked; try again");
    return answer.get();
}

json::value resolvers::m_change_password(call const& f) {
    auto u = who_.kind == "user" ? s_.users.by_name(who_.name) : std::nullopt;
    if (!u) throw field_error("auth.forbidden", "only a user has a password");
    s_.users.may_try(peer_, who_.name);
    if (!verify(u->hash, text_of(f.arguments, "current"))) {
        s_.users.failed(peer_, who_.name);
        throw field_error("auth.bad_login", "the current password is another");
    }
    s_.users.set_hash(who_.name, hash(text_of(f.arguments, "new")), who_, request_id_);
    return true;
}

json::value resolvers::m_user(call const& f) {
    auto const& what = f.field.name;
    auto name = text_of(f.arguments, "name"), role = lower(text_of(f.arguments, "role")), password = text_of(f.arguments, "password");
    if (what == "removeUser") return s_.users.remove(name, who_, request_id_), json::value(true);
    if (what == "setUserPassword") return s_.users.set_hash(name, hash(password), who_, request_id_), json::value(true);
    auto u = what == "createUser" ? s_.users.add(name, hash(password), role, who_, request_id_)
             : what == "setUserRole" ? s_.users.set_role(name, role, who_, request_id_)
                                     : s_.users.set_disabled(name, f.arguments.at("disabled").as_bool(), who_, request_id_);
    return json::object{{"user_id", u.id}, {"name", u.name}, {"role", u.role}, {"disabled", u.disabled}, {"created_at", u.created_at / 1000}, {"updated_at", u.updated_at / 1000}};
}

json::value resolvers::m_key(call const& f) {
    if (f.field.name == "revokeApiKey") {
        auto id = text_of(f.arguments, "id");
        for (auto c : id)
            if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) throw field_error("key.not_found", "no living key " + id);
        ask_rest("DELETE", "/api/v1/keys/" + id, {});
        return true;
    }
    json::object body{{"name", text_of(f.arguments, "name")}, {"role", lower(text_of(f.arguments, "role"))}};
    for (auto key : {"scope", "expires"})
        if (auto v = text_of(f.arguments, key); !v.empty()) body[key] = v;
    return ask_rest("POST", "/api/v1/keys", {}, std::move(body));
}

}
