// CONNECT, second half: the session, its record, CONNACK. [MQTT-3.1.4-4] [MQTT-3.1.4-5]

#include "broker/codec/connack.hpp"
#include "broker/codec/within.hpp"
#include "broker/handlers/metrics.hpp"
#include "broker/handlers/parked.hpp"
#include "broker/log/log.hpp"

namespace airmail::handlers {

namespace {

/// %c is the client id, %u the identity.
std::string with_names(std::string_view pattern, session::session const& s) {
    std::string out;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        auto const two = pattern.substr(i, 2);
        if (two == "%c") out += s.client_id(), ++i;
        else if (two == "%u") out += s.name(), ++i;
        else out += pattern[i];
    }
    return out.substr(0, 65535);
}

}

void mqtt::welcome(peer& from, hello& h) {
    bool present = false;
    auto* const found = session_for(from, h, present);
    auto const number = from.connection_number();
    if (!found) {
        parked_.erase(number);
        metric::refused_sessions.add();
        return refuse_connect(from, h.protocol, codec::reason::quota_exceeded, "too many sessions, of this identity or in all");
    }
    auto& s = *found;
    auto& waiting = *parked_.at(number);
    waiting.session = s.number;
    waiting.present = present;
    bool const was_stored = s.stored;
    apply(s, from, h);
    auto const finish = [this, number, present](session::session& to, hello& greeting) {
        auto const i = parked_.find(number);
        auto& client = *i->second->from;
        welcomed(client, to, greeting, present);
        run_parked(number);
    };
    if (!s.stored) return finish(s, h);
    // CONNACK of a durable session: after its record is durable. [reliability.md 3, rule 4]
    auto kept = std::make_shared<hello>(std::move(h));
    store_record(s, router::when_stored([this, number, id = s.number, kept, finish, was_stored](boost::system::error_code failed, storage::lsn) {
                     auto const i = parked_.find(number);
                     auto* again = sessions_.find(id);
                     if (i == parked_.end() || !again || again->connection != number) return;
                     if (failed) {
                         // Nothing was stored: the client must not believe that its session is kept.
                         auto& client = *i->second->from;
                         parked_.erase(i);
                         if (!was_stored) again->stored = false, again->expiry_s = 0, end(*again);
                         return refuse_connect(client, client.protocol, codec::reason::quota_exceeded, "session not stored");
                     }
                     finish(*again, *kept);
                 }));
}

session::session* mqtt::session_for(peer& from, hello& h, bool& present) {
    session_key const key{h.who.tenant, h.who.name, h.who.client_id};
    auto const where = hash(key);
    auto most = from.rules().sessions_per_identity_max;
    if (auto* known = sessions_.find(key, where)) {
        most = 0;  // whoever takes the place of its own session needs no other
        bool const ends = h.clean_start || !known->kept();  // [MQTT-3.1.2-4]
        take_over(*known, ends);
        if (!ends) {
            present = true;  // [MQTT-3.1.2-5] [MQTT-3.2.2-3]
            metric::resumed.add();
            known->login(h.who);
            return known;
        }
    }
    // [MQTT-3.1.2-6] [MQTT-3.1.3-2]
    if (!world_.identities.enter(h.who.tenant, h.who.name, most, world_.limits.sessions)) return nullptr;
    auto& s = sessions_.add(std::make_unique<session::session>(world_.store->new_session_number(), h.who), where);
    session_share_.set(static_cast<std::int64_t>(sessions_.size()));
    return &s;
}

void mqtt::apply(session::session& s, peer& from, hello& h) {
    auto const& rules = from.rules();
    s.connection = from.connection_number();
    s.protocol = h.protocol;
    s.bridge = h.bridge;
    s.expiry_s = h.expiry_s;
    s.disconnected_at = 0;
    s.packet_bytes_max = h.packet_bytes_max;
    s.receive_maximum = h.receive_maximum;
    s.output_bytes_max = rules.output_pause_bytes;
    s.bound = {rules.queue_messages_max, rules.queue_bytes_max, rules.in_flight_bytes_max};
    s.queue_qos0 = rules.queue_qos0;
    s.mount_bytes = static_cast<std::uint16_t>(rules.mount_point.size());
    s.problem_info = h.problem_info;
    s.each_copy = rules.each_copy;
    s.enhanced = !h.auth_data.empty();
    if (h.topic_alias_max) s.aliases_out = std::make_unique<session::outbound_aliases>(h.topic_alias_max);
    s.keep_alive = h.keep_alive;
    s.clean_disconnect = false;
    s.memory_level = !rules.durable;
    s.last_will = std::move(h.will);  // [MQTT-3.1.2-7]; the old one was settled by take_over
    s.stored = s.stored || (s.kept() && rules.durable);
}

