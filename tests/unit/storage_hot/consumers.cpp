#include "storage/store.hpp"
#include "rig.hpp"

#include <atomic>

using namespace airmail::storage;
using namespace airmail::storage::test;

namespace {

/// A lane that takes `room` messages and then says it is full.
struct lane final : consumer {
    mailbox box;
    std::atomic<lsn> done{0};
    std::atomic<int> room{1'000'000};
    std::atomic<bool> full{false};   // has refused a part of a batch, and will say so
    std::vector<std::pair<lsn, std::string>> got;

    bool committed(std::vector<std::pair<lsn, message_ptr>> const& batch) noexcept override {
        int took = 0;
        for (auto const& [at, m] : batch) {
            if (room == 0) break;
            --room, ++took;
            box.post([this, at, m] { take(at, m); });
        }
        if (took < static_cast<int>(batch.size())) full = true;
        box.post([] {});
        return took == static_cast<int>(batch.size());
    }
    lsn applied() const noexcept override { return done; }
    void take(lsn at, message_ptr const& m) { got.emplace_back(at, std::string{m->payload().begin(), m->payload().end()}); }
};

put_message wanted(std::uint32_t bits, std::string_view payload) {
    put_message p{.body = text("devices/1/heartbeat", payload)};
    p.consumers = bits;
    return p;
}

}

TEST_CASE("a consumer sees its messages in LSN order, and no others") {
    folder f;
    rig r{f.hot()};
    lane a, b;
    r.lanes = {&a, &b};
    REQUIRE(r.open());
    std::vector<lsn> for_a;
    for (int i = 0; i < 100; ++i) {
        auto at = r.one.put(wanted(i % 3 == 0 ? 1 : 2, std::to_string(i)));
        if (i % 3 == 0) for_a.push_back(at);
    }
    a.box.run_until([&] { return a.got.size() == for_a.size(); });
    for (std::size_t i = 0; i < for_a.size(); ++i) CHECK(a.got[i].first == for_a[i]);
    b.box.run_until([&] { return b.got.size() == 100 - for_a.size(); });
    auto from_log = r.hot->read(0, for_a[9], 5);
    REQUIRE(from_log.size() == 5);
    CHECK(from_log[0].first == for_a[10]);
    r.close();
}

TEST_CASE("a consumer that is full reads the log by itself and goes live again without a gap or a double") {
    folder f;
    rig r{f.hot()};
    lane a;
    r.lanes = {&a};
    REQUIRE(r.open());
    a.room = 10;
    int sent = 0;
    ticket last = 0;
    auto send = [&](int n) {
        for (int i = 0; i < n; ++i) last = r.one.submit(wanted(1, std::to_string(sent++)));
    };
    send(1'000);
    r.one.mail.run_until([&] { return r.one.answered(last); });
    a.box.run_until([&] { return a.got.size() == 10 && a.full; });   // room must not grow under a hand-over
    a.room = 1'000'000;
    for (bool live = false; !live;) {
        if (sent < 3'000) send(50);   // the writer goes on meanwhile
        auto more = r.hot->read(0, a.got.back().first, 64);
        for (auto const& [at, m] : more) a.take(at, m);
        if (more.empty()) live = r.hot->caught_up(0, a.got.back().first);
    }
    send(100);
    r.one.mail.run_until([&] { return r.one.answered(last); });
    a.box.run_until([&] { return a.got.size() == static_cast<std::size_t>(sent); });
    for (int i = 0; i < sent; ++i) CHECK(a.got[static_cast<std::size_t>(i)].second == std::to_string(i));
    r.close();
}

TEST_CASE("what a consumer has not applied is there after a restart, and what all applied is cleaned") {
    folder f;
    rig r{f.hot()};
    r.options.clean_range_bits = 4;
    lane a, idle;
    r.lanes = {&a, &idle};   // the second never gets anything, and must not hold the first one's messages
    REQUIRE(r.open());
    std::vector<lsn> at;
    for (int i = 0; i < 500; ++i) at.push_back(r.one.put(wanted(1, std::to_string(i))));
    a.done = at[249];
    for (int i = 0; i < 50; ++i) r.one.put(put_state{1, 1, {1}});
    r.close();
    a.box.forget();
    a.got.clear();
    REQUIRE(r.open());
    auto rest = r.hot->read(0, 0, 10'000);
    CHECK(rest.size() < 300);
    CHECK(rest.back().first == at.back());
    CHECK(r.hot->read(0, at[249], 10'000).size() == 250);
    // It begins behind: new messages wait for it in the log.
    auto fresh = r.one.put(wanted(1, "fresh"));
    CHECK(!r.hot->caught_up(0, at.back()));
    CHECK(r.hot->caught_up(0, fresh));
    auto live = r.one.put(wanted(1, "live"));
    a.box.run_until([&] { return !a.got.empty(); });
    CHECK(a.got[0].first == live);
    a.done = live;
    for (int i = 0; i < 200; ++i) r.one.put(put_state{1, 1, {1}});
    r.close();
}
