#include "broker/handlers/operate.hpp"
#include "tests/support/wire_script.hpp"

using namespace airmail;
using namespace airmail::test;

TEST_CASE("CONNECT is answered with CONNACK 0 and what the server offers [MQTT-3.1.4-5] [MQTT-3.2.0-1] [MQTT-3.2.2-2]") {
    wire_script w;
    auto& a = w.client("a");
    auto const c = a.connects();
    CHECK_FALSE(c.session_present);
    CHECK(c.props.receive_maximum == 64);
    CHECK(c.props.maximum_packet_size == 256 << 10);
    CHECK(c.props.topic_alias_maximum == 16);
    a.quiet();
}

TEST_CASE("a device without a clock learns the time from CONNACK") {
    wire_script w;
    w.defaults->device = true;
    w.rules([](auto&, auto, auto) { return true; });
    auto& d = w.client("x", "dev-1");
    auto const c = d.connects();
    REQUIRE(c.user.size() == 1);
    CHECK(c.user[0].first == "server_time");
    CHECK(c.user[0].second == "1790000000");
}

TEST_CASE("a second CONNECT closes the connection [MQTT-3.1.0-2]") {
    wire_script w;
    auto& a = w.client("a");
    a.connects();
    bytes b;
    codec::connect_view c;
    c.client_id = "a";
    codec::encode(b, c);
    a.raw(b);
    CHECK(a.expects(packet_type::disconnect).code == reason::protocol_error);
    CHECK(a.closed);
}

TEST_CASE("an empty client id is assigned one, which is told [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16]") {
    wire_script w;
    auto const c = w.client("").connects();
    CHECK(c.client_id.size() == 25);
    CHECK(c.client_id.starts_with("am-"));
}

TEST_CASE("3.1.1 with an empty client id and no clean session is refused [3.1.1 MQTT-3.1.3-8]") {
    wire_script w;
    auto& a = w.client("");
    a.says_hello({.protocol = codec::version::v311, .clean = false});
    CHECK(a.expects(packet_type::connack).code != reason::success);
    CHECK(a.closed);
}

TEST_CASE("a client id with control characters is refused [MQTT-3.1.3-8]") {
    wire_script w;
    auto& a = w.client("a\nb");
    a.says_hello();
    CHECK(a.expects(packet_type::connack).code == reason::client_identifier_not_valid);
    CHECK(a.closed);
}

TEST_CASE("anonymous clients are refused unless the listener lets them in [MQTT-3.1.4-2] [MQTT-3.2.2-6] [MQTT-3.2.2-7]") {
    wire_script w;
    w.defaults->allow_anonymous = false;
    auto& a = w.client("a");
    a.says_hello();
    auto const c = a.expects(packet_type::connack);
    CHECK(c.code == reason::not_authorized);
    CHECK_FALSE(c.session_present);
    CHECK(a.closed);
    a.quiet();  // no DISCONNECT before a successful CONNACK [MQTT-3.14.0-1]
}

TEST_CASE("a device listener without rules denies everything") {
    wire_script w;
    w.defaults->device = true;
    auto& d = w.client("x", "dev-1");
    d.connects();
    d.sends({"devices/dev-1/status", "x", 1, 1});
    d.expects_ack(packet_type::puback, 1, reason::not_authorized);
    CHECK(d.subscribes({"devices/dev-1/command", 1}) == reason::not_authorized);
}

