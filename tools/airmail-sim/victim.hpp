#pragma once
// Who in the fleet meets which misfortune: drawn from a seed, so that a run can be repeated. Pure.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace airmail::sim {

enum class victim : std::uint8_t {
    none,
    offline,         // connects late
    checksum_fault,  // its first download is damaged on the way
    signature_fault, // no signature is good to it
    boot_failure,    // the new slot does not come up; it rolls back
    power_cut,       // loses power in the middle of its first download
    silent,          // takes commands and does nothing
    reboot_loop,     // restarts again and again in the new slot, then rolls back
    seed_pure,       // knows only the architecture document's fields
    restless,        // updates well, and restarts again and again in the new version: harm that no device reports
};
inline constexpr std::size_t victim_kinds = 10;

/// "none", "offline", "checksum_fault" ... as in reports.
std::string_view name_of(victim v);

/// Numbers from a seed, the same on every machine and standard library. splitmix64 (Steele, Lea, Flood 2014).
class dice {
public:
    explicit dice(std::uint64_t seed) : state_(seed) {}
    std::uint64_t roll();
    /// 0 .. n-1; n > 0. The bias of the remainder is below n / 2^64.
    std::uint64_t below(std::uint64_t n) { return roll() % n; }

private:
    std::uint64_t state_;
};

/// One entry a device. `wanted[k]` devices become victim k (wanted[0] is not looked at).
/// @return empty when more victims are wanted than there are devices
std::optional<std::vector<victim>> draw_victims(std::uint64_t seed, std::size_t devices, std::array<std::size_t, victim_kinds> const& wanted);

}
