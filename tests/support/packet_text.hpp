#pragma once
// A packet as one line of text, so that a table can say what a decoder should have understood.

#include "tests/support/packet_visit.hpp"

#include <string>

namespace airmail::test {

/// Turns any struct that visit_packet hands out into a line: type, fields by name, properties in braces.
class packet_text {
public:
    explicit packet_text(codec::version v) : v_(v) {}
    std::string text() const { return text_; }

    void operator()(codec::connect_view const& p) {
        text_ = "CONNECT v" + std::to_string(int(p.protocol));
        if (p.clean_start) text_ += " clean";
        field("keep_alive", p.keep_alive);
        field("id", p.client_id);
        if (p.user_name) field("user", *p.user_name);
        if (p.password) field("password", as_text(*p.password));
        if (p.will) {
            text_ += " will(" + std::to_string(p.will->qos) + (p.will->retain ? " retain " : " ") + std::string(p.will->topic) + "=" +
                     std::string(as_text(p.will->payload));
            props(p.will->props);
            text_ += ")";
        }
        props(p.props);
    }
    void operator()(codec::connack_view const& p) {
        text_ = "CONNACK";
        if (p.session_present) text_ += " present";
        code(p.code);
        props(p.props);
    }
    void operator()(codec::publish_view const& p) {
        text_ = "PUBLISH qos=" + std::to_string(p.qos);
        if (p.dup) text_ += " dup";
        if (p.retain) text_ += " retain";
        if (p.qos) field("id", p.packet_id);
        field("topic", p.topic);
        field("payload", as_text(p.payload));
        props(p.props);
    }
    void operator()(codec::ack_view const& p) {
        text_ = name(p.type);
        field("id", p.packet_id);
        code(p.code);
        props(p.props);
    }
    void operator()(codec::subscribe_view const& p) {
        text_ = "SUBSCRIBE";
        field("id", p.packet_id);
        auto rest = p.filters;
        for (int i = 0; i < p.count; ++i) {
            auto const s = codec::subscribe_view::next(rest, v_);
            text_ += " " + std::string(s.filter) + ":" + std::to_string(s.qos) + (s.no_local ? "n" : "") +
                     (s.retain_as_published ? "p" : "") + (s.retain_handling ? "h" + std::to_string(s.retain_handling) : "");
        }
        props(p.props);
    }
    void operator()(codec::unsubscribe_view const& p) {
        text_ = "UNSUBSCRIBE";
        field("id", p.packet_id);
        auto rest = p.filters;
        for (int i = 0; i < p.count; ++i) (text_ += " ") += codec::unsubscribe_view::next(rest);
        props(p.props);
    }
    void operator()(codec::suback_view const& p) {
        text_ = name(p.type);
        field("id", p.packet_id);
        for (auto c : p.codes) code(c);
        props(p.props);
    }
    void operator()(codec::disconnect_view const& p) {
        text_ = "DISCONNECT";
        code(p.code);
        props(p.props);
    }
    void operator()(codec::auth_view const& p) {
        text_ = "AUTH";
        code(p.code);
        props(p.props);
    }
    void operator()(ping_view p) { text_ = name(p.type); }

private:
    void field(std::string_view key, std::string_view value) { ((text_ += ' ') += key).append("=").append(value); }
    void field(std::string_view key, unsigned value) { field(key, std::to_string(value)); }
    void code(codec::reason r) {
        static constexpr char digits[] = "0123456789ABCDEF";
        ((text_ += " 0x") += digits[unsigned(r) >> 4]) += digits[unsigned(r) & 15];
    }

    void number(codec::properties const& p, codec::prop id, std::string_view key, std::uint64_t v) {
        if (p.has(id)) field(key, std::to_string(v));
    }
    void words(codec::properties const& p, codec::prop id, std::string_view key, std::string_view v) {
        if (p.has(id)) field(key, v);
    }
    void props(codec::properties const& p) {
        if (p.present == 0) return;
        text_ += " {";
        using enum codec::prop;
        number(p, payload_format, "format", p.payload_format);
        number(p, message_expiry, "expiry", p.message_expiry);
        words(p, content_type, "content_type", p.content_type);
        words(p, response_topic, "response", p.response_topic);
        words(p, correlation_data, "correlation", as_text(p.correlation_data));
        for (int i = 0; i < p.subscription_id_count; ++i) number(p, subscription_id, "sub", p.subscription_ids[std::size_t(i)]);
        number(p, session_expiry, "session", p.session_expiry);
        words(p, assigned_client_id, "assigned", p.assigned_client_id);
        number(p, server_keep_alive, "keep", p.server_keep_alive);
        words(p, auth_method, "method", p.auth_method);
        words(p, auth_data, "data", as_text(p.auth_data));
        number(p, request_problem_info, "problem", p.request_problem_info);
        number(p, will_delay, "delay", p.will_delay);
        number(p, request_response_info, "want_response", p.request_response_info);
        words(p, response_info, "response_info", p.response_info);
        words(p, server_reference, "reference", p.server_reference);
        words(p, reason_string, "reason", p.reason_string);
        number(p, receive_maximum, "receive", p.receive_maximum);
        number(p, topic_alias_maximum, "aliases", p.topic_alias_maximum);
        number(p, topic_alias, "alias", p.topic_alias);
        number(p, maximum_qos, "max_qos", p.maximum_qos);
        number(p, retain_available, "retain", p.retain_available);
        number(p, maximum_packet_size, "packet", p.maximum_packet_size);
        number(p, wildcard_available, "wildcard", p.wildcard_available);
        number(p, subscription_ids_available, "subs", p.subscription_ids_available);
        number(p, shared_available, "shared", p.shared_available);
        codec::user_property_view u;
        for (auto rest = p.user_properties; p.has(user_property) && next_user_property(rest, u);) field(u.key, u.value);
        text_ += " }";
    }

    codec::version v_;
    std::string text_;
};

/// What one whole packet says, or the reason code its framer or decoder gives.
inline codec::result<std::string> describe(byte_view whole, codec::version v, codec::sender from) {
    auto const f = codec::next_frame(whole, v);
    if (!f) return f.error();
    if (f->size != whole.size()) return codec::reason::malformed_packet;
    packet_text text{v};
    auto const why = visit_packet(*f, v, from, text);
    if (why != codec::reason::success) return why;
    return text.text();
}

}
