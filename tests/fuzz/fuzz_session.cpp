// links: airmail::handlers airmail::acl
// A whole session and its neighbours: the input is a script of three clients on two shards, of time, and of a disk that syncs
// when told. Whatever they do, what the broker sends can be read, fits its receiver, keeps Receive Maximum and names a topic.

#include "broker/codec/auth.hpp"
#include "broker/codec/connack.hpp"
#include "broker/codec/connect.hpp"
#include "broker/codec/disconnect.hpp"
#include "broker/codec/publish.hpp"
#include "broker/codec/subscribe.hpp"
#include "broker/codec/unsubscribe.hpp"
#include "broker/handlers/mqtt.hpp"
#include "broker/handlers/recovery.hpp"
#include "tests/support/fake_shards.hpp"
#include "tests/support/packet_text.hpp"
#include "tests/support/scripted_store.hpp"

#include <cstdlib>
#include <set>

using namespace airmail;
using namespace airmail::test;

namespace {

void insist(bool truth) {
    if (!truth) std::abort();
}

/// The input, taken apart; zeros when it is used up.
class script {
public:
    script(std::uint8_t const* data, std::size_t size) : rest_{data, size} {}
    bool more() const { return !rest_.empty(); }
    std::uint8_t byte() {
        if (rest_.empty()) return 0;
        auto const b = rest_[0];
        rest_ = rest_.subspan(1);
        return b;
    }
    byte_view take(std::size_t n) {
        auto const part = rest_.first(std::min(n, rest_.size()));
        rest_ = rest_.subspan(part.size());
        return part;
    }
    template <std::size_t N> std::string_view one_of(std::array<std::string_view, N> const& words) { return words[byte() % N]; }

private:
    byte_view rest_;
};

constexpr std::array<std::string_view, 8> topics{"a", "a/b", "a/b/c", "long/topic/name", "$own/x", "", "a//", "b"};
constexpr std::array<std::string_view, 10> filters{"a", "#", "+/b", "a/#", "long/+/name", "$own/#", "$share/g/a/#", "$share/g/#", "$share/h/+", "b"};

/// One client and what it knows of its connection.
struct client final : handlers::peer {
    std::string id;
    handlers::listener_rules limits;
    bytes sent;
    std::uint64_t number = 0;
    bool open = false, must_go = false;
    std::uint16_t receive_maximum = 65535, alias_maximum = 0;
    std::set<std::uint16_t> in_flight;
    std::set<std::uint16_t> aliases;
    std::uint16_t last_id = 1;

    bytes& out() override { return sent; }
    void out_shared(byte_view head, storage::message_ptr body) override {
        sent.insert(sent.end(), head.begin(), head.end());
        sent.insert(sent.end(), body->payload().begin(), body->payload().end());
    }
    std::size_t out_bytes() const override { return sent.size(); }
    void close(codec::reason r, std::string_view why) override {
        if (must_go || !open) return;
        if (welcomed && protocol == codec::version::v5 && r != codec::reason::success) {
            codec::disconnect_view d{r};
            d.props.explain(why);
            codec::encode(sent, d, protocol);
        }
        must_go = true;
    }
    void pause_reading(bool) override {}
    handlers::listener_rules const& rules() const override { return limits; }
    std::uint64_t connection_number() const override { return number; }
    std::string_view address() const override { return "192.0.2.1:1"; }
    acl::identity const* certificate() const override { return nullptr; }

    /// Reads all that came and holds it against what this connection was promised.
    void read() {
        byte_view rest = sent;
        while (!rest.empty()) {
            auto const f = codec::next_frame(rest, protocol);
            insist(f.has_value() && f->complete());
            auto const whole = rest.first(f->size);
            rest = rest.subspan(f->size);
            insist(describe(whole, protocol, codec::sender::server).has_value());
            if (packet_bytes_most && f->type != codec::packet_type::disconnect) insist(f->size <= packet_bytes_most);
            if (f->type == codec::packet_type::publish) publish(*f);
        }
        sent.clear();
    }
    void publish(codec::frame const& f) {
        auto const p = codec::decode_publish(f.flags, f.body, protocol, codec::sender::server);
        insist(p.has_value());
        if (p->props.has(codec::prop::topic_alias)) {
            insist(p->props.topic_alias <= alias_maximum);
            insist(!p->topic.empty() || aliases.count(p->props.topic_alias));
            aliases.insert(p->props.topic_alias);
        }
        if (p->qos == 0) return;
        last_id = p->packet_id;
        in_flight.insert(p->packet_id);
        insist(in_flight.size() <= receive_maximum);
    }
};

struct house {
    fake_clock clock;
    scripted_store store{clock};
    fake_shards shards{2, clock};
    handlers::world world;
    std::vector<std::unique_ptr<handlers::mqtt>> protocols;
    std::array<client, 3> clients;
    std::uint64_t connections = 0;

