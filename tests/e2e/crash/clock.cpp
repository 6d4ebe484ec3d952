// F05: the wall clock jumps, while the broker runs and while it does not. Only libfaketime's library is used, put under the daemon;
// monotonic time stays what it is.

#include "tests/e2e/crash/lab.hpp"

using namespace airmail::testing;

namespace {

std::string faketime_library() {
    for (auto const* p : {"/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"})
        if (std::filesystem::exists(p)) return p;
    return {};
}

/// The daemon's wall clock: an offset in a file, read at every look.
class wall {
public:
    explicit wall(broker_process& d) {
        set("+0");
        d.run_under({"/usr/bin/env", "LD_PRELOAD=" + faketime_library(), "ASAN_OPTIONS=verify_asan_link_order=0", "DONT_FAKE_MONOTONIC=1", "FAKETIME_NO_CACHE=1", "FAKETIME_TIMESTAMP_FILE=" + file()});
    }
    /// "+1d", "-10y": libfaketime's words.
    void set(std::string const& offset) {
        std::ofstream(file() + ".new") << offset << "\n";
        std::filesystem::rename(file() + ".new", file());
    }

private:
    std::string file() const { return dir_ / "offset"; }
    temp_dir dir_;
};

bool missing() {
    if (!faketime_library().empty()) return false;
    MESSAGE("skipped: libfaketime is not installed");
    return true;
}

/// A durable session of two days with a message waiting, and a retained one.
void settle_in(broker_process& d) {
    blocking_client away, writer;
    auto o = plain_options(d, "away", false);
    o.session_expiry = 2 * 86'400;
    connects(away, o);
    REQUIRE(away.subscribe("t/#", 1).has_value());
    REQUIRE_FALSE(away.disconnect());
    connects(writer, plain_options(d, "writer"));
    REQUIRE(writer.publish({.topic = "t/1", .payload = "waiting", .qos = 1}) == reason::success);
    REQUIRE(writer.publish({.topic = "kept", .payload = "kept", .qos = 1, .retain = true}).has_value());
}

void all_there(broker_process& d, std::string const& when) {
    CAPTURE(when);
    blocking_client away, any;
    auto o = plain_options(d, "away", false);
    o.session_expiry = 2 * 86'400;
    connects(away, o);
    CHECK(away.connack()->session_present);
    auto const m = away.receive();
    REQUIRE(m.has_value());
    CHECK(m->payload == "waiting");
    connects(any, plain_options(d, "any"));
    REQUIRE(any.subscribe("kept", 0).has_value());
    receives_only(any, "kept", "kept");
}

}

TEST_CASE("F05: the wall clock jumps by a day and by ten years, forwards and back, while clients are connected: nobody notices") {
    if (missing()) return;
    broker_process d{plain_house};
    wall clock(d);
    up(d);
    settle_in(d);
    blocking_client steady;
    auto o = plain_options(d, "steady", false);
    o.keep_alive = 2s;
    connects(steady, o);
    REQUIRE(steady.subscribe("pulse", 1).has_value());
    for (auto const* offset : {"+1d", "-1d", "+3650d", "-3650d", "+0"}) {
        CAPTURE(offset);
        clock.set(offset);
        // Longer than the keep alive, with its pings: a jump must not look like silence.
        steady.run_for(1500ms);
        CHECK_FALSE(steady.closed().has_value());
        CHECK(steady.publish({.topic = "pulse", .payload = offset, .qos = 1, .message_expiry = 30}) == reason::success);
        receives_only(steady, "pulse", offset);
    }
    all_there(d, "after all jumps");
}

TEST_CASE("F05: the broker starts under another year: no session has expired, no message is gone") {
    if (missing()) return;
    for (auto const* offset : {"+3650d", "-3650d"}) {
        CAPTURE(offset);
        broker_process d{plain_house};
        wall clock(d);
        up(d);
        settle_in(d);
        d.kill();
        clock.set(offset);
        auto const why = d.start_again();
        REQUIRE_MESSAGE(why.empty(), why);
        all_there(d, offset);
    }
}
