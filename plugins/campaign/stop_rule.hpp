#pragma once
// When do failures say that the image is bad, and not the luck of the draw? A CUSUM (Page 1954) on finished rows that count: each failure
// adds the logarithm of how much likelier it is under a bad image, each success takes its own away, never below nothing; above the
// threshold the campaign stops. No denominator, no group size, and looking often costs nothing (reference/ota.md 3). Pure.

#include <algorithm>
#include <cmath>

namespace airmail::plugins::campaign {

struct stop_rule {
    double good = 0.02, bad = 0.10;        // failure rates: acceptable, and not; 0 < good < bad < 1
    double threshold = 9.3;                // 10,000 devices: 10 % stops at the 10th failure (median), 2 % stops by mistake in about 3 % of campaigns

    /// The score after one more finished row.
    double next(double score, bool failed) const {
        return std::max(0.0, score + (failed ? std::log(bad / good) : std::log((1 - bad) / (1 - good))));
    }
    bool stops(double score) const { return score > threshold; }
};

}
