// MQTT over WebSocket, plain and over TLS, to a broker of two shards: what a peer on TCP may do, and what only HTTP can get wrong.

#include "tests/e2e/listeners/raw.hpp"

#include <thread>

using namespace airmail;
using namespace airmail::testing;
using codec::packet_type;

namespace {

std::string const two_doors = "shard_count 2\nlistener {plain} 127.0.0.1\nprotocol websockets\nallow_anonymous true\n";

std::string secure_door() {
    auto& f = fleet::get().ours;
    return "listener {tls} 127.0.0.1\nprotocol websockets\nlistener_allow_anonymous true\ncertfile " + f.server().certificate + "\nkeyfile " + f.server().key + "\n";
}

struct house {
    house() : d{two_doors + secure_door()} { up(d); }
    broker_process d;
};
broker_process& broker() {
    static house h;
    return h.d;
}

/// One way in, for tests that hold for both.
struct way {
    bool tls;
    void open(raw_websocket& w) const {
        REQUIRE(w.connect(tls ? broker().tls_port() : broker().port()));
        if (tls) REQUIRE(w.secure({}));
        REQUIRE(w.upgrade() == 101);
    }
    void login(raw_websocket& w, std::string const& id, codec::connect_view c = {}) const {
        open(w);
        w.binary(connect_packet((tls ? "wss-" : "ws-") + id, c));
        auto const p = w.next();
        REQUIRE(p);
        REQUIRE(p->type == packet_type::connack);
        REQUIRE(p->body[1] == 0);
    }
};

bytes subscribe_packet(std::string_view filter, std::uint8_t qos) {
    bytes filters, b;
    codec::append_filter(filters, {.filter = filter, .qos = qos}, codec::version::v5);
    codec::encode(b, codec::subscribe_view{.packet_id = 1, .filters = filters}, codec::version::v5);
    return b;
}
void subscribe(raw_websocket& w, std::string_view filter, std::uint8_t qos) {
    w.binary(subscribe_packet(filter, qos));
    auto const p = w.next();
    REQUIRE(p);
    CHECK(p->type == packet_type::suback);
    CHECK(p->body.back() == qos);
}
bytes publish_packet(std::string_view topic, std::string_view payload, std::uint8_t qos = 0, std::uint16_t id = 0, std::uint16_t alias = 0) {
    codec::publish_view p;
    p.topic = topic;
    p.payload = {reinterpret_cast<std::uint8_t const*>(payload.data()), payload.size()};
    p.qos = qos;
    p.packet_id = id;
    if (alias) p.props.topic_alias = alias, p.props.present |= codec::bit(codec::prop::topic_alias);
    bytes b;
    codec::encode(b, p, codec::version::v5);
    return b;
}
bytes ack(packet_type t, std::uint16_t id) {
    bytes b;
    codec::encode_ack(b, t, id);
    return b;
}
/// The next packet is this PUBLISH; answers what its QoS asks for.
void receives(raw_websocket& w, std::string_view topic, std::string_view payload, std::uint8_t qos) {
    auto const p = w.next();
    REQUIRE(p);
    REQUIRE(p->type == packet_type::publish);
    auto const v = codec::decode_publish(p->flags, p->body, codec::version::v5, codec::sender::server);
    REQUIRE(v.has_value());
    CHECK(v->topic == topic);
    CHECK((std::string_view{reinterpret_cast<char const*>(v->payload.data()), v->payload.size()} == payload));
    CHECK(v->qos == qos);
    if (qos == 1) w.binary(ack(packet_type::puback, v->packet_id));
    if (qos != 2) return;
    w.binary(ack(packet_type::pubrec, v->packet_id));
    auto const rel = w.next();
    REQUIRE(rel);
    CHECK(rel->type == packet_type::pubrel);
    w.binary(ack(packet_type::pubcomp, v->packet_id));
}
void expects(raw_websocket& w, packet_type t) {
    auto const p = w.next();
    REQUIRE(p);
    CHECK(p->type == t);
}
bool ping(raw_websocket& w) {
    w.binary(bytes{0xC0, 0});
    auto const p = w.next();
    return p && p->type == packet_type::pingresp;
}
std::string counted(std::string const& name) {
    auto const text = "\n" + broker().get("/metrics").text;
    auto const at = text.find("\n" + name + " ");
    return at == text.npos ? "0" : text.substr(at + name.size() + 2, text.find('\n', at + 1) - at - name.size() - 2);
}

template <class F> void both_ways(F f) {
    for (bool const tls : {false, true}) {
        CAPTURE(tls);
        f(way{tls});
    }
}

}

