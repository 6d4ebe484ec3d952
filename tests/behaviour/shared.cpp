// Shared subscriptions: who gets a message, and what becomes of it when that one leaves. [MQTT 5, 4.8.2]

#include "tests/support/wire_script.hpp"

#include <map>

using namespace airmail;
using namespace airmail::test;

namespace {

std::function<void(handlers::world&)> strategy(router::share_strategy s) {
    return [s](handlers::world& w) { w.limits.share = s; };
}

/// Reads what a client got; acknowledges QoS 1 when asked to.
std::vector<std::string> payloads(wire_client& c, bool acknowledge = true) {
    std::vector<std::string> out;
    while (auto const p = c.next()) {
        REQUIRE(p->type == packet_type::publish);
        out.push_back(p->payload);
        if (acknowledge && p->qos == 1) c.acks(packet_type::puback, p->id);
    }
    return out;
}

}

TEST_CASE("by turns: three members get every third message, on whichever shard they are") {
    wire_script w{2};
    auto& from = w.client("from");
    from.connects();
    std::vector<wire_client*> members{&w.client_on(0, "m"), &w.client_on(1, "m"), &w.client_on(1, "m")};
    for (auto* m : members) m->connects(), m->subscribes({"$share/g/t", 0});
    for (int i = 0; i < 9; ++i) from.sends({"t", std::to_string(i)});
    for (auto* m : members) CHECK(payloads(*m).size() == 3);
}

TEST_CASE("by hash: one publisher's messages go to one member, and few publishers move when a member comes") {
    wire_script w{2, 1, strategy(router::share_strategy::hash)};
    std::map<std::string, int> before;
    std::vector<wire_client*> members{&w.client("m0"), &w.client("m1"), &w.client("m2")};
    for (auto* m : members) m->connects(), m->subscribes({"$share/g/t", 0});
    std::vector<wire_client*> publishers;
    for (int i = 0; i < 24; ++i) publishers.push_back(&w.client("p" + std::to_string(i))), publishers.back()->connects();
    auto const round = [&] {
        std::map<std::string, std::set<int>> where;
        for (auto* p : publishers)
            for (int i = 0; i < 3; ++i) p->sends({"t", p->client_id});
        for (std::size_t m = 0; m < members.size(); ++m)
            for (auto const& id : payloads(*members[m])) where[id].insert(static_cast<int>(m));
        return where;
    };
    auto const first = round();
    std::set<int> used;
    for (auto const& [id, who] : first) {
        CHECK(who.size() == 1);
        used.insert(*who.begin());
    }
    CHECK(used.size() > 1);
    members.push_back(&w.client("m3"));
    members.back()->connects(), members.back()->subscribes({"$share/g/t", 0});
    auto const second = round();
    for (auto const& [id, who] : second) CHECK((who == first.at(id) || who == std::set<int>{3}));  // stays, or goes to the newcomer
}

TEST_CASE("sticky: one member until it leaves, then another") {
    wire_script w{2, 1, strategy(router::share_strategy::sticky)};
    auto &from = w.client("from"), &a = w.client("a"), &b = w.client("b");
    from.connects();
    for (auto* m : {&a, &b}) m->connects(), m->subscribes({"$share/g/t", 0});
    for (int i = 0; i < 5; ++i) from.sends({"t", "x"});
    auto const in_a = payloads(a).size(), in_b = payloads(b).size();
    CHECK(in_a + in_b == 5);
    CHECK((in_a == 5 || in_b == 5));
    auto &first = in_a ? a : b, &second = in_a ? b : a;
    first.drops();
    for (int i = 0; i < 3; ++i) from.sends({"t", "y"});
    CHECK(payloads(second).size() == 3);
}

TEST_CASE("least loaded: who does not acknowledge gets less") {
    wire_script w{2, 1, strategy(router::share_strategy::least_loaded)};
    auto &from = w.client("from"), &slow = w.client("slow"), &quick = w.client("quick");
    from.connects();
    for (auto* m : {&slow, &quick}) m->connects(), m->subscribes({"$share/g/t", 1});
    std::size_t to_slow = 0, to_quick = 0;
    for (int i = 0; i < 20; ++i) {
        from.sends({"t", "x", 1, 1});
        from.expects_ack(packet_type::puback, 1);
        to_slow += payloads(slow, false).size();
        to_quick += payloads(quick, true).size();
    }
    CHECK(to_slow + to_quick == 20);
    CHECK(to_slow <= 2);
}

