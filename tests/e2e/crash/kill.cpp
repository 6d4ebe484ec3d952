// kill -9, judged by the laboratory of tools/crashtest: E01, E04, E08, and that the judge can see.

#include "tests/e2e/crash/lab.hpp"

#include "tools/crashtest/laboratory.hpp"

using namespace airmail::testing;
namespace lab = airmail::crashtest;

namespace {

lab::victim as_victim(broker_process& d) {
    return {.start = [&d, started = false]() mutable { return std::exchange(started, true) ? d.start_again() : d.start(); },
            .launch = [&d] { d.launch_again(); },
            .kill = [&d] { d.kill(); },
            .way_in = [&d](std::string const& id) { return plain_options(d, id); }};
}

lab::verdict judged(std::string const& more, lab::plan p) {
    broker_process d{plain_house + more};
    auto v = as_victim(d);
    auto const found = lab::run(v, p);
    MESSAGE(lab::describe(found));
    return found;
}

}

TEST_CASE("E01 E08: killed at random moments under QoS 1 and 2 load: nothing acknowledged is lost, nothing of QoS 2 comes twice, it always starts") {
    auto const v = judged({}, {.rounds = long_form() ? 200 : 10, .seed = 41});
    CHECK(v.kept());
    CHECK(v.rounds == (long_form() ? 200 : 10));
    CHECK(v.acknowledged > 500);
}

TEST_CASE("E04: killed ten times in a row while it recovers, it starts, and everything is there") {
    auto const v = judged({}, {.rounds = long_form() ? 20 : 1, .kills_in_recovery = 10, .seed = 42});
    CHECK(v.kept());
    CHECK(v.kills_in_recovery == (long_form() ? 200 : 10));
}

TEST_CASE("the judge sees: with `persistence false` the same load loses messages, sessions and wills") {
    auto const v = judged("persistence false\n", {.rounds = 1, .patience = 3s, .seed = 43});
    CHECK(v.lost + v.sessions_lost > 0);
    CHECK_FALSE(v.kept());
}

TEST_CASE("airmailctl crashtest: the same laboratory for operators, on the disk they name") {
    temp_dir disk;
    auto const o = run({AIRMAILCTL, "--json", "crashtest", "--airmaild", AIRMAILD, "--directory", disk.path(), "--rounds", "2"});
    CHECK_MESSAGE(o.code == 0, o.text);
    CHECK(o.text.find("\"lost\":0") != o.text.npos);
    CHECK(std::filesystem::is_empty(disk.path()));
    auto const nowhere = run({AIRMAILCTL, "crashtest", "--airmaild", AIRMAILD, "--directory", disk / "missing"});
    CHECK(nowhere.code == 1);
    CHECK(nowhere.text.find("no scratch directory") != nowhere.text.npos);
}
