#include "plugins/campaign/stop_rule.hpp"

#include <algorithm>
#include <cstdint>
#include <doctest/doctest.h>
#include <vector>

using namespace airmail::plugins::campaign;

namespace {

/// splitmix64: the same on every machine.
struct dice {
    std::uint64_t state;
    double roll() {
        std::uint64_t z = (state += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9, z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
    }
};

/// Failures before each stop, in order; runs that went to their end are not in it.
std::vector<int> simulate(double failing, std::uint64_t seed, int runs = 120, int devices = 10'000) {
    stop_rule rule;
    dice d{seed};
    std::vector<int> stops;
    for (int run = 0; run < runs; ++run) {
        double score = 0;
        int failures = 0;
        for (int i = 0; i < devices; ++i) {
            bool failed = d.roll() < failing;
            failures += failed;
            score = rule.next(score, failed);
            if (!rule.stops(score)) continue;
            stops.push_back(failures);
            break;
        }
    }
    std::sort(stops.begin(), stops.end());
    return stops;
}

}

TEST_CASE("10,000 devices, 120 runs: 10 % failing stops within a median of 10 failures, 2 % under 5 % of the time") {
    // Three times the experiment, each printed, judged together: the median of one alone lies at 10 or 11 by luck.
    std::vector<int> bad, good;
    for (std::uint64_t seed : {20261124, 1, 2}) {
        CAPTURE(seed);
        auto ten = simulate(0.10, seed), two = simulate(0.02, seed), half = simulate(0.5, seed), five = simulate(0.05, seed), one = simulate(0.01, seed);
        REQUIRE(ten.size() == 120);
        CHECK(half[60] <= 7);
        CHECK(five.size() == 120);
        CHECK(one.empty());
        MESSAGE("seed " << seed << ": 50 % stops after " << half[60] << " failures (median), 10 % after " << ten[60] << " (p95 " << ten[114] << "), 5 % after " << five[60]
                        << "; false stops at 2 %: " << two.size() << " of 120, at 1 %: " << one.size());
        bad.insert(bad.end(), ten.begin(), ten.end()), good.insert(good.end(), two.begin(), two.end());
    }
    std::sort(bad.begin(), bad.end());
    CHECK(bad[bad.size() / 2] <= 10);
    CHECK(good.size() < 18);                       // 5 % of 360
}

TEST_CASE("a handful of failures at the start is no verdict; six in a row are") {
    stop_rule rule;
    double s = 0;
    for (int i = 0; i < 5; ++i) s = rule.next(s, true);
    CHECK(!rule.stops(s));
    CHECK(rule.stops(rule.next(s, true)));
    CHECK(rule.next(0, false) == 0);
}