TEST_CASE("QoS 0, 1 and 2 walk both ways, by name and by alias, over ws and wss [MQTT-6.0.0-4]") {
    both_ways([](way way) {
        raw_websocket a, b;
        way.login(a, "a");
        way.login(b, "b");
        CHECK(a.head.find("Sec-WebSocket-Protocol: mqtt\r\n") != a.head.npos);
        subscribe(b, "walk/+", 2);
        a.binary(publish_packet("walk/0", "zero"));
        receives(b, "walk/0", "zero", 0);
        a.binary(publish_packet("walk/1", "one", 1, 7, 3));
        expects(a, packet_type::puback);
        receives(b, "walk/1", "one", 1);
        a.binary(publish_packet("", "by alias", 1, 8, 3));
        expects(a, packet_type::puback);
        receives(b, "walk/1", "by alias", 1);
        a.binary(publish_packet("walk/2", "two", 2, 9));
        expects(a, packet_type::pubrec);
        a.binary(ack(packet_type::pubrel, 9));
        expects(a, packet_type::pubcomp);
        receives(b, "walk/2", "two", 2);
        // Nothing is something too: an empty payload, an empty message, an empty frame within one.
        a.binary(publish_packet("walk/none", ""));
        receives(b, "walk/none", "", 0);
        a.binary({});
        a.frame(2, bytes{0xC0}, false);
        a.frame(0, {}, false);
        a.frame(0, bytes{0});
        expects(a, packet_type::pingresp);
        CHECK(ping(a));
        CHECK(ping(b));
    });
}

TEST_CASE("frames and packets need not begin together [MQTT-6.0.0-2]") {
    both_ways([](way way) {
        raw_websocket a;
        way.open(a);
        auto all = connect_packet(way.tls ? "pieces-s" : "pieces");
        for (auto const& more : {subscribe_packet("pieces", 1), publish_packet("pieces", "hello", 1, 5), bytes{0xC0, 0}}) all.insert(all.end(), more.begin(), more.end());
        SUBCASE("each byte in a message of its own") {
            for (auto const b : all) a.binary(bytes{b});
        }
        SUBCASE("one message of one-byte frames, pings in between") {
            for (std::size_t i = 0; i < all.size(); ++i) {
                a.frame(i ? 0 : 2, byte_view{all}.subspan(i, 1), i + 1 == all.size());
                if (i % 10 == 0) a.frame(9, bytes{1, 2, 3});
            }
        }
        SUBCASE("everything in one message") { a.binary(all); }
        SUBCASE("cut in the middle of every packet") {
            for (std::size_t at = 0; at < all.size(); at += 7) a.binary(byte_view{all}.subspan(at, std::min<std::size_t>(7, all.size() - at)));
        }
        expects(a, packet_type::connack);
        expects(a, packet_type::suback);
        int publishes = 0, acks = 0, pongs = 0;
        for (int i = 0; i < 3; ++i) {
            auto const p = a.next();
            REQUIRE(p);
            publishes += p->type == packet_type::publish, acks += p->type == packet_type::puback, pongs += p->type == packet_type::pingresp;
        }
        CHECK((publishes == 1 && acks == 1 && pongs == 1));
    });
}

