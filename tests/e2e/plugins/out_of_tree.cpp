#include "broker/host/plugin_host.hpp"

#include "tests/unit/host/rig.hpp"
#include "tools/airmailctl/plugin_new.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <fstream>
#include <sstream>

using namespace airmail;
using namespace airmail::host;
using namespace airmail::host::test;
namespace fs = std::filesystem;

namespace {

/// Runs a command; its output appears only when it fails.
bool run(std::string const& command, fs::path const& dir) {
    auto log = dir / "log";
    if (std::system((command + " > '" + log.string() + "' 2>&1").c_str()) == 0) return true;
    std::stringstream text;
    text << std::ifstream{log}.rdbuf();
    MESSAGE(command << "\n" << text.str());
    return false;
}

/// The installed headers, once per program.
fs::path const& prefix() {
    static scratch dir;
    static fs::path const where = [] {
        REQUIRE(run(CMAKE " --install '" BUILD "' --component dev --prefix '" + (dir.path / "usr").string() + "'", dir.path));
        return dir.path / "usr";
    }();
    return where;
}

/// Builds a project and runs its own tests. @return its build folder
fs::path build(fs::path const& source, fs::path const& dir) {
    auto out = dir / "build";
    auto quoted = [](fs::path const& p) { return "'" + p.string() + "'"; };
    REQUIRE(run(CMAKE " -G '" GENERATOR "' -DCMAKE_BUILD_TYPE=Debug -S " + quoted(source) + " -B " + quoted(out) + " -DCMAKE_PREFIX_PATH=" + quoted(prefix()), dir));
    REQUIRE(run(CMAKE " --build " + quoted(out), dir));
    REQUIRE(run("ctest --test-dir " + quoted(out) + " --output-on-failure", dir));
    return out;
}

/// Loads one .so into a host with a thread and a database file, gives it durable messages, waits until they are applied.
void serve(rig& r, fs::path const& so, std::vector<std::pair<std::string, std::string>> const& messages) {
    r.options.threads = true;
    auto& h = r.make();
    h.add_file(so.string());
    h.prepare(), h.start();
    r.copied();
    for (auto& [topic, payload] : messages) {
        CHECK(h.topics(topic).consumers == 1);
        r.log.put(message(topic, payload, "dev-7"));
    }
    while (h.lanes()[0]->applied() < messages.size()) std::this_thread::yield();
    h.stop();
}

}

TEST_CASE("examples/hello_plugin builds against the installed headers and serves: a message in, a row and a publication out") {
    scratch dir;
    rig r;
    r.settings["word"] = "Moin";
    serve(r, build(SOURCE "/examples/hello_plugin", dir.path) / "hello.so", {{"greetings/dev-7", "hi"}, {"greetings/dev-7", "hi"}});
    CHECK(r.number("SELECT times FROM greetings WHERE name = 'dev-7'") == 2);
    CHECK(r.number("SELECT count(*) FROM outbox WHERE table_name = 'greetings'") == 2);
    REQUIRE(r.out.published.size() == 2);
    CHECK(r.out.published[0].topic == "greetings/dev-7/answer");
    CHECK(r.out.published[0].payload == "Moin, dev-7!");
}

TEST_CASE("examples/c_plugin, in C, does the same") {
    scratch dir;
    rig r;
    serve(r, build(SOURCE "/examples/c_plugin", dir.path) / "c_plugin.so",
          {{"devices/dev-7/value", "3.5"}, {"devices/dev-7/value", "2"}, {"devices/dev-7/value", "\"no number\""}, {"devices/dev-7/value", "4"}});
    CHECK(r.number("SELECT value = 4 FROM records WHERE device = 'dev-7'") == 1);
    REQUIRE(r.out.published.size() == 2);
    CHECK(r.out.published[1].payload == "4");
}

TEST_CASE("airmailctl plugin new writes projects that build, test themselves and load, in C++ and in C") {
    for (auto language : {tools::plugin_language::cpp, tools::plugin_language::c}) {
        scratch dir;
        auto made = tools::plugin_new("meter", language, dir.path / "meter");
        REQUIRE(made.error == "");
        CHECK(made.files.size() >= 3);
        rig r;
        serve(r, build(dir.path / "meter", dir.path) / "meter.so", {{"meter/dev-7", "first"}, {"meter/dev-7", "second"}});
        CHECK(r.text("SELECT payload FROM meter_latest WHERE device = 'dev-7'") == "second");
        CHECK(r.out.published.size() == 2);
    }
}

TEST_CASE("plugin new refuses a name that is none, and a folder that is not empty") {
    scratch dir;
    for (auto name : {"", "Meter", "a-b", "1a", "../x"}) CHECK_FALSE(tools::plugin_new(name, tools::plugin_language::c, dir.path / "x").ok());
    std::ofstream{dir.path / "mine"} << "precious";
    auto r = tools::plugin_new("meter", tools::plugin_language::c, dir.path);
    CHECK(r.error.find("is not empty") != std::string::npos);
    CHECK_FALSE(fs::exists(dir.path / "meter.c"));
}
