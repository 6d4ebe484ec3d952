#pragma once
// Does the new version do harm that no device reports? Pairs answer: a device that has just been updated and one of the same campaign
// that has not, watched over the same minutes. Which of two devices came first was drawn (the campaign's salted hash), so when the
// version changes nothing, the worse of a pair is either one with probability 1/2, whatever the devices, the hour and the network are
// like. Ties say nothing.
//
// The evidence is the likelihood ratio of "the updated one is worse with probability q" against 1/2, mixed over q = 0.6, 0.7, 0.8, 0.9.
// Without a difference it is a martingale that begins at 1, so with probability at least 1 - alpha it never reaches 1/alpha, however
// often one looks (Ville 1939; Robbins, "Statistical methods related to the law of the iterated logarithm", 1970; as mSPRT: Johari, Pekelis,
// Walsh, "Always Valid Inference", 2015). A device takes part once. Pure.

#include <cstdint>

namespace airmail::plugins::cohort {

struct pair_counts {
    std::int64_t worse = 0, better = 0, same = 0;      // the updated one of a pair
    std::int64_t total() const { return worse + better + same; }
};

/// The evidence, at least 0; 1 = none.
double evidence(pair_counts const& n);
/// Whether the difference is shown at this error probability.
inline bool shown(pair_counts const& n, double alpha) { return evidence(n) >= 1 / alpha; }

}
