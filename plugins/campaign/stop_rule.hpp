#pragma once
// When do failures say that the image is bad, and not the luck of the draw? A CUSUM (Page 1954) on rows that count: each failure adds the
// logarithm of how much likelier it is under a bad image, each success takes its own away; above the threshold the campaign stops. No
// denominator, no group size, and looking often costs nothing (reference/ota.md 3). Pure.
//
// Page's observations come one by one. Ours come in waves: thousands are under way at once, and a device that fails says so sooner or later
// than its neighbour that does not. Two things keep the order of arrival from being the verdict:
// - a device that came back on the new version counts as a success at once, not after its probation, and is taken back if it fails later;
// - the score may fall below nothing by the failures that the devices now under way may have under a good image: they were drawn with those
//   whose success is known already. With one device at a time that is Page's floor of nothing.

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace airmail::plugins::campaign {

struct stop_rule {
    double good = 0.02, bad = 0.10;        // failure rates: acceptable, and not; 0 < good < bad < 1
    double threshold = 9.3;                // 10,000 devices: 10 % stops at the 10th failure (median), 2 % stops by mistake in about 3 % of campaigns

    /// What one device says.
    double failure() const { return std::log(bad / good); }
    double success() const { return std::log((1 - bad) / (1 - good)); }

    /// The score after a row went from saying `before` to saying `after` (failure(), success(), or 0: nothing yet) with `under_way` rows that
    /// say nothing yet.
    double next(double score, double before, double after, std::int64_t under_way) const {
        double const floor = -static_cast<double>(under_way) * good * failure();
        return std::max(floor, score - before + after);
    }
    bool stops(double score) const { return score > threshold; }
};

}
