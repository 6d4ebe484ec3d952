// The sequential test of plugins/cohort: what it promises, seeded.

#include "plugins/cohort/pair_test.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <random>
#include <vector>

using namespace airmail::plugins::cohort;

namespace {

/// Devices as fleets have them: most are quiet, a few reconnect all the time. Reconnects of one window.
int reconnects(std::mt19937_64& rng, double factor) {
    double const rate = std::gamma_distribution<double>(0.3, 1.0)(rng);
    return std::poisson_distribution<int>(rate * factor)(rng);
}

/// Pairs until the first alarm, or `pairs_max` when there is none.
int pairs_to_alarm(std::mt19937_64& rng, double factor, double alpha, int pairs_max) {
    pair_counts n;
    for (int i = 1; i <= pairs_max; ++i) {
        int const a = reconnects(rng, factor), b = reconnects(rng, 1);
        ++(a > b ? n.worse : a < b ? n.better : n.same);
        if (shown(n, alpha)) return i;
    }
    return pairs_max;
}

}

TEST_CASE("evidence begins at one, grows with worse pairs, shrinks with better ones; ties say nothing") {
    CHECK(evidence({}) == doctest::Approx(1));
    CHECK(evidence({0, 0, 1000}) == doctest::Approx(1));
    CHECK(evidence({10, 0, 0}) > 60);
    CHECK(evidence({0, 10, 0}) < 0.1);
    CHECK(shown({12, 1, 50}, 0.05));
    CHECK(!shown({30, 30, 0}, 0.05));
}

TEST_CASE("without a difference its expectation stays one, so that looking often costs nothing (the martingale, exactly)") {
    // E[evidence after one more pair | now] = evidence now, at every state.
    for (int w = 0; w < 20; ++w)
        for (int b = 0; b < 20; ++b) CHECK((evidence({w + 1, b, 0}) + evidence({w, b + 1, 0})) / 2 == doctest::Approx(evidence({w, b, 0})));
}

TEST_CASE("the chance of a false alarm in 500 pairs that differ, added up exactly over all ways, is below the stated 5 %") {
    double alarm = 0;
    std::vector<double> now{1};                                    // by the number of worse pairs
    for (int n = 1; n <= 500; ++n) {
        std::vector<double> next(now.size() + 1, 0);
        for (std::size_t w = 0; w < now.size(); ++w)
            for (std::size_t worse : {w, w + 1}) {
                bool const told = shown({static_cast<std::int64_t>(worse), n - static_cast<std::int64_t>(worse), 0}, 0.05);
                (told ? alarm : next[worse]) += now[w] / 2;
            }
        now = std::move(next);
    }
    CHECK(alarm < 0.05);
    CHECK(alarm == doctest::Approx(0.0415).epsilon(0.01));
}

TEST_CASE("1,000 campaigns without a difference, looked at after every one of 500 pairs: false alarms at most the stated 5 %") {
    std::mt19937_64 rng(2026);
    int alarms = 0;
    for (int run = 0; run < 1000; ++run) alarms += pairs_to_alarm(rng, 1, 0.05, 500) < 500;
    MESSAGE("false alarms in 1,000 runs: " << alarms);
    CHECK(alarms <= 50);
}

TEST_CASE("devices that reconnect three times as often are found within a median of 150 pairs, in three measures at 5 % together") {
    std::mt19937_64 rng(7);
    std::vector<int> at;
    for (int run = 0; run < 500; ++run) at.push_back(pairs_to_alarm(rng, 3, 0.05 / 3, 5000));
    std::nth_element(at.begin(), at.begin() + 250, at.end());
    MESSAGE("median of pairs to the alarm: " << at[250]);
    CHECK(at[250] <= 150);
}