TEST_CASE("a password is checked off the loop, and what the client sends meanwhile is handled after CONNACK [MQTT-3.1.4-6]") {
    wire_script w;
    handlers::login_done done;
    handlers::login asked;
    w.world->check_password = [&](handlers::login const& l, handlers::login_done d) { asked = l, done = std::move(d); };
    auto& a = w.client("", "");
    a.says_hello({.user = "ann", .password = "secret"});
    REQUIRE(done);
    CHECK(asked.user == "ann");
    CHECK(asked.password == "secret");
    a.raw({0xC0, 0x00});
    a.quiet();
    SUBCASE("right") {
        done(true, "operator");
        w.settle();
        CHECK(a.expects(packet_type::connack).code == reason::success);
        a.expects(packet_type::pingresp);
    }
    SUBCASE("wrong") {
        done(false, "");
        w.settle();
        CHECK(a.expects(packet_type::connack).code == reason::bad_user_name_or_password);
        CHECK(a.closed);
        a.quiet();
    }
    SUBCASE("it left in the meantime") {
        a.drops();
        done(true, "");
        w.settle();
        CHECK(w.of(a).counts().sessions == 0);
    }
}

TEST_CASE("an unknown authentication method gets 0x8C, an AUTH without one is a protocol error [MQTT-4.12.0-1] [MQTT-4.12.0-7]") {
    wire_script w;
    auto& a = w.client("a");
    a.says_hello({.auth_method = "SCRAM"});
    CHECK(a.expects(packet_type::connack).code == reason::bad_authentication_method);
    auto& b = w.client("b");
    b.connects();
    bytes auth;
    codec::encode(auth, codec::auth_view{reason::re_authenticate});
    b.raw(auth);
    CHECK(b.expects(packet_type::disconnect).code == reason::protocol_error);
}

