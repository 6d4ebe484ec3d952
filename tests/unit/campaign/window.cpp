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
