#pragma once
// When do failures say that the image is bad, and not the luck of the draw? A CUSUM (Page 1954) on rows that count: each failure adds the
// logarithm of how much likelier it is under a bad image, each success takes its own away, never below nothing; above the threshold the
// campaign stops. No denominator, no group size, and looking often costs nothing (reference/ota.md 3). Pure.
//
// Page's observations come one by one. Ours come in waves: thousands are under way at once, and a device that fails says so sooner or later
// than its neighbour that does not. So that the order of arrival is not the verdict, rows are weighed in the order in which they began: those
// that began in the same ten seconds are one observation, whoever of them speaks last. And a device that is back on the new version
// counts as a success at once, not after its probation; it is taken back if it fails later.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>

namespace airmail::plugins::campaign {

struct stop_rule {
    double good = 0.02, bad = 0.10;        // failure rates: acceptable, and not; 0 < good < bad < 1
    double threshold = 9.3;                // 10,000 devices: 10 % stops at the 10th failure (median), 2 % stops by mistake in about 3 % of campaigns

    /// What one device says.
    double failure() const { return std::log(bad / good); }
    double success() const { return std::log((1 - bad) / (1 - good)); }
    bool stops(double score) const { return score > threshold; }
};

/// What the rows of one campaign have said so far, by when they began. In memory alone: after a restart it goes on from the last worst().
class stop_scores {
public:
    static constexpr std::int64_t together_ms = 10'000;
    static constexpr std::size_t blocks_max = 8192;      // about 0.5 MiB; beyond, the oldest are one observation

    explicit stop_scores(double worst_before = 0) : before_(worst_before) {}

    /// A row that began at `began` (unix ms) says `after` instead of `before`: failure(), success(), or 0 when it says nothing yet.
    void says(std::int64_t began, double before, double after) {
        by_block_[began / together_ms] += after - before;
        if (by_block_.size() <= blocks_max) return;
        auto const oldest = by_block_.begin();
        std::next(oldest)->second += oldest->second;
        by_block_.erase(oldest);
    }
    /// The highest the sum has been, blocks in their order. O(blocks); needed when something failed.
    double worst() const {
        double now = before_, worst = before_;
        for (auto const& [block, said] : by_block_) now = std::max(0.0, now + said), worst = std::max(worst, now);
        return worst;
    }

private:
    double before_;
    std::map<std::int64_t, double> by_block_;
};

}