TEST_CASE("what a member that unsubscribes had not been sent goes to another; what had begun is finished") {
    wire_script w{2};
    auto &from = w.client("from"), &one = w.client_on(0, "one"), &two = w.client_on(1, "two");
    from.connects();
    one.connects({.expiry = 100, .receive_maximum = 1});
    one.subscribes({"$share/g/t", 1});
    for (auto const* n : {"1", "2", "3"}) from.sends({"t", n, 1, 1}), from.expects_ack(packet_type::puback, 1);
    auto const first = one.expects_publish("t", "1");
    two.connects({.expiry = 100});
    two.subscribes({"$share/g/t", 1});
    two.quiet();
    CHECK(one.unsubscribes("$share/g/t") == reason::success);
    CHECK(payloads(two) == std::vector<std::string>{"2", "3"});
    one.acks(packet_type::puback, first.id);
    one.quiet();
    w.settle();
    CHECK(w.store.living() == 0);  // every reference has been settled, the old ones and the new ones
}

TEST_CASE("when a member's session ends, its QoS 1 messages go to another, also those that it had not acknowledged; QoS 2 ones that had begun do not [MQTT-4.8.2-5]") {
    wire_script w{2};
    auto &from = w.client("from"), &one = w.client_on(0, "one"), &two = w.client_on(1, "two");
    from.connects();
    one.connects({.expiry = 100});
    one.subscribes({"$share/g/t", 2});
    from.sends({"t", "1", 1, 1}), from.expects_ack(packet_type::puback, 1);
    from.sends({"t", "2", 2, 2}), from.expects_ack(packet_type::pubrec, 2);
    one.expects_publish("t", "1"), one.expects_publish("t", "2");
    two.connects({.expiry = 100});
    two.subscribes({"$share/g/t", 1});
    SUBCASE("by DISCONNECT") { one.disconnects(reason::success, 0); }
    SUBCASE("by a clean start") { one.drops(), one.connects({.clean = true}); }
    SUBCASE("by its expiry") { one.drops(), w.advance(100'001); }
    CHECK(payloads(two) == std::vector<std::string>{"1"});
    w.settle();
    CHECK(w.store.living() == 0);
}

TEST_CASE("messages that only the disk has are fetched for the one who takes over, and a crash before that loses none") {
    wire_script w{2};
    auto &from = w.client("from"), &one = w.client_on(0, "one"), &two = w.client_on(1, "two");
    from.connects();
    one.connects({.expiry = 100});
    one.subscribes({"$share/g/#", 1});
    one.drops();
    for (auto const* n : {"1", "2", "3"}) from.sends({"t", n, 1, 1}), from.expects_ack(packet_type::puback, 1);
    two.connects({.expiry = 1000});
    two.subscribes({"$share/g/#", 1});
    CHECK(w.store.living() == 3);
    w.advance(100'001);
    CHECK(payloads(two, false) == std::vector<std::string>{"1", "2", "3"});
    w.restart();
    two.connects({.clean = false, .expiry = 1000});
    CHECK(payloads(two) == std::vector<std::string>{"1", "2", "3"});
    CHECK(w.store.living() == 0);
}

TEST_CASE("when nobody is left in the group, a message goes with its member") {
    wire_script w{2};
    auto &from = w.client("from"), &one = w.client("one");
    from.connects();
    one.connects({.expiry = 100, .receive_maximum = 1});
    one.subscribes({"$share/g/t", 1});
    for (auto const* n : {"1", "2"}) from.sends({"t", n, 1, 1}), from.expects_ack(packet_type::puback, 1);
    one.disconnects(reason::success, 0);
    w.settle();
    CHECK(w.store.living() == 0);
    CHECK(w.of(one).counts().sessions <= 1);
}

TEST_CASE("a shared subscription is authorised by the filter inside it") {
    wire_script w;
    w.rules([](auto&, acl::action what, std::string_view topic) { return what == acl::action::subscribe ? topic == "allowed/#" : true; });
    auto& a = w.client("a");
    a.connects();
    CHECK(a.subscribes({"$share/g/allowed/#", 1}) == reason::granted_qos_1);
    CHECK(a.subscribes({"$share/g/#", 1}) == reason::not_authorized);
    CHECK(a.subscribes({"$share/allowed/x", 1}) == reason::not_authorized);
}