TEST_CASE("a packet is cut at each of its bytes and always arrives whole [MQTT-6.0.0-2]") {
    raw_websocket a, b;
    way const plain{false};
    plain.login(a, "cut-a");
    plain.login(b, "cut-b");
    subscribe(b, "cut", 0);
    auto const whole = publish_packet("cut", "0123456789");
    for (std::size_t at = 1; at < whole.size(); ++at) {
        CAPTURE(at);
        a.frame(2, byte_view{whole}.first(at), at % 2 == 0);                        // a message of its own, or
        a.frame(at % 2 == 0 ? 2 : 0, byte_view{whole}.subspan(at));                 // two frames of one
        receives(b, "cut", "0123456789", 0);
    }
}

TEST_CASE("large packets go both ways, in one frame and in thousands") {
    both_ways([](way way) {
        raw_websocket a, b;
        way.login(a, "big-a");
        way.login(b, "big-b");
        subscribe(b, "big", 1);
        std::string much(900'000, 'x');
        for (std::size_t i = 0; i < much.size(); ++i) much[i] = static_cast<char>('a' + i * 7 % 26);
        a.binary(publish_packet("big", much, 1, 1));
        expects(a, packet_type::puback);
        receives(b, "big", much, 1);
        a.in_pieces(publish_packet("big", much, 1, 2), 500);
        expects(a, packet_type::puback);
        receives(b, "big", much, 1);
    });
}

TEST_CASE("thousands of packets in a row are each answered, in order, though the window is small") {
    both_ways([](way way) {
        raw_websocket a;
        way.login(a, "many");
        std::string const payload(300, 'p');
        std::thread writer{[&] {
            bytes batch;
            for (std::uint16_t i = 1; i <= 4000; ++i) {
                auto const p = publish_packet("many", payload, 1, i);
                batch.insert(batch.end(), p.begin(), p.end());
                if (i % 40 == 0) a.binary(batch), batch.clear();
            }
        }};
        // Only this thread reads; a blocking TLS socket may be written by one thread while another reads only when plain.
        if (way.tls) writer.join();
        for (std::uint16_t i = 1; i <= 4000; ++i) {
            auto const p = a.next();
            REQUIRE(p);
            REQUIRE(p->type == packet_type::puback);
            REQUIRE((p->body[0] << 8 | p->body[1]) == i);
        }
        if (writer.joinable()) writer.join();
    });
}

TEST_CASE("a peer that does not read neither stops others nor costs without bound") {
    raw_websocket lazy, a;
    way const plain{false};
    plain.login(lazy, "lazy");
    plain.login(a, "busy");
    subscribe(lazy, "flood", 0);
    std::string const much(100'000, 'f');
    for (int i = 0; i < 300; ++i) a.binary(publish_packet("flood", much));
    CHECK(ping(a));
    // 30 MB went to it; it holds what the sockets and one window hold, and is cut or still there with the rest dropped.
    lazy.close();
    CHECK(ping(a));
}

TEST_CASE("a text frame closes the connection, and the will is published [MQTT-6.0.0-1]") {
    both_ways([](way way) {
        raw_websocket watch, a;
        way.login(watch, "watch");
        subscribe(watch, "wills", 1);
        codec::connect_view c;
        codec::will_view w;
        w.topic = "wills";
        w.payload = byte_view{reinterpret_cast<std::uint8_t const*>("gone"), 4};
        c.will = w;
        way.login(a, "text", c);
        bool const utf8 = !way.tls;
        a.frame(1, utf8 ? bytes{'h', 'i'} : bytes{0xC0, 0});
        CHECK(a.close_code() == (utf8 ? 1003 : 1007));
        CHECK(a.closed());
        receives(watch, "wills", "gone", 0);
    });
    CHECK(counted("airmail_net_websocket_text_total") == "2");
}

TEST_CASE("closing the WebSocket without DISCONNECT publishes the will; DISCONNECT does not, and is answered by a close frame") {
    raw_websocket watch, a, b;
    way const plain{false};
    plain.login(watch, "watch2");
    subscribe(watch, "wills2", 0);
    codec::connect_view c;
    codec::will_view w;
    w.topic = "wills2";
    w.payload = byte_view{reinterpret_cast<std::uint8_t const*>("a"), 1};
    c.will = w;
    plain.login(b, "leaves", c);
    b.binary(bytes{0xE0, 0});
    CHECK(b.close_code() == 1000);
    plain.login(a, "closes", c);
    a.frame(8, bytes{0x03, 0xE8});
    CHECK(a.close_code() == 1000);
    receives(watch, "wills2", "a", 0);
    CHECK(ping(watch));
}

TEST_CASE("what breaks the rules of WebSocket is closed with the right word") {
    way const plain{false};
    raw_websocket a;
    plain.login(a, "rules");
    SUBCASE("an unmasked frame") {
        a.frame(2, bytes{0xC0, 0}, true, false);
        CHECK(a.close_code() == 1002);
    }
    SUBCASE("an unknown opcode") {
        a.frame(3, bytes{0xC0, 0});
        CHECK(a.close_code() == 1002);
    }
    SUBCASE("a continuation of nothing") {
        a.frame(0, bytes{0xC0, 0});
        CHECK(a.close_code() == 1002);
    }
    SUBCASE("a fragmented ping") {
        a.frame(9, bytes{1}, false);
        CHECK(a.close_code() == 1002);
    }
    SUBCASE("a message larger than limit_websocket_message") {
        a.send(std::string_view{"\x82\xff\x00\x00\x00\x00\x7f\x00\x00\x00\x12\x34\x56\x78", 14});
        CHECK(a.close_code() == 1009);
    }
    CHECK(a.closed());
}

TEST_CASE("a ping is answered with its payload, before and after CONNECT") {
    both_ways([](way way) {
        raw_websocket a;
        way.open(a);
        a.frame(9, bytes{'h', 'i'});
        a.binary(connect_packet(way.tls ? "pings-s" : "pings"));
        expects(a, packet_type::connack);
        a.frame(9, bytes{});
        CHECK(ping(a));
        REQUIRE(a.pongs.size() == 2);
        CHECK(a.pongs[0] == bytes{'h', 'i'});
        CHECK(a.pongs[1].empty());
    });
}

TEST_CASE("what does not ask for MQTT over WebSocket gets an HTTP answer that says what is wrong") {
    raw_websocket a;
    REQUIRE(a.connect(broker().port()));
    int wanted = 400;
    SUBCASE("no subprotocol [MQTT-6.0.0-3]") { CHECK(a.upgrade("/", "") == wanted); }
    SUBCASE("another subprotocol [MQTT-6.0.0-3]") { CHECK(a.upgrade("/", "Sec-WebSocket-Protocol: chat\r\n") == wanted); }
    SUBCASE("a header without end") {
        wanted = 431;
        CHECK(a.upgrade("/", "X: " + std::string(9000, 'x') + "\r\n") == wanted);
    }
    SUBCASE("no upgrade") {
        wanted = 426;
        a.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        CHECK(a.read(12) == bytes{'H', 'T', 'T', 'P', '/', '1', '.', '1', ' ', '4', '2', '6'});
    }
    SUBCASE("no HTTP") {
        a.send(connect_packet("no-http"));
        a.send("\r\n\r\n");
        CHECK(a.read(12) == bytes{'H', 'T', 'T', 'P', '/', '1', '.', '1', ' ', '4', '0', '0'});
    }
}

TEST_CASE("path and origin are obeyed when they are written, and a device listener lets no page in") {
    auto& f = fleet::get();
    broker_process d{"listener {plain} 127.0.0.1\nprotocol websockets\nlistener_allow_anonymous true\nhttp_websocket_path /mqtt\nwebsockets_origin https://good.example\n" +
                     f.device_listener() + "protocol websockets\n"};
    up(d);
    auto const asks = [&](std::string const& path, std::string const& more) {
        raw_websocket w;
        REQUIRE(w.connect(d.port()));
        return w.upgrade(path, "Sec-WebSocket-Protocol: mqtt\r\n" + more);
    };
    CHECK(asks("/mqtt", "") == 101);
    CHECK(asks("/mqtt?x=y", "") == 101);
    CHECK(asks("/", "") == 404);
    CHECK(asks("/mqtt", "Origin: https://good.example\r\n") == 101);
    CHECK(asks("/mqtt", "Origin: https://evil.example\r\n") == 403);
    CHECK(asks("/mqtt", "Origin: null\r\n") == 403);

    auto const mine = f.ours.device("web-1");
    raw_websocket page, device;
    REQUIRE(page.connect(d.tls_port()));
    REQUIRE(page.secure(mine));
    CHECK(page.upgrade("/mqtt", "Sec-WebSocket-Protocol: mqtt\r\nOrigin: https://good.example\r\n") == 403);
    REQUIRE(device.connect(d.tls_port()));
    REQUIRE(device.secure(mine));
    REQUIRE(device.upgrade("/mqtt") == 101);
    device.binary(connect_packet("web-1"));
    expects(device, packet_type::connack);
    subscribe(device, "devices/web-1/command", 1);
    device.binary(publish_packet("devices/web-2/status", "{}", 1, 1));
    auto const no = device.next();
    REQUIRE(no);
    CHECK(no->type == packet_type::puback);
    CHECK(no->body.at(2) == 0x87);   // the identity of the certificate came along
    raw_websocket nobody;
    REQUIRE(nobody.connect(d.tls_port()));
    CHECK((!nobody.secure({}) || nobody.upgrade() == 0));
}

TEST_CASE("a takeover, a keep alive and a bad first packet end a WebSocket as they end a socket") {
    way const plain{false};
    raw_websocket first, second, silent, wrong;
    plain.login(first, "taken");
    plain.login(second, "taken");
    auto const p = first.next();
    REQUIRE(p);
    CHECK(p->type == packet_type::disconnect);
    CHECK(p->body.at(0) == 0x8E);
    CHECK(first.close_code() == 1000);
    CHECK(ping(second));
    plain.login(silent, "silent", {.keep_alive = 1});
    auto const last = silent.next();
    REQUIRE(last);
    CHECK(last->type == packet_type::disconnect);
    CHECK(last->body.at(0) == 0x8D);
    plain.open(wrong);
    wrong.binary(bytes{0xC0, 0});
    CHECK(wrong.close_code() == 1002);
    CHECK(ping(second));
}

TEST_CASE("a stop tells WebSockets too: DISCONNECT 0x8B, then a close frame") {
    broker_process d{two_doors};
    up(d);
    raw_websocket a, half;
    REQUIRE(half.connect(d.port()));
    REQUIRE(half.upgrade() == 101);
    REQUIRE(a.connect(d.port()));
    REQUIRE(a.upgrade() == 101);
    a.binary(connect_packet("told"));
    expects(a, packet_type::connack);
    d.signal(SIGTERM);
    auto const p = a.next();
    REQUIRE(p);
    CHECK(p->type == packet_type::disconnect);
    CHECK(p->body.at(0) == 0x8B);
    CHECK(a.close_code() == 1000);
    CHECK(half.closed());
    CHECK(d.stop() == 0);
    CHECK(d.said().find("ERROR: ") == std::string::npos);   // sanitizers
}

TEST_CASE("none of it is left behind") {
    CHECK(eventually([] { return counted("airmail_net_websockets") == "0" && counted("airmail_net_newcomers") == "0"; }));
    CHECK(counted("airmail_net_connections") == "0");
}
