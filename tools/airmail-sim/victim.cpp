#include "tools/airmail-sim/victim.hpp"

#include <numeric>
#include <utility>

namespace airmail::sim {

std::string_view name_of(victim v) {
    static constexpr std::array<std::string_view, victim_kinds> names{"none", "offline", "checksum_fault", "signature_fault", "boot_failure", "power_cut", "silent", "reboot_loop", "seed_pure", "restless"};
    return names[static_cast<std::size_t>(v)];
}

std::uint64_t dice::roll() {
    auto z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

std::optional<std::vector<victim>> draw_victims(std::uint64_t seed, std::size_t devices, std::array<std::size_t, victim_kinds> const& wanted) {
    std::size_t sum = 0;
    for (std::size_t k = 1; k < victim_kinds; ++k) {
        if (wanted[k] > devices - sum) return std::nullopt;
        sum += wanted[k];
    }
    std::vector<std::size_t> order(devices);
    std::iota(order.begin(), order.end(), std::size_t{0});
    dice d(seed);
    for (std::size_t i = 0; i < sum; ++i) std::swap(order[i], order[i + d.below(devices - i)]);  // Fisher and Yates, as far as needed
    std::vector<victim> out(devices, victim::none);
    std::size_t next = 0;
    for (std::size_t k = 1; k < victim_kinds; ++k)
        for (std::size_t n = 0; n < wanted[k]; ++n) out[order[next++]] = static_cast<victim>(k);
    return out;
}

}
