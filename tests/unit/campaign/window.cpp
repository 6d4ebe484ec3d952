#include "plugins/campaign/window.hpp"

#include <doctest/doctest.h>

using namespace airmail::plugins::campaign;

namespace {

constexpr std::int64_t minute = 60'000, hour = 60 * minute, day = 24 * hour;
constexpr std::int64_t monday = 1'795'392'000'000;      // 2026-11-23T00:00Z

std::vector<window> windows(char const* json) {
    std::string why;
    auto w = parse_windows(json, why);
    INFO(why);
    REQUIRE(w.has_value());
    return *w;
}

}

TEST_CASE("a window opens in the device's own day") {
    auto w = windows(R"([{"days":"mon-fri","from":"02:00","to":"05:00"}])");
    CHECK(!open_at(w, monday + 2 * hour - 1, 0));
    CHECK(open_at(w, monday + 2 * hour, 0));
    CHECK(!open_at(w, monday + 5 * hour, 0));
    CHECK(open_at(w, monday, 120));                      // it is 02:00 there
    CHECK(open_at(w, monday + 9 * hour, -330));
    CHECK(!open_at(w, monday + 5 * day + 3 * hour, 0));  // Saturday
    CHECK(opens_at(w, monday + 5 * hour, 0) == monday + day + 2 * hour);
    CHECK(opens_at(w, monday + 4 * day + 6 * hour, 0) == monday + 7 * day + 2 * hour);
    CHECK(opens_at(w, monday + 3 * hour, 0) == monday + 3 * hour);
    CHECK(opens_at(w, monday + 5 * hour, 60) == monday + day + hour);
}

TEST_CASE("a window over midnight belongs to the day on which it opens; equal ends are a whole day; no window is always") {
    auto w = windows(R"([{"days":"sun","from":"22:00","to":"06:00"}])");
    CHECK(open_at(w, monday - 1 * hour, 0));
    CHECK(open_at(w, monday + 5 * hour, 0));
    CHECK(!open_at(w, monday + 6 * hour, 0));
    CHECK(!open_at(w, monday + 22 * hour, 0));
    auto all = windows(R"([{"days":"tue","from":"00:00","to":"00:00"}])");
    CHECK(!open_at(all, monday + 23 * hour, 0));
    CHECK(open_at(all, monday + day, 0));
    CHECK(open_at(all, monday + 2 * day - 1, 0));
    CHECK(!open_at(all, monday + 2 * day, 0));
    CHECK(open_at({}, monday, 0));
    CHECK(windows("").empty());
}

TEST_CASE("windows and zones that cannot be read are refused") {
    std::string why;
    for (auto bad : {"{}", "[1]", R"([{"from":"2:00","to":"05:00"}])", R"([{"from":"02:00"}])", R"([{"days":"montag","from":"02:00","to":"05:00"}])",
                     R"([{"days":"","from":"02:00","to":"05:00"}])", R"([{"from":"24:30","to":"05:00"}])", R"([{"from":"-1:00","to":"05:00"}])"})
        CHECK_MESSAGE(!parse_windows(bad, why), bad);
    CHECK(windows_json(windows(R"([{"days":"fri-mon","from":"02:00","to":"24:00"}])")) == R"([{"days":"mon,fri,sat,sun","from":"02:00","to":"00:00"}])");
    CHECK(parse_offset("+02:00") == 120);
    CHECK(parse_offset("-0530") == -330);
    CHECK(parse_offset("Z") == 0);
    CHECK(parse_offset("90") == 90);
    for (auto bad : {"", "CET", "+15:00", "2h", "+-1"}) CHECK_MESSAGE(!parse_offset(bad), bad);
}

// 2026 in Berlin: summer time from 29 March 01:00Z (02:00 becomes 03:00) to 25 October 01:00Z (03:00 becomes 02:00).
TEST_CASE("a window follows summer time: the same hour of the device's day before and after") {
    auto const berlin = zone::find("Europe/Berlin").value();
    constexpr std::int64_t leap = 1'774'746'000'000, back = 1'792'890'000'000;
    CHECK(berlin.offset_at(leap - 1000) == 60);
    CHECK(berlin.offset_at(leap) == 120);
    CHECK(berlin.offset_at(back - 1000) == 120);
    CHECK(berlin.offset_at(back) == 60);
    auto const w = windows(R"([{"days":"daily","from":"04:00","to":"05:00"}])");
    CHECK(opens_at(w, leap - 12 * hour, berlin) == leap + 1 * hour);      // 04:00 summer time, asked for in winter
    CHECK(opens_at(w, back - 12 * hour, berlin) == back + 2 * hour);
    CHECK(open_at(w, leap - day + 2 * hour, berlin));
    CHECK(open_at(w, leap + day + 1 * hour, berlin));
    CHECK(!open_at(w, leap + day + 2 * hour, berlin));
}

TEST_CASE("the hour that spring leaves out: a window in it does not exist that day, one that begins in it opens with the leap") {
    auto const berlin = zone::find("Europe/Berlin").value();
    constexpr std::int64_t leap = 1'774'746'000'000;
    auto const within = windows(R"([{"days":"daily","from":"02:10","to":"02:50"}])");
    CHECK(opens_at(within, leap - 30 * minute, berlin) == leap + 23 * hour + 10 * minute);
    auto const sunday = windows(R"([{"days":"sun","from":"02:10","to":"02:50"}])");
    CHECK(opens_at(sunday, leap - 30 * minute, berlin) == leap + 7 * day - hour + 10 * minute);
    auto const across = windows(R"([{"days":"daily","from":"02:30","to":"04:00"}])");
    CHECK(opens_at(across, leap - 30 * minute, berlin) == leap);
    CHECK(open_at(across, leap, berlin));
}

TEST_CASE("the hour that autumn repeats: a window in it is open twice") {
    auto const berlin = zone::find("Europe/Berlin").value();
    constexpr std::int64_t back = 1'792'890'000'000;
    auto const w = windows(R"([{"days":"daily","from":"02:10","to":"02:50"}])");
    CHECK(opens_at(w, back - 2 * hour, berlin) == back - 50 * minute);
    CHECK(open_at(w, back - 40 * minute, berlin));
    CHECK(!open_at(w, back - 5 * minute, berlin));
    CHECK(open_at(w, back + 20 * minute, berlin));
    CHECK(!open_at(w, back + 55 * minute, berlin));
}

TEST_CASE("zones are offsets or names of the database, and nothing else is looked for") {
    CHECK(zone::find("+02:00")->offset_at(monday) == 120);
    CHECK(zone::find("+02:00")->name() == "+02:00");
    CHECK(zone::find("-0530")->name() == "-05:30");
    CHECK(zone::find("America/Argentina/Buenos_Aires")->offset_at(monday) == -180);
    CHECK(zone::find("Asia/Kathmandu")->offset_at(monday) == 345);
    CHECK(zone::find("Etc/GMT+5")->offset_at(monday) == -300);
    for (auto const* bad : {"", "Mars/Olympus", "../../../etc/passwd", "/etc/localtime", "Europe", "Europe/", "file:Europe/Berlin", "Europe//Berlin", "zone.tab", "+15:00"})
        CHECK_MESSAGE(!zone::find(bad), bad);
}
