#include "storage/store.hpp"
#include "rig.hpp"

#include <sys/stat.h>

using namespace airmail::storage;
using namespace airmail::storage::test;

TEST_CASE("many changes share one sync, and every port hears once per commit") {
    folder f;
    rig r{f.hot()};
    REQUIRE(r.open(false));
    std::vector<ticket> tickets;
    for (int i = 0; i < 5'000; ++i) tickets.push_back(r.one.submit(to(text("a/b", "x"), {1})));
    r.hot->start();
    r.one.mail.run_until([&] { return r.one.answered(tickets.back()); });
    CHECK(r.one.stored.size() == 5'000);
    CHECK(r.hot->stats().commits <= 2);
    CHECK(r.one.mails <= 2);
    CHECK(r.one.stored.begin()->first == 1);
}

TEST_CASE("LSNs grow in the order in which a shard submitted") {
    folder f;
    rig r{f.hot()};
    REQUIRE(r.open());
    ticket last = 0;
    for (int i = 0; i < 300; ++i) last = r.one.submit(to(text("a", std::to_string(i)), {1}));
    r.one.mail.run_until([&] { return r.one.answered(last); });
    lsn before = 0;
    for (auto const& [t, at] : r.one.stored) {
        CHECK(at > before);
        before = at;
    }
}

TEST_CASE("a message, its references, its retained entry and its QoS 2 id are stored together [MQTT-4.3.3-10]") {
    folder f;
    rig r{f.hot()};
    REQUIRE(r.open());
    r.one.put(put_session{session(7, "seven")});
    r.one.put(put_session{session(8, "eight")});
    auto p = to(text("t", "body"), {8, 7, 8});   // not sorted, and one twice
    p.references[1].qos = 2;
    p.references[1].subscription_id = 268'435'455;
    p.retain_set = true;
    p.qos2_in = {7, 99};
    auto at = r.one.put(p);
    REQUIRE(at != 0);
    REQUIRE(r.again());
    CHECK(r.was.references.size() == 2);
    CHECK(r.was.references[{at, 7}].r.qos == 2);
    CHECK(r.was.references[{at, 7}].r.subscription_id == 268'435'455);
    CHECK(r.was.references[{at, 8}].payload_bytes == 4);
    CHECK(r.was.retained["t"] == std::pair{at, std::string{"body"}});
    CHECK(r.was.qos2_in.contains({7, 99}));
    auto m = r.one.fetch({at, at + 12'345});
    REQUIRE(m[0]);
    CHECK(m[0]->topic() == "t");
    CHECK(!m[1]);
    r.one.put(forget_qos2_in{7, 99});
    r.one.put(put_state{1, 1, {1}});   // the next transaction takes it out
    REQUIRE(r.again());
    CHECK(r.was.qos2_in.empty());
}

TEST_CASE("every field of a message and of a session survives") {
    folder f;
    rig r{f.hot()};
    REQUIRE(r.open());
    std::vector<std::uint8_t> props{1, 0, 2}, body(3'000, 7);
    auto s = session(3, "c");
    s.tenant = 0, s.expiry_s = 0xFFFFFFFF, s.disconnected_at_ms = 12, s.protocol = 4;
    s.will = session_record::will_record{"w", {1, 2}, {3}, 2, true, 30, 60};
    r.one.put(put_session{s});
    r.one.put(put_subscription{{3, "$share/g/a/+", 0x2d, 17}});
    put_message p{.body = message::make({.tenant = 5, .qos = 2, .retain = true, .topic = "x/\xc3\xa9", .properties = props, .payload = body,
                                         .expires_at_ms = 77, .received_at_ms = -5, .publisher = 3, .identity = "dev", .client_id = "cid"}),
                  .references = {{.session = 3, .qos = 2, .subscription_id = 17, .retain = true}}};
    auto at = r.one.put(p);
    REQUIRE(r.again());
    auto m = r.one.fetch({at})[0];
    REQUIRE(m);
    CHECK(m->tenant() == 5);
    CHECK(m->qos() == 2);
    CHECK(m->retain());
    CHECK(m->topic() == "x/\xc3\xa9");
    CHECK(std::equal(props.begin(), props.end(), m->properties().begin(), m->properties().end()));
    CHECK(m->payload().size() == 3'000);
    CHECK(m->expires_at_ms() == 77);
    CHECK(m->received_at_ms() == -5);
    CHECK(m->publisher() == 3);
    CHECK(m->identity() == "dev");
    CHECK(m->client_id() == "cid");
    auto const& back = r.was.sessions[3];
    CHECK(back.identity == "id-c");
    CHECK(back.expiry_s == 0xFFFFFFFF);
    CHECK(back.disconnected_at_ms == 12);
    CHECK(back.protocol == 4);
    REQUIRE(back.will);
    CHECK(back.will->topic == "w");
    CHECK(back.will->payload == std::vector<std::uint8_t>{1, 2});
    CHECK(back.will->delay_s == 30);
    CHECK(back.will->retain);
    CHECK(r.was.subscriptions[{3, "$share/g/a/+"}].options == 0x2d);
    CHECK(r.was.references[{at, 3}].r.retain);
}

TEST_CASE("how far a delivery has come is kept, and a settled one does not come back [MQTT-4.4.0-1]") {
    folder f;
    rig r{f.hot()};
    REQUIRE(r.open());
    r.one.put(put_session{session(1, "c")});
    std::vector<lsn> at;
    for (int i = 0; i < 4; ++i) at.push_back(r.one.put(to(text("t", "m"), {1})));
    r.one.put(advance{at[1], 1, delivery_state::sent, 10});
    r.one.put(advance{at[2], 1, delivery_state::received, 65'535});
    r.one.put(settle{at[3], 1});
    r.one.put(settle{at[3], 1});
    r.one.put(advance{at[3], 1, delivery_state::sent, 1});
    REQUIRE(r.again());
    CHECK(r.was.references.size() == 3);
    CHECK(r.was.references[{at[0], 1}].state == delivery_state::queued);
    CHECK(r.was.references[{at[1], 1}].state == delivery_state::sent);
    CHECK(r.was.references[{at[1], 1}].packet_id == 10);
    CHECK(r.was.references[{at[2], 1}].state == delivery_state::received);
    CHECK(r.was.references[{at[2], 1}].packet_id == 65'535);
    CHECK(std::is_sorted(r.was.order.begin(), r.was.order.end()));
}

TEST_CASE("a retained message that was cleared never returns [MQTT-3.3.1-6]") {
    folder f;
    rig r{f.hot()};
    r.options.clean_range_bits = 2;
    REQUIRE(r.open());
    r.one.put(put_session{session(1, "c")});
    // The first holder of the topic stays in the log because a session still waits for it.
    auto first = keep("t", "old");
    first.references = {{.session = 1}};
    r.one.put(first);
    r.one.put(keep("t", "new"));
    r.one.put(keep("u", "stays"));
    r.one.put(clear("t"));
    for (int i = 0; i < 400; ++i) r.one.put(keep("v", std::to_string(i)));
    REQUIRE(r.again());
    CHECK(r.was.retained.size() == 2);
    CHECK(r.was.retained["u"].second == "stays");
    CHECK(r.was.retained["v"].second == "399");
    CHECK(r.was.references.size() == 1);
}

TEST_CASE("a dropped session takes its subscriptions, references and ids along") {
    folder f;
    rig r{f.hot()};
    REQUIRE(r.open());
    for (session_number n : {1u, 2u}) {
        r.one.put(put_session{session(n, "c" + std::to_string(n))});
        r.one.put(put_subscription{{n, "a/#", 1, 0}});
    }
    for (int i = 0; i < 50; ++i) r.one.submit(to(text("a", "x"), {1, 2}));
    auto p = to(text("a", "x"), {2});
    p.qos2_in = {1, 5};
    r.one.put(p);
    r.one.put(drop_session{1});
    r.one.put(to(text("a", "late"), {1, 2}));   // another shard had not heard yet
    r.one.put(drop_subscription{2, "a/#"});
    REQUIRE(r.again());
    CHECK(r.was.sessions.size() == 1);
    CHECK(r.was.subscriptions.empty());
    CHECK(r.was.references.size() == 52);
    for (auto const& [key, ref] : r.was.references) CHECK(key.second == 2);
    CHECK(r.was.qos2_in.empty());
}

TEST_CASE("plugin state comes back in key order, and an empty value removes") {
    folder f;
    rig r{f.hot()};
    REQUIRE(r.open());
    r.one.put(put_state{2, 1, {9}});
    for (std::uint64_t k : {300ull, 2ull, 1ull << 40}) r.one.put(put_state{1, k, std::vector<std::uint8_t>(700'000, static_cast<std::uint8_t>(k))});
    r.one.put(put_state{1, 5, {1}});
    r.one.put(put_state{1, 5, {}});
    REQUIRE(r.again());
    std::vector<std::uint64_t> keys;
    r.hot->scan_state(1, [&](std::uint64_t k, std::vector<std::uint8_t> v) { keys.push_back(k); CHECK(v.size() == 700'000); });
    CHECK(keys == std::vector<std::uint64_t>{2, 300, 1ull << 40});
}

TEST_CASE("lanes submit without a port and are called back") {
    folder f;
    rig r{f.hot()};
    REQUIRE(r.open());
    mailbox box;
    lsn at = 0;
    r.hot->submit(keep("t", "x"), [&](boost::system::error_code ec, lsn n) { box.post([&at, ec, n] { CHECK(!ec); at = n; }); });
    box.run_until([&] { return at != 0; });
    REQUIRE(r.again());
    CHECK(r.was.retained["t"].first == at);
}

TEST_CASE("the ring says full and takes nothing more, and stop commits what it took") {
    folder f;
    rig r{f.hot()};
    REQUIRE(r.open(false));
    for (int i = 0; i < 8'192; ++i) r.one.submit(put_state{1, static_cast<std::uint64_t>(i), {1}});
    CHECK(r.one.way_in->load() == 1.0);
    auto t = r.one.way_in->submit(put_state{1, 1, {1}});
    REQUIRE(t.has_error());
    CHECK(t.error() == errc::full);
    r.hot->start();
    r.hot->stop();
    r.one.mail.run_until([&] { return r.one.stored.size() == 8'192; });
}

TEST_CASE("the directory is 0700, its files 0600, and a second opener is told it is locked") {
    folder f;
    rig r{f.hot()}, second{f.hot()};
    REQUIRE(r.open());
    struct stat st{};
    ::stat(f.hot().c_str(), &st);
    CHECK((st.st_mode & 0777) == 0700);
    for (auto const* name : {"/data.mdb", "/lock.mdb", "/lock", "/instance"}) {
        REQUIRE(::stat((f.hot() + name).c_str(), &st) == 0);
        CHECK((st.st_mode & 0777) == 0600);
    }
    CHECK(!second.open());
    CHECK(second.error == errc::locked);
    CHECK(second.why.find("lock") != std::string::npos);
}

TEST_CASE("session numbers are not given twice, over a restart neither") {
    folder f;
    rig r{f.hot()};
    REQUIRE(r.open());
    auto a = r.hot->new_session_number(), b = r.hot->new_session_number();
    CHECK(a != b);
    r.one.put(put_session{session(b, "c")});
    r.one.put(drop_session{b});
    REQUIRE(r.again());
    CHECK(r.hot->new_session_number() > b);
}

TEST_CASE("the stored clock goes on over a restart, never back and never by more than a day") {
    folder f;
    rig r{f.hot()};
    std::int64_t wall = 1'000'000'000, steady = 5;
    r.options.wall_ms = [&] { return wall; };
    r.options.steady_ms = [&] { return steady; };
    REQUIRE(r.open());
    CHECK(r.hot->now_ms() == 1'000'000'000);
    steady += 100;
    CHECK(r.hot->now_ms() == 1'000'000'100);
    auto start_again = [&](std::int64_t w) {
        r.close();
        wall = w;
        REQUIRE(r.open());
        return r.hot->now_ms();
    };
    CHECK(start_again(1'000'060'100) == 1'000'060'100);
    CHECK(start_again(5) == 1'000'060'100);                                      // ten years back
    CHECK(start_again(9'000'000'000'000) == 1'000'060'100 + 86'400'000);         // and forth
}

TEST_CASE("an old data file put back, a copied directory and a new store each begin a newer epoch") {
    namespace fs = std::filesystem;
    folder f;
    rig r{f.hot()};
    REQUIRE(r.open());
    r.one.put(put_session{session(1, "c")});
    auto first = r.one.put(to(text("a", "1"), {1}));
    REQUIRE(r.again());
    auto second = r.one.put(to(text("a", "2"), {1}));
    CHECK((second >> 40) == (first >> 40));   // a restart is not a restore
    CHECK(second > first);
    r.close();
    fs::copy(f.hot(), f.path() + "/backup");
    REQUIRE(r.open());
    auto third = r.one.put(to(text("a", "3"), {1}));
    r.close();

    SUBCASE("data.mdb put back in place") {
        fs::copy_file(f.path() + "/backup/data.mdb", f.hot() + "/data.mdb", fs::copy_options::overwrite_existing);
        REQUIRE(r.open());
        CHECK(r.was.references.size() == 2);
    }
    SUBCASE("the whole directory put back") {
        fs::remove_all(f.hot());
        fs::copy(f.path() + "/backup", f.hot());
        REQUIRE(r.open());
    }
    SUBCASE("the database deleted") {
        fs::remove(f.hot() + "/data.mdb");
        REQUIRE(r.open());
        CHECK(r.was.references.empty());
    }
    auto now = r.one.put(to(text("a", "4"), {1}));
    CHECK(now > third);
    CHECK((now >> 40) == (third >> 40) + 1);
}

TEST_CASE("a backup taken while the store writes is whole, and opens in a newer epoch even in the old one's place") {
    namespace fs = std::filesystem;
    folder f;
    rig r{f.hot()};
    REQUIRE(r.open());
    r.one.put(put_session{session(1, "c")});
    auto before = r.one.put(to(text("a", "1"), {1}));
    for (int i = 0; i < 2'000; ++i) r.one.submit(to(text("a", "more"), {1}));
    std::string why;
    REQUIRE(r.hot->backup(f.path() + "/backup", why).has_value());
    CHECK(r.hot->backup(f.path() + "/backup", why).has_error());
    auto after = r.one.put(to(text("a", "2"), {1}));
    r.close();
    fs::copy_file(f.path() + "/backup/data.mdb", f.hot() + "/data.mdb", fs::copy_options::overwrite_existing);
    REQUIRE(r.open());
    CHECK(r.hot->stats().records_damaged == 0);
    CHECK(r.was.references.contains({before, 1}));
    CHECK(!r.was.references.contains({after, 1}));
    CHECK((r.one.put(to(text("a", "3"), {1})) >> 40) == (after >> 40) + 1);
}
