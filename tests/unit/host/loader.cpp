#include "broker/host/loader.hpp"

#include "tests/unit/host/plugins.hpp"
#include "tests/unit/host/rig.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

using namespace airmail;
using namespace airmail::host;
using namespace airmail::host::test;

namespace {

std::string fixture(std::string const& name) { return FIXTURES "/" + name + ".so"; }

/// Loads, prepares, starts; the words of the refusal, or "".
std::string refused(rig& r, std::string const& name, bool diary_too = false) {
    auto& h = r.make();
    try {
        if (diary_too) h.add(sdk::make_descriptor<diary>());
        h.add_file(name.find('/') == name.npos ? fixture(name) : name);
        h.prepare(), h.start();
    } catch (refusal const& e) { return e.what(); }
    return {};
}

bool says(std::string const& text, std::string_view part) { return text.find(part) != text.npos; }

}

TEST_CASE("what cannot be loaded is refused in one clear sentence") {
    rig r;
    CHECK(says(refused(r, "/nowhere/x.so"), "cannot load plugin: /nowhere/x.so: cannot open shared object file"));
    CHECK(says(refused(r, "no_symbol"), "exports no airmail_plugin_v1"));
    CHECK(says(refused(r, "version_2"), "built for plugin ABI 2, this airmaild speaks 1"));
    CHECK(says(refused(r, "small_table"), "its table has 64 bytes, ABI 1 needs 128"));
    CHECK(says(refused(r, "no_create"), "test.fixture lacks create"));
    CHECK(says(refused(r, "bad_id"), "plugin id \"Fixture\" is not of the form vendor.name"));
    CHECK(says(refused(r, "bad_json"), "test.fixture: declaration: is not JSON"));
    CHECK(says(refused(r, "refuses"), "test.fixture: configure failed: the colour is missing"));
    CHECK_THROWS_WITH_AS(load("plain_name.so"), "plain_name.so: write the plugin's whole path", refusal);
    CHECK(refused(r, "good") == "");
}

TEST_CASE("the same plugin twice is refused, and so is another's table") {
    rig r;
    auto& h = r.make();
    h.add_file(fixture("good"));
    CHECK_THROWS_AS(h.add_file(fixture("good")), refusal);
    CHECK(says(refused(r, "thief", true), "test.thief: its tables: "));   // DROP TABLE diary
    CHECK(r.number("SELECT count(*) FROM sqlite_master WHERE name = 'diary'") == 1);
}

TEST_CASE("a shared object has a lane of its own and sees its own tables only") {
    rig r;
    auto& h = r.make();
    h.add(sdk::make_descriptor<diary>());
    h.add_file(fixture("good"));
    h.prepare(), h.start();
    r.copied();
    REQUIRE(h.lanes().size() == 2);
    CHECK(h.lanes()[1]->name() == "test.fixture");
    auto lanes = h.topics("fixture/a").loose;
    CHECK(lanes == 2);
    for (auto sql : {"INSERT INTO fixture(what) VALUES('mine')", "DELETE FROM diary", "SELECT * FROM diary", "SELECT * FROM api_keys",
                     "ATTACH ':memory:' AS x", "CREATE TABLE other(n)", "PRAGMA journal_mode = OFF", "DROP TABLE fixture", "COMMIT",
                     "INSERT INTO outbox(node_id, table_name, pk, op, at_ms) VALUES(1, 'x', '[]', 'I', 1)"})
        h.post(message("fixture/a", sql, "dev-1", 0), lanes);
    h.pump();
    CHECK(r.text("SELECT what FROM fixture") == "mine");
    CHECK(r.number("SELECT count(*) FROM outbox WHERE table_name = 'fixture'") == 1);   // by trigger
    CHECK(r.number("SELECT count(*) FROM airmail_dead_letters WHERE lane = 'test.fixture'") == 9);
    CHECK(r.number("SELECT count(*) FROM airmail_dead_letters") == 9);
}

TEST_CASE("a hook that hangs is named by the watchdog and makes the host unready; other lanes go on") {
    rig r;
    r.options.threads = true;
    r.options.stuck_after = std::chrono::milliseconds{100};
    r.settings["gate"] = (r.dir / "gate").string();
    REQUIRE(mkfifo(r.settings["gate"].c_str(), 0600) == 0);
    auto& h = r.make();
    h.add(sdk::make_descriptor<diary>());
    h.add_file(fixture("good"));
    h.prepare(), h.start();
    h.post(message("fixture/a", "hang", "dev-1", 0), 2);
    while (h.trouble().empty()) std::this_thread::yield();
    CHECK(says(h.trouble(), "lane test.fixture: stuck in message of test.fixture for 0 s"));
    std::atomic<int> status{0};
    h.call("diary.count", "{}", {.name = "t", .role = "admin"}, [&](int s, std::string) { status = s; });
    while (status == 0) std::this_thread::yield();
    CHECK(status == 200);
    CHECK_FALSE(h.trouble().empty());     // it still hangs
    h.watch();
    close(open(r.settings["gate"].c_str(), O_WRONLY));
    h.stop();
    CHECK(r.out.logged("stuck in message"));
}

TEST_CASE("grants are listed, refused by name, and a refusal that names none says which there are") {
    rig r;
    r.options.refused_grants = {"subscribe devices/{id}/command"};
    auto& h = r.with<diary>();
    bool found = false;
    for (auto const& g : h.grants())
        if (g.refused) found = g.filter == "devices/{id}/command" && !g.publish;
    CHECK(found);
    CHECK(r.out.logged("test.diary: grant refused by configuration: device may subscribe devices/{id}/command"));
    // A shared object is named by its path in the configuration.
    r.options.refused_grants = {fixture("good") + " publish fixture/+"};
    CHECK(refused(r, "good") == "");
    REQUIRE(r.host->grants().size() == 1);
    CHECK(r.host->grants()[0].refused);
    r.options.refused_grants = {"publish nothing"};
    try {
        r.with<diary>();
        FAIL("started");
    } catch (refusal const& e) {
        CHECK(says(e.what(), "refused grant \"publish nothing\" is none that a plugin asks for"));
        CHECK(says(e.what(), "test.diary publish devices/{id}/say"));
    }
}

TEST_CASE("a plugin that must start after one that is not there, or after itself, is refused") {
    rig r;
    auto& h = r.make();
    h.add(sdk::make_descriptor<reader>());
    CHECK_THROWS_WITH_AS(h.prepare(), "test.reader: must start after test.diary, which is not loaded", refusal);
}
