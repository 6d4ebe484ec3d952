#include "plugins/cohort/pair_test.hpp"

#include <cmath>

namespace airmail::plugins::cohort {

double evidence(pair_counts const& n) {
    constexpr double alternatives[] = {0.6, 0.7, 0.8, 0.9};
    double sum = 0;
    for (double const q : alternatives) sum += std::exp(static_cast<double>(n.worse) * std::log(2 * q) + static_cast<double>(n.better) * std::log(2 * (1 - q)));
    return sum / 4;
}

}
