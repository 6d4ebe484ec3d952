// CONNECT, first half: is it acceptable, and who is it? [MQTT-3.1.4-1] [MQTT-3.1.4-2]

#include "broker/codec/connack.hpp"
#include "broker/codec/topic.hpp"
#include "broker/codec/utf8.hpp"
#include "broker/codec/within.hpp"
#include "broker/handlers/home.hpp"
#include "broker/handlers/metrics.hpp"
#include "broker/handlers/own_topics.hpp"
#include "broker/handlers/parked.hpp"
#include "broker/handlers/refusals.hpp"
#include "broker/handlers/retry_after.hpp"
#include "broker/handlers/words.hpp"
#include "broker/log/log.hpp"
#include "broker/shard/task.hpp"

#include <fmt/core.h>

namespace airmail::handlers {
namespace {

/// Client ids become log fields and file names of tools: no control characters, 1 to 256 bytes (we promise 23).
bool valid_client_id(std::string_view id) {
    if (id.empty() || id.size() > 256) return false;
    return std::ranges::none_of(id, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

}

void mqtt::refuse_connect(peer& from, codec::version v, codec::reason r, std::string_view why) {
    codec::connack_view answer;
    bytes later;
    answer.code = r;  // session present stays 0 [MQTT-3.2.2-6]
    auto const text = fmt::format("{}: {}", why, words(r));
    answer.props.explain(text);
    if (r == codec::reason::use_another_server) answer.props.add(codec::prop::server_reference), answer.props.server_reference = from.rules().server_reference;
    else if (comes_again(r)) tell_retry_after(answer.props, later, from.rules().retry_after_s, from.address());
    codec::encode_within(from.out(), answer, v, from.packet_bytes_allowed());  // [MQTT-3.2.2-19]
    from.close(r, why);  // [MQTT-3.2.2-7]
}

void mqtt::connect(peer& from, codec::connect_view const& c, std::string_view assigned_id) {
    from.protocol = c.protocol;
    from.packet_bytes_most = c.props.maximum_packet_size;
    auto h = std::make_unique<hello>();
    if (!acceptable(from, *h, c)) return;
    auto const& rules = from.rules();
    h->assigned = !assigned_id.empty() && !rules.username_is_client_id;
    h->who.client_id = client_id_of(rules, c, assigned_id);  // [MQTT-3.1.3-6] [MQTT-3.1.3-7]
    h->who.listener = rules.port;
    if (!valid_client_id(h->who.client_id)) {
        metric::refused_other.add();
        return refuse_connect(from, c.protocol, codec::reason::client_identifier_not_valid, "client id not valid");  // [MQTT-3.1.3-8]
    }
    auto const* certificate = from.certificate();
    if (certificate && (rules.device || rules.username_is_identity)) {
        auto client_id = std::move(h->who.client_id);
        h->who = *certificate;
        h->who.client_id = std::move(client_id);
        h->who.listener = rules.port;
        return login_then_welcome(from, std::move(h), c);
    }
    if (rules.username_is_identity && !rules.device) {
        // use_identity_as_username: without a certificate there is no name to use, as Mosquitto has it.
        metric::refused_login.add();
        return refuse_connect(from, c.protocol, codec::reason::bad_user_name_or_password, "no certificate");
    }
    if (c.props.has(codec::prop::auth_method)) return begin_proof(from, std::move(h), c);
    if (c.user_name) {
        h->who.name = *c.user_name;
        h->who.how = acl::proof::password;
    } else if (!rules.allow_anonymous || rules.device) {
        metric::refused_login.add();
        return refuse_connect(from, c.protocol, codec::reason::not_authorized, "no identity");
    }
    login_then_welcome(from, std::move(h), c);
}

bool mqtt::acceptable(peer& from, hello& h, codec::connect_view const& c) {
    auto const& rules = from.rules();
    auto no = [&](codec::reason r, std::string_view why) {
        metric::refused_other.add();
        refuse_connect(from, c.protocol, r, why);
        return false;
    };
    bool const v5 = c.protocol == codec::version::v5;
    // 0x8B is not for CONNACK. [MQTT-3.2.2-8]
    if (world_.draining) return no(v5 && !rules.server_reference.empty() ? codec::reason::use_another_server : codec::reason::server_unavailable, "draining");
    if (!(rules.versions >> static_cast<unsigned>(c.protocol) & 1)) return no(codec::reason::unsupported_protocol_version, "not in accept_protocol_versions");
    if (c.props.has(codec::prop::auth_method)) {
        // Where the certificate says who a client is, nothing else may. [MQTT-4.12.0-1]
        bool const by_certificate = rules.device || (from.certificate() && rules.username_is_identity);
        if (!world_.scram || !rules.asks_passwords || by_certificate || c.props.auth_method != acl::scram_method)
            return no(codec::reason::bad_authentication_method, "authentication method");
    }
    if (rules.username_is_client_id && (!c.user_name || c.user_name->empty())) return no(codec::reason::not_authorized, "the user name is the client id here, and there is none");
    if (c.client_id.empty() && !rules.allow_empty_client_id && !rules.username_is_client_id) return no(codec::reason::client_identifier_not_valid, "allow_zero_length_clientid false");
    if (!client_id_of(rules, c, "").starts_with(rules.client_id_prefix) && !(c.client_id.empty() && !rules.username_is_client_id))
        return no(codec::reason::not_authorized, "client id outside clientid_prefixes");
    if (!v5 && c.client_id.empty() && !c.clean_start)
        return no(codec::reason::client_identifier_not_valid, "empty client id without clean session");  // 3.1.1 [MQTT-3.1.3-8]
    if (!v5 && rules.refuse_v3_keep_alive && (c.keep_alive == 0 || c.keep_alive > rules.keep_alive_max))
        return no(codec::reason::client_identifier_not_valid, "keep alive above max_keepalive");
    h.protocol = c.protocol;
    h.clean_start = c.clean_start;
    h.bridge = c.bridge;
    h.problem_info = c.props.request_problem_info != 0;
    h.receive_maximum = std::min(c.props.receive_maximum, rules.receive_maximum_out ? rules.receive_maximum_out : std::uint16_t{65535});
    h.packet_bytes_max = c.props.maximum_packet_size;
    h.topic_alias_max = std::min(c.props.topic_alias_maximum, rules.topic_alias_out);
    h.wants_response_info = c.props.request_response_info == 1;
    h.asked_expiry_s = v5 ? c.props.session_expiry : c.clean_start ? 0 : 0xFFFFFFFF;
    h.expiry_s = std::min(h.asked_expiry_s, rules.session_expiry_max);
    h.keep_alive = c.keep_alive;
    // 3.1.1 cannot be told another value; device listeners hold it to theirs all the same.
    if (rules.keep_alive_max && (v5 || rules.device) && (c.keep_alive == 0 || c.keep_alive > rules.keep_alive_max))
        h.keep_alive = rules.keep_alive_max;
    return !c.will || read_will(h, from, c);
}

bool mqtt::read_will(hello& h, peer& from, codec::connect_view const& c) {
    auto const& rules = from.rules();
    auto const& w = *c.will;
    auto no = [&](codec::reason r, std::string_view why) {
        metric::refused_will.add();
        refuse_connect(from, c.protocol, r, why);
        return false;
    };
    if (w.qos > rules.maximum_qos) return no(codec::reason::qos_not_supported, "will QoS");                       // [MQTT-3.2.2-12]
    if (w.retain && !rules.retain_available) return no(codec::reason::retain_not_supported, "will retain");      // [MQTT-3.2.2-13]
    auto const topic = rules.mount_point + std::string{w.topic};
    if (!codec::valid_topic_name(w.topic) || topic.size() > rules.topic_bytes_max || w.topic.starts_with("$share/") ||
        codec::level_count(topic) > std::min<std::size_t>(rules.topic_levels_max, router::levels::max))
        return no(codec::reason::topic_name_invalid, "will topic");
    if ((rules.will_payload_max && w.payload.size() > rules.will_payload_max) ||
        (w.retain && rules.retained_payload_max && w.payload.size() > rules.retained_payload_max))
        return no(codec::reason::quota_exceeded, "will payload too large");
    if (rules.payload_format_check && w.props.payload_format == 1 && !codec::valid_text(as_text(w.payload)))
        return no(codec::reason::payload_format_invalid, "will payload");
    h.will = std::make_unique<session::will>();
    h.will->topic = topic;
    h.will->payload.assign(w.payload.begin(), w.payload.end());
    auto const kept = codec::forwardable_properties(w.raw_props, w.props.present, scratch_properties_);
    h.will->properties.assign(kept.begin(), kept.end());
    h.will->qos = w.qos, h.will->retain = w.retain;  // [MQTT-3.1.2-14] [MQTT-3.1.2-15]
    h.will->delay_s = std::min(w.props.will_delay, rules.will_delay_max);
    h.will->message_expiry_s = w.props.has(codec::prop::message_expiry) ? std::max(w.props.message_expiry, 1U) : 0;
    return true;
}

void mqtt::login_then_welcome(peer& from, std::unique_ptr<hello> h, codec::connect_view const& c) {
    auto const number = from.connection_number();
    login l;
    l.user = c.user_name ? std::string{*c.user_name} : std::string{};
    if (c.password) l.password = as_text(*c.password);
    l.address = from.address();
    l.listener = from.rules().port;
    l.client_id = h->who.client_id;
    if (h->who.how == acl::proof::certificate) l.identity = h->who.name;
    bool const asks_password = h->who.how == acl::proof::password;

    auto waiting = std::make_unique<parked>();
    waiting->from = &from;
    waiting->greeting = std::move(h);
    parked_[number] = std::move(waiting);
    auto done = answer_to(number);
    // A bridge is our own configuration speaking: nobody is asked.
    bool const own = parked_[number]->greeting->who.how == acl::proof::bridge;
    if (!own && world_.gate && world_.gate->authenticate(l, done)) return from.pause_reading(true);
    if (!asks_password) return decided(number, true, {});
    if (world_.check_password && from.rules().asks_passwords) {
        from.pause_reading(true);
        return world_.check_password(l, done);
    }
    // Mosquitto without a password file: the name is taken as said, unproven, where anonymous clients are let in.
    auto& who = parked_[number]->greeting->who;
    who.how = acl::proof::anonymous;
    decided(number, from.rules().allow_anonymous && !from.rules().device, {});
}

login_done mqtt::answer_to(std::uint64_t connection) {
    // The answer comes back as mail whoever gives it, so nothing here is entered twice.
    return [this, connection](bool allowed, std::string role) {
        shard_.post_external([this, connection, allowed, role = std::move(role)]() mutable { decided(connection, allowed, std::move(role)); });
    };
}

void mqtt::decided(std::uint64_t connection, bool allowed, std::string role) {
    auto const waiting = parked_.find(connection);
    if (waiting == parked_.end() || !waiting->second->greeting) return;  // it left in the meantime
    auto& from = *waiting->second->from;
    auto h = std::move(waiting->second->greeting);
    from.pause_reading(false);
    auto const refuse = [&](codec::reason r, std::string_view why) {
        parked_.erase(connection);
        refuse_connect(from, h->protocol, r, why);
    };
    if (!allowed) {
        metric::refused_login.add();
        if (refusals.may(shard_.now())) log::info("handlers", {{"conn", connection}, {"addr", from.address()}, {"client_id", h->who.client_id}}, "login refused");
        return refuse(h->who.how == acl::proof::certificate ? codec::reason::not_authorized : codec::reason::bad_user_name_or_password,
                      "login refused");
    }
    if (!role.empty()) h->who.role = std::move(role);
    if (h->will && (is_own_topic(h->will->topic, from.rules().device, [&] { return rules() != nullptr; }) || !may(h->who, from.rules().device, acl::action::publish, h->will->topic))) {
        metric::refused_will.add();
        return refuse(codec::reason::not_authorized, "will topic not allowed");
    }
    welcome(from, *h);
}

}