void mqtt::welcomed(peer& from, session::session& s, hello& h, bool present) {
    if (!connack(from, s, h, present)) {
        // Not even CONNACK fits into the client's Maximum Packet Size: there is nothing we could say to it. [MQTT-3.1.2-24]
        metric::refused_other.add();
        from.close(codec::reason::packet_too_large, "CONNACK is larger than the client's Maximum Packet Size");
        return lost(s, {});
    }
    from.session = &s;
    from.welcomed = true;
    s.out = &from;
    metric::accepted.add();
    metric::connected.add(1);
    fanout_.online(s, true);
    tell_plugins(s, session_event::kind::connect, {}, {});
    delivery_.forget_variants();
    delivery_.pump(s);  // what was in flight is sent again, then what waited [MQTT-4.4.0-1]
    if (auto const ready = ready_filter(s); !ready.empty()) {
        s.ready = true;
        tell_plugins(s, session_event::kind::ready, ready, {});
    }
    // A fleet of devices coming back is no news line by line; a Mosquitto operator looks for each.
    auto const weight = from.rules().connection_messages && !from.rules().device ? log::level::info : log::level::debug;
    log::at(weight, "handlers", {{"conn", from.connection_number()}, {"addr", from.address()}, {"id", s.name()}, {"client_id", s.client_id()}}, "connected, session {}",
               present ? "resumed" : "new");
    auto const* sending = s.sending_if();
    log::debug("handlers", {{"conn", from.connection_number()}}, "keep alive {} s, Receive Maximum {}, {} in flight", s.keep_alive, s.receive_maximum,
               sending ? sending->in_flight() : 0);
}

bool mqtt::connack(peer& from, session::session& s, hello& h, bool present) {
    auto const& rules = from.rules();
    codec::connack_view a;
    a.session_present = present;
    auto& p = a.props;
    bytes user;
    std::string response;
    if (h.protocol == codec::version::v5) {
        auto number = [&](codec::prop which, auto& field, auto value) { p.add(which), field = value; };
        if (h.expiry_s != h.asked_expiry_s) number(codec::prop::session_expiry, p.session_expiry, h.expiry_s);
        if (rules.receive_maximum_in) number(codec::prop::receive_maximum, p.receive_maximum, rules.receive_maximum_in);
        if (rules.maximum_qos < 2) number(codec::prop::maximum_qos, p.maximum_qos, rules.maximum_qos);  // [MQTT-3.2.2-9]
        if (!rules.retain_available) number(codec::prop::retain_available, p.retain_available, std::uint8_t{0});
        number(codec::prop::maximum_packet_size, p.maximum_packet_size, rules.packet_bytes_max);
        if (h.assigned) number(codec::prop::assigned_client_id, p.assigned_client_id, s.client_id());  // [MQTT-3.2.2-16]
        if (rules.topic_alias_in) number(codec::prop::topic_alias_maximum, p.topic_alias_maximum, rules.topic_alias_in);
        if (s.keep_alive != h.keep_alive || (rules.keep_alive_max && s.keep_alive == rules.keep_alive_max))
            number(codec::prop::server_keep_alive, p.server_keep_alive, s.keep_alive);
        // Wildcard, Subscription Identifier and Shared Subscription Available are 1 by being absent.
        if (h.wants_response_info && !rules.response_information.empty()) {  // [MQTT-3.1.2-28]
            response = with_names(rules.response_information, s);
            p.add(codec::prop::response_info), p.response_info = response;
        }
        if (!h.auth_data.empty()) {  // [MQTT-4.12.0-5]
            p.add(codec::prop::auth_method), p.auth_method = acl::scram_method;
            p.add(codec::prop::auth_data), p.auth_data = as_bytes(h.auth_data);
        }
        codec::append_user_property(user, "server_time", std::to_string(world_.wall_s()));  // for devices without a clock
        p.add(codec::prop::user_property);
        p.user_properties = user;
        p.user_property_count = 1;
    }
    // [MQTT-3.2.2-19] [MQTT-3.2.2-20]
    return codec::encode_within(from.out(), a, h.protocol, from.packet_bytes_allowed());
}

void mqtt::run_parked(std::uint64_t connection) {
    auto const i = parked_.find(connection);
    if (i == parked_.end()) return;
    auto const waiting = std::move(i->second);
    parked_.erase(i);
    for (auto const& [first, body] : waiting->frames) {
        codec::frame f;
        f.type = static_cast<codec::packet_type>(first >> 4);
        f.flags = first & 0x0F;
        f.body = body;
        f.size = body.size() + 2;
        if (!packet(*waiting->from, f)) return;
    }
}

}
