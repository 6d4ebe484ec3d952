#include "tests/support/wire_script.hpp"

namespace airmail::test {

wire_client::wire_client(wire_script& w, std::string who, std::string id, std::shared_ptr<handlers::listener_rules> r)
    : limits{std::move(r)}, identity{std::move(who)}, client_id{std::move(id)}, world_{w} {
    certificate_.name = identity;
    certificate_.role = "device";
    certificate_.how = acl::proof::certificate;
}

void wire_client::says_hello(greeting const& g) {
    if (open_) drops();
    closed = welcomed = false, session = nullptr, reading = true;
    out_.clear(), read_ = 0;
    number_ = ++world_.next_connection;
    open_ = true;
    codec::connect_view c;
    c.protocol = g.protocol, c.clean_start = g.clean, c.keep_alive = g.keep_alive;
    c.client_id = client_id;
    auto const v5 = g.protocol == codec::version::v5;
    if (v5 && g.expiry) c.props.add(codec::prop::session_expiry), c.props.session_expiry = g.expiry;
    if (g.receive_maximum) c.props.add(codec::prop::receive_maximum), c.props.receive_maximum = *g.receive_maximum;
    if (g.maximum_packet_size) c.props.add(codec::prop::maximum_packet_size), c.props.maximum_packet_size = *g.maximum_packet_size;
    if (g.auth_method) c.props.add(codec::prop::auth_method), c.props.auth_method = *g.auth_method;
    if (g.user) c.user_name = *g.user;
    if (g.password) c.password = as_bytes(*g.password);
    bytes user;
    if (g.will) {
        codec::will_view w;
        w.qos = g.will->qos, w.retain = g.will->retain;
        w.topic = g.will->topic, w.payload = as_bytes(g.will->payload);
        if (g.will_delay) w.props.add(codec::prop::will_delay), w.props.will_delay = g.will_delay;
        for (auto const& [k, v] : g.will->user) codec::append_user_property(user, k, v), ++w.props.user_property_count;
        if (!user.empty()) w.props.add(codec::prop::user_property), w.props.user_properties = user;
        c.will = w;
    }
    bytes packet;
    codec::encode(packet, c);
    auto const f = codec::next_frame(packet);
    REQUIRE(f.has_value());
    auto const view = codec::decode_connect(f->body);
    if (!view) {  // as net answers a CONNECT that does not decode
        codec::encode(out_, codec::connack_view{false, view.error()}, g.protocol);
        protocol = g.protocol, closed = true, open_ = false;
        return;
    }
    auto const assigned = client_id.empty() ? handlers::assign_client_id() : std::string{};
    world_.of(*this).connect(*this, *view, assigned);
    world_.settle();
}

received wire_client::connects(greeting const& g) {
    says_hello(g);
    auto const answer = expects(packet_type::connack);
    REQUIRE(answer.code == reason::success);
    return answer;
}

void wire_client::feed(bytes const& b) {
    byte_view rest = b;
    while (!rest.empty() && !closed) {
        auto const f = codec::next_frame(rest, protocol);
        REQUIRE(f.has_value());
        REQUIRE(f->complete());
        auto const size = f->size;
        world_.of(*this).packet(*this, *f);
        rest = rest.subspan(size);
    }
}

void wire_client::raw(bytes const& b) {
    feed(b);
    world_.settle();
}

void wire_client::sends(message const& m) {
    codec::publish_view p;
    p.qos = m.qos, p.packet_id = m.id, p.retain = m.retain, p.dup = m.dup;
    p.topic = m.topic, p.payload = as_bytes(m.payload);
    bytes user;
    if (protocol == codec::version::v5) {
        if (m.alias) p.props.add(codec::prop::topic_alias), p.props.topic_alias = m.alias;
        if (m.expiry) p.props.add(codec::prop::message_expiry), p.props.message_expiry = *m.expiry;
        for (auto const& [k, v] : m.user) codec::append_user_property(user, k, v), ++p.props.user_property_count;
        if (!user.empty()) p.props.add(codec::prop::user_property), p.props.user_properties = user;
    }
    bytes b;
    codec::encode(b, p, protocol);
    raw(b);
}

void wire_client::asks_to_subscribe(filter const& f, std::uint16_t id) {
    codec::subscribe_view s;
    bytes filters;
    codec::append_filter(filters, codec::subscription_view{f.text, f.qos, f.no_local, f.retain_as_published, f.retain_handling}, protocol);
    s.packet_id = id, s.filters = filters, s.count = 1;
    if (f.id) s.props.add(codec::prop::subscription_id), s.props.subscription_ids[0] = f.id, s.props.subscription_id_count = 1;
    bytes b;
    codec::encode(b, s, protocol);
    raw(b);
}

reason wire_client::subscribes(filter const& f, std::uint16_t id) {
    asks_to_subscribe(f, id);
    auto const a = expects(packet_type::suback);
    CHECK(a.id == id);
    REQUIRE(a.codes.size() == 1);
    return a.codes[0];
}

reason wire_client::unsubscribes(std::string const& f, std::uint16_t id) {
    codec::unsubscribe_view u;
    bytes filters, b;
    codec::append_filter(filters, f);
    u.packet_id = id, u.filters = filters, u.count = 1;
    codec::encode(b, u, protocol);
    raw(b);
    auto const a = expects(packet_type::unsuback);
    CHECK(a.id == id);
    return a.codes.empty() ? reason::success : a.codes[0];
}

void wire_client::acks(packet_type t, std::uint16_t id, reason r) {
    bytes b;
    codec::encode(b, codec::ack_view{t, id, r}, protocol);
    raw(b);
}

void wire_client::disconnects(reason r, std::optional<std::uint32_t> expiry, std::string const& note) {
    codec::disconnect_view d{r};
    bytes user, b;
    if (expiry) d.props.add(codec::prop::session_expiry), d.props.session_expiry = *expiry;
    if (!note.empty()) {
        codec::append_user_property(user, "ota", note);
        d.props.add(codec::prop::user_property), d.props.user_properties = user, d.props.user_property_count = 1;
    }
    codec::encode(b, d, protocol);
    raw(b);
}

void wire_client::drops() {
    closed = true;
    if (std::exchange(open_, false)) world_.of(*this).gone(*this);
    world_.settle();
}

received wire_client::decode(codec::frame const& f) {
    received r;
    r.type = f.type;
    auto const users = [&r](codec::properties const& p) {
        if (!p.user_property_count) return;
        byte_view rest = p.user_properties;
        for (codec::user_property_view u; codec::next_user_property(rest, u);) r.user.emplace_back(u.key, u.value);
    };
    switch (f.type) {
    case packet_type::publish: {
        auto const p = codec::decode_publish(f.flags, f.body, protocol, codec::sender::server);
        REQUIRE(p.has_value());
        r.topic = p->topic, r.payload = as_text(p->payload);
        r.qos = p->qos, r.id = p->packet_id, r.dup = p->dup, r.retain = p->retain;
        r.ids.assign(p->props.subscription_ids.begin(), p->props.subscription_ids.begin() + p->props.subscription_id_count);
        if (p->props.has(codec::prop::message_expiry)) r.expiry = p->props.message_expiry;
        r.props = p->props;
        users(p->props);
        break;
    }
    case packet_type::connack: {
        auto const a = codec::decode_connack(f.body, protocol);
        REQUIRE(a.has_value());
        r.code = a->code, r.session_present = a->session_present;
        r.client_id = a->props.assigned_client_id;
        r.props = a->props;
        users(a->props);
        break;
    }
    case packet_type::suback:
    case packet_type::unsuback: {
        auto const a = codec::decode_suback(f.type, f.body, protocol);
        REQUIRE(a.has_value());
        r.id = a->packet_id;
        r.codes.assign(a->codes.begin(), a->codes.end());
        break;
    }
    case packet_type::disconnect: {
        auto const d = codec::decode_disconnect(f.body, protocol, codec::sender::server);
        REQUIRE(d.has_value());
        r.code = d->code;
        break;
    }
    case packet_type::pingresp: break;
    default: {
        auto const a = codec::decode_ack(f.type, f.body, protocol);
        REQUIRE(a.has_value());
        r.id = a->packet_id, r.code = a->code;
    }
    }
    return r;
}

std::optional<received> wire_client::next() {
    if (read_ == out_.size()) return std::nullopt;
    auto const f = codec::next_frame(byte_view{out_}.subspan(read_), protocol);
    REQUIRE(f.has_value());
    REQUIRE(f->complete());
    auto r = decode(*f);
    read_ += f->size;
    return r;
}

received wire_client::expects(packet_type t) {
    auto const r = next();
    INFO("client ", client_id, " expects ", std::string{codec::name(t)});
    REQUIRE(r);
    REQUIRE(std::string{codec::name(r->type)} == std::string{codec::name(t)});
    return *r;
}

received wire_client::expects_publish(std::string_view topic, std::string_view payload) {
    auto const r = expects(packet_type::publish);
    CHECK(r.topic == topic);
    CHECK(r.payload == payload);
    return r;
}

void wire_client::expects_ack(packet_type t, std::uint16_t id, reason r) {
    auto const a = expects(t);
    CHECK(a.id == id);
    CHECK(static_cast<int>(a.code) == static_cast<int>(r));
}

void wire_client::quiet() {
    auto const r = next();
    INFO("client ", client_id, " got ", r ? std::string{codec::name(r->type)} + " " + r->topic + " " + r->payload : "nothing");
    CHECK_FALSE(r.has_value());
}

}