TEST_CASE("keep alive: 1.5 times what is in force, and the server's own when the client asks for more or none [MQTT-3.1.2-22] [MQTT-3.2.2-22]") {
    wire_script w;
    auto& a = w.client("a");
    a.connects({.keep_alive = 60});
    CHECK(w.of(a).silence_allowed_ms(a) == 90'000);
    auto& b = w.client("b");
    auto const c = b.connects({.keep_alive = 0});
    CHECK(c.props.server_keep_alive == 1200);
    CHECK(w.of(b).silence_allowed_ms(b) == 1'800'000);
    auto& old = w.client("old");
    old.connects({.protocol = codec::version::v311, .keep_alive = 0});
    CHECK(w.of(old).silence_allowed_ms(old) == 0);
}

TEST_CASE("PINGREQ is answered [MQTT-3.12.4-1]") {
    wire_script w;
    auto& a = w.client("a");
    a.connects();
    a.raw({0xC0, 0x00});
    a.expects(packet_type::pingresp);
}

TEST_CASE("clean start drops the earlier session, otherwise it is resumed [MQTT-3.1.2-4] [MQTT-3.1.2-5] [MQTT-3.1.2-6] [MQTT-3.2.2-3]") {
    wire_script w{3};
    auto& a = w.client("a");
    CHECK_FALSE(a.connects({.clean = false, .expiry = 100}).session_present);
    a.subscribes({"t", 1});
    a.drops();
    CHECK(a.connects({.clean = false, .expiry = 100}).session_present);
    CHECK(w.of(a).counts().subscriptions == 1);
    CHECK_FALSE(a.connects({.clean = true, .expiry = 100}).session_present);
    CHECK(w.of(a).counts().subscriptions == 0);
    CHECK(w.store.subscriptions.empty());
    CHECK(w.store.sessions.size() == 1);
}

TEST_CASE("the same client again ends the old connection with 0x8E [MQTT-3.1.4-3]") {
    wire_script w{2};
    auto& first = w.client("a");
    first.connects({.expiry = 100});
    auto& second = w.client("a");
    CHECK(second.connects({.clean = false, .expiry = 100}).session_present);
    CHECK(first.expects(packet_type::disconnect).code == reason::session_taken_over);
    CHECK(first.closed);
    CHECK(w.of(second).counts().connected == 1);
    second.raw({0xC0, 0x00});
    second.expects(packet_type::pingresp);
}

TEST_CASE("a client taking over before its predecessor was welcomed") {
    wire_script w;
    w.store.automatic = false;
    auto& first = w.client("a");
    first.says_hello({.expiry = 100});
    first.quiet();
    auto& second = w.client("a");
    second.says_hello({.expiry = 100});
    CHECK(first.expects(packet_type::connack).code == reason::server_busy);
    w.commit();
    CHECK(second.expects(packet_type::connack).code == reason::success);
    CHECK(w.of(second).counts().sessions == 1);
}

TEST_CASE("the same client id under another identity is another session") {
    wire_script w;
    w.defaults->username_is_identity = true;
    auto& one = w.client("sensor", "dev-1");
    auto& two = w.client("sensor", "dev-2");
    one.connects(), two.connects();
    CHECK_FALSE(one.closed);
}

TEST_CASE("a session ends when its expiry has passed, not before [MQTT-3.1.2-23] [MQTT-4.1.0-1] [MQTT-4.1.0-2]") {
    wire_script w;
    auto& a = w.client("a");
    a.connects({.expiry = 10});
    w.advance(60'000);
    a.drops();
    w.advance(9'000);
    CHECK(w.of(a).counts().sessions == 1);
    w.advance(1'000);
    CHECK(w.of(a).counts().sessions == 0);
    CHECK(w.store.sessions.empty());
}

TEST_CASE("session expiry is clamped, and told so") {
    wire_script w;
    w.defaults->session_expiry_max = 3600;
    auto& a = w.client("a");
    auto const c = a.connects({.expiry = 0xFFFFFFFF});
    CHECK(c.props.has(codec::prop::session_expiry));
    CHECK(c.props.session_expiry == 3600);
}

TEST_CASE("DISCONNECT changes the expiry, but not from 0 [MQTT-3.14.2-2]") {
    wire_script w;
    auto& a = w.client("a");
    a.connects({.expiry = 100});
    a.disconnects(reason::success, 0);
    CHECK(w.of(a).counts().sessions == 0);
    a.connects();
    a.disconnects(reason::success, 5);
    CHECK(a.expects(packet_type::disconnect).code == reason::protocol_error);
}

TEST_CASE("nothing is sent after the client's DISCONNECT [MQTT-3.14.4-1] [MQTT-3.14.4-2]") {
    wire_script w;
    auto& a = w.client("a");
    a.connects({.expiry = 100});
    a.disconnects();
    CHECK(a.closed);
    a.quiet();
}

TEST_CASE("draining says 0x8B, keeps sessions, and takes nobody new") {
    wire_script w;
    auto& a = w.client("a");
    a.connects({.expiry = 100});
    w.protocols[0]->drain();
    w.settle();
    CHECK(a.expects(packet_type::disconnect).code == reason::server_shutting_down);
    CHECK(w.protocols[0]->counts().sessions == 1);
    auto& b = w.client("b");
    b.says_hello();
    CHECK(b.expects(packet_type::connack).code == reason::server_unavailable);  // [MQTT-3.2.2-8]
}

TEST_CASE("from any thread: publish, list, kick, drain over all shards") {
    wire_script w{3};
    auto& a = w.client("a");
    a.connects();
    a.subscribes({"news", 1});
    storage::message_fields f;
    f.topic = "news", f.qos = 1;
    bool safe = false;
    handlers::publish(*w.world, storage::message::make(f), [&](bool ok) { safe = ok; });
    w.settle();
    CHECK(safe);
    a.expects_publish("news", "");
    std::size_t rows = 0, kicked = 9;
    handlers::list(*w.world, [&](auto list) { rows = list.size(); });
    handlers::kick(*w.world, "nobody", reason::administrative_action, false, [&](std::size_t n) { kicked = n; });
    handlers::drain(*w.world);
    w.settle();
    CHECK(rows == 1);
    CHECK(kicked == 0);
    CHECK(a.expects(packet_type::disconnect).code == reason::server_shutting_down);
}

TEST_CASE("an operator lists and kicks") {
    wire_script w;
    w.defaults->username_is_identity = true;
    auto& a = w.client("c1", "dev-1");
    a.connects({.expiry = 100});
    auto const rows = w.of(a).list();
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].identity == "dev-1");
    CHECK(rows[0].connected);
    CHECK(w.of(a).kick("dev-1", reason::administrative_action, true) == 1);
    w.settle();
    CHECK(a.expects(packet_type::disconnect).code == reason::administrative_action);
    CHECK(w.of(a).counts().sessions == 0);
}

namespace {
struct gate_double final : handlers::plugin_gate {
    handlers::wanted wanted_by(std::string_view t) const override {
        return t.ends_with("/heartbeat") ? handlers::wanted{1, 2, 0} : handlers::wanted{};
    }
    void post(storage::message_ptr const& m, std::uint32_t lanes) override {
        CHECK(lanes == 2);
        qos0.emplace_back(m->topic());
    }
    bool is_ready_filter(std::string_view id, std::string_view f) const override { return f == "devices/" + std::string{id} + "/command"; }
    void on_session(handlers::session_event const& e) override {
        events.push_back(std::to_string(static_cast<int>(e.what)) + " " + std::string{e.identity} + " " + std::string{e.topic} + " " + std::string{e.note});
    }
    codec::reason before_publish(session::session const&, std::string_view, codec::publish_view const& p) override {
        return as_text(p.payload) == "spam" ? reason::payload_format_invalid : reason::success;
    }
    std::vector<std::string> events, qos0;
};
}

TEST_CASE("plugins hear who is ready at SUBSCRIBE and at resume, who left and why, and see declared topics") {
    gate_double g;
    wire_script w;
    w.world->gate = &g;
    w.defaults->username_is_identity = true;
    auto& d = w.client("c", "dev-1");
    d.connects({.expiry = 100});
    d.subscribes({"devices/dev-1/command", 1});
    d.disconnects(reason::success, {}, "reboot");
    d.connects({.clean = false, .expiry = 100});
    d.drops();
    CHECK(g.events == std::vector<std::string>{"4 dev-1  ", "1 dev-1 devices/dev-1/command ", "2 dev-1 devices/dev-1/command reboot", "4 dev-1  ",
                                               "1 dev-1 devices/dev-1/command ", "3 dev-1 devices/dev-1/command "});
    d.connects({.clean = false, .expiry = 100});
    d.sends({"devices/dev-1/heartbeat", "{}", 0});
    CHECK(g.qos0 == std::vector<std::string>{"devices/dev-1/heartbeat"});
    w.store.automatic = false;
    d.sends({"devices/dev-1/heartbeat", "{}", 1, 5});
    d.quiet();  // a consumer must have it: stored before it is acknowledged
    w.commit();
    d.expects_ack(packet_type::puback, 5);
    d.sends({"devices/dev-1/heartbeat", "spam", 1, 6});
    d.expects_ack(packet_type::puback, 6, reason::payload_format_invalid);
}

TEST_CASE("B12 an identity has so many sessions over all shards and no more; its own it may take over, and an ended one makes room") {
    wire_script w{3};
    w.defaults->username_is_identity = true;
    w.defaults->sessions_per_identity_max = 4;
    for (char const* id : {"c0", "c1", "c2", "c3"}) w.client(id, "dev").connects({.clean = false, .expiry = 1000});
    auto refused = [&](char const* id, char const* identity) {
        auto& c = w.client(id, identity);
        c.says_hello();
        return c.expects(packet_type::connack).code == reason::quota_exceeded && c.closed;
    };
    CHECK(refused("c4", "dev"));
    w.client("c4", "other").connects();
    CHECK(w.client("c0", "dev").connects({.clean = false, .expiry = 1000}).session_present);
    w.restart();
    CHECK(refused("c4", "dev"));  // sessions that were kept count
    auto& clean = w.client("c0", "dev");
    clean.connects();
    clean.disconnects();
    w.client("c4", "dev").connects();
    CHECK(refused("c5", "dev"));
}
