// Who is asked where: on the shard (plugin_inline true), or on the plugin's lane with a time limit.
#include "tests/unit/host/plugins.hpp"
#include "tests/unit/host/rig.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>

using namespace airmail;
using namespace airmail::host;
using namespace airmail::host::test;

namespace {

constexpr char const* doorman_so = FIXTURES "/doorman.so";

/// Asks and says what was answered before connect() came back: "" = nothing yet.
std::string at_once(plugin_host& h, std::string user, std::string password = {}) {
    auto got = std::make_shared<std::string>();
    auto const caller = std::this_thread::get_id();
    h.connect("dev-1", std::move(user), std::move(password), "127.0.0.1", [=](sdk::verdict v, std::string) {
        if (std::this_thread::get_id() == caller) *got = v == sdk::verdict::ok ? "yes" : "no";
    });
    return *got;
}

/// A pipe that the hook of the user `hang` waits for, opened when it is destroyed.
struct held_gate {
    explicit held_gate(rig& r) : path((r.dir / "gate").string()) {
        r.settings["gate"] = path;
        REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    }
    void open() const { ::close(::open(path.c_str(), O_WRONLY)); }
    std::string path;
};

}

TEST_CASE("plugin_inline true: the answer is there when connect returns, though the plugin's own thread hangs") {
    rig r;
    r.options.threads = true;
    held_gate gate{r};
    auto& h = r.make();
    h.add_file(doorman_so, true);
    h.prepare(), h.start();
    h.post(message("fixture/a", "hang", "dev-1", 0), 1);
    CHECK(at_once(h, "u", "good") == "yes");
    CHECK(at_once(h, "u", "bad") == "no");
    CHECK(at_once(h, "fails") == "no");
    CHECK(at_once(h, "inline only") == "yes");
    CHECK(at_once(h, "reaches") == "yes");   // what belongs to the lane is refused to it
    CHECK(h.lanes()[0]->counters().inline_logins == 5);
    gate.open();
    h.stop();
}

TEST_CASE("plugin_inline true: who defers is asked again on the lane, with its time limit") {
    rig r;
    auto& h = r.make();
    h.add_file(doorman_so, true);
    h.prepare(), h.start();
    std::string got;
    h.connect("dev-1", "defers", "", "", [&](sdk::verdict v, std::string) { got = v == sdk::verdict::ok ? "yes" : "no"; });
    CHECK(got.empty());
    h.pump();
    CHECK(got == "yes");
    r.options.connect_timeout = std::chrono::milliseconds{0};
    auto& late = r.make();
    late.add_file(doorman_so, true);
    late.prepare(), late.start();
    got.clear();
    late.connect("dev-1", "defers", "", "", [&](sdk::verdict v, std::string) { got = v == sdk::verdict::ok ? "yes" : "no"; });
    late.watch();
    CHECK(got == "no");
}

TEST_CASE("without plugin_inline a hook that blocks holds up nobody who asks, and the login is refused in time") {
    rig r;
    r.options.threads = true;
    r.options.connect_timeout = std::chrono::milliseconds{50};
    held_gate gate{r};
    auto& h = r.make();
    h.add_file(doorman_so);
    h.prepare(), h.start();
    CHECK(at_once(h, "inline only").empty());
    std::atomic<int> answers{0};
    std::atomic<bool> refused{false};
    h.connect("dev-1", "hang", "", "", [&](sdk::verdict v, std::string) { refused = v == sdk::verdict::refuse, ++answers; });
    while (answers == 0) std::this_thread::yield();
    CHECK(refused);
    CHECK(r.out.logged("login of dev-1 refused: no plugin answered in time"));
    CHECK(h.lanes()[0]->counters().inline_logins == 0);
    gate.open();      // it says yes now: too late
    h.stop();
    CHECK(answers == 1);
}

TEST_CASE("in order: an inline plugin behind one that is not is asked on its lane, and plugin_inline without a login hook is said to have no effect") {
    rig r;
    auto& h = r.make();
    h.add(sdk::make_descriptor<doorman>());
    h.add_file(doorman_so, true);
    h.add_file(FIXTURES "/good.so", true);
    h.prepare(), h.start();
    CHECK(r.out.logged("test.fixture: plugin_inline has no effect: it does not decide logins"));
    std::string got;
    h.connect("dev-1", "inline only", "good", "", [&](sdk::verdict v, std::string) { got = v == sdk::verdict::ok ? "yes" : "no"; });
    CHECK(got.empty());
    h.pump();
    CHECK(got == "no");
}