    house() {
        world.store = &store;
        world.wall_s = [] { return std::int64_t{1'790'000'000}; };
        world.scram = [](std::uint16_t, std::string_view) { return acl::scram_verifier{4096, "0123456789abcdef", std::string(32, 'k'), std::string(32, 's')}; };
        world.limits.shared_groups = 2;
        for (unsigned i = 0; i < 2; ++i) protocols.push_back(handlers::make_protocol(shards[i], world));
        for (std::size_t i = 0; i < clients.size(); ++i) {
            auto& c = clients[i];
            c.id = std::string{"client-"} + static_cast<char>('0' + i);
            c.limits.device = false, c.limits.allow_anonymous = true, c.limits.durable = i != 2;
            c.limits.publish_rate = 0, c.limits.publish_bytes_s = 0, c.limits.queue_messages_max = 20, c.limits.each_copy = i == 1;
        }
    }
    handlers::mqtt& home(client const& c) { return *protocols[handlers::hash({0, "", c.id}) % 2]; }
    void settle() {
        for (;;) {
            bool const some = shards.settle();
            for (auto& c : clients) {
                c.read();
                if (std::exchange(c.must_go, false) && std::exchange(c.open, false)) home(c).gone(c);
            }
            if (store.automatic && !store.idle()) {
                store.commit();
                continue;
            }
            if (!some) return;
        }
    }
    void drop(client& c) {
        if (std::exchange(c.open, false)) home(c).gone(c);
        c.must_go = false, c.session = nullptr, c.welcomed = false;
        settle();
    }
    void packet(client& c, byte_view whole) {
        auto const f = codec::next_frame(whole, c.protocol, 1 << 16);
        if (!c.open || c.must_go || !f || !f->complete()) return;
        home(c).packet(c, *f);
        settle();
    }
    void connect(client& c, script& in) {
        drop(c);
        codec::connect_view v;
        auto const how = in.byte(), more = in.byte();
        v.protocol = static_cast<codec::version>(3 + how % 3);
        v.clean_start = how & 0x10;
        v.client_id = c.id;
        bool const five = v.protocol == codec::version::v5;
        if (five && more & 1) v.props.add(codec::prop::session_expiry), v.props.session_expiry = 1 + in.byte() * 10U;
        if (five && more & 2) v.props.add(codec::prop::receive_maximum), v.props.receive_maximum = static_cast<std::uint16_t>(1 + in.byte() % 4);
        if (five && more & 4) v.props.add(codec::prop::maximum_packet_size), v.props.maximum_packet_size = 20 + in.byte();
        if (five && more & 8) v.props.add(codec::prop::topic_alias_maximum), v.props.topic_alias_maximum = in.byte() % 4;
        if (five && more & 16) v.props.add(codec::prop::auth_method), v.props.auth_method = acl::scram_method, v.props.add(codec::prop::auth_data), v.props.auth_data = as_bytes(std::string_view{"n,,n=ann,r=12345678"});
        if (five) v.props.request_problem_info = how & 0x20 ? 0 : 1;
        if (how & 0x40) {
            codec::will_view w;
            w.qos = more >> 5 & 1, w.retain = more >> 6 & 1, w.topic = "a/b", w.payload = as_bytes(std::string_view{"gone"});
            if (five && more & 0x80) w.props.add(codec::prop::will_delay), w.props.will_delay = in.byte();
            v.will = w;
        }
        c.number = ++connections, c.open = true;
        c.in_flight.clear(), c.aliases.clear();
        c.receive_maximum = v.props.receive_maximum, c.alias_maximum = v.props.topic_alias_maximum;
        home(c).connect(c, v, {});
        settle();
    }
    void publish(client& c, script& in) {
        codec::publish_view p;
        auto const how = in.byte();
        p.qos = how % 3, p.retain = how & 0x10, p.dup = p.qos && how & 0x20;
        p.packet_id = p.qos ? static_cast<std::uint16_t>(1 + (how >> 6)) : 0;
        p.topic = in.one_of(topics);
        bytes const payload(how & 0x08 ? 2100 : in.byte() % 16, 'x');
        p.payload = payload;
        if (c.protocol == codec::version::v5 && (how & 0x04 || p.topic.empty())) p.props.add(codec::prop::topic_alias), p.props.topic_alias = static_cast<std::uint16_t>(1 + in.byte() % 20);
        if (c.protocol == codec::version::v5 && how & 0x80) p.props.add(codec::prop::message_expiry), p.props.message_expiry = in.byte() % 4;
        bytes whole;
        codec::encode(whole, p, c.protocol);
        packet(c, whole);
    }
    void subscribe(client& c, script& in) {
        codec::subscribe_view s;
        bytes list, whole;
        auto const how = in.byte();
        s.packet_id = 7, s.count = static_cast<std::uint16_t>(1 + how % 2);
        for (unsigned i = 0; i < s.count; ++i) {
            auto const options = in.byte();
            codec::subscription_view v{in.one_of(filters), static_cast<std::uint8_t>(options % 3), (options & 4) != 0, (options & 8) != 0, static_cast<std::uint8_t>((options >> 4) % 3)};
            if (c.protocol != codec::version::v5) v.no_local = v.retain_as_published = false, v.retain_handling = 0;
            codec::append_filter(list, v, c.protocol);
        }
        s.filters = list;
        if (c.protocol == codec::version::v5 && how & 2) s.props.add(codec::prop::subscription_id), s.props.subscription_ids[0] = 1 + how, s.props.subscription_id_count = 1;
        codec::encode(whole, s, c.protocol);
        packet(c, whole);
    }
    void unsubscribe(client& c, script& in) {
        codec::unsubscribe_view u;
        bytes list, whole;
        codec::append_filter(list, in.one_of(filters));
        u.packet_id = 8, u.count = 1, u.filters = list;
        codec::encode(whole, u, c.protocol);
        packet(c, whole);
    }
    void ack(client& c, script& in) {
        auto const how = in.byte();
        auto const type = static_cast<std::uint8_t>(4 + how % 4);
        auto const id = how & 0x10 ? static_cast<std::uint16_t>(1 + in.byte() % 4) : how & 0x20 && !c.in_flight.empty() ? *c.in_flight.begin() : c.last_id;
        bool const bad = how & 0x80 && c.protocol == codec::version::v5 && type < 6;
        // Over for us as soon as we say so; PUBREC below 0x80 only begins the end.
        if (type == 4 || type == 7 || bad) c.in_flight.erase(id);
        bytes whole{static_cast<std::uint8_t>(type << 4 | (type == 6 ? 2 : 0)), static_cast<std::uint8_t>(bad ? 3 : 2), static_cast<std::uint8_t>(id >> 8), static_cast<std::uint8_t>(id)};
        if (bad) whole.push_back(0x80);
        packet(c, whole);
    }
    void disconnect(client& c, script& in) {
        auto const how = in.byte();
        codec::disconnect_view d{how & 1 && c.protocol == codec::version::v5 ? codec::reason::disconnect_with_will : codec::reason::success};
        if (c.protocol == codec::version::v5 && how & 2) d.props.add(codec::prop::session_expiry), d.props.session_expiry = how >> 4;
        bytes whole;
        codec::encode(whole, d, c.protocol);
        packet(c, whole);
        drop(c);
    }
    void raw(client& c, script& in) {
        auto const first = in.byte();
        auto const body = in.take(in.byte() % 100);
        bytes whole{first, static_cast<std::uint8_t>(body.size())};
        whole.insert(whole.end(), body.begin(), body.end());
        packet(c, whole);
    }
    void time(script& in) {
        clock.advance(std::int64_t{in.byte()} * 100);
        shards.advance_timers();
        for (auto& p : protocols) p->tick();
        settle();
    }
    void disk(script& in) {
        auto const how = in.byte();
        store.automatic = how & 1;
        store.refuse = how & 2 && !(how & 1);
        if (how & 4) store.fail_next = storage::errc::io;
        store.commit();
        settle();
    }
};

}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    house h;
    script in{data, std::min<std::size_t>(size, 4096)};
    while (in.more()) {
        auto const what = in.byte();
        auto& c = h.clients[what / 16 % 3];
        switch (what % 16) {
        case 0: case 1: h.connect(c, in); break;
        case 2: case 3: case 4: h.publish(c, in); break;
        case 5: case 6: h.subscribe(c, in); break;
        case 7: h.unsubscribe(c, in); break;
        case 8: case 9: h.ack(c, in); break;
        case 10: h.packet(c, bytes{0xC0, 0x00}); break;
        case 11: h.disconnect(c, in); break;
        case 12: h.drop(c); break;
        case 13: h.time(in); break;
        case 14: h.disk(in); break;
        default: h.raw(c, in);
        }
    }
    h.store.automatic = true, h.store.refuse = false;
    h.settle();
    return 0;
}
