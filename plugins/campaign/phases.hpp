#pragma once
// Which part of the fleet may be updated now. A phase is a threshold on a device's bucket (0..9999), a salted hash: nobody is
// favoured for asking first, and each phase contains the one before. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::plugins::campaign {

inline constexpr std::int64_t buckets = 10'000;

struct phase {
    double percent = 100;
    std::int64_t soak_ms = 600'000;
    int success_percent = 95;
    std::int64_t threshold() const { return static_cast<std::int64_t>(percent * buckets / 100 + 0.5); }
};

/// The default: 1, 10, 50, 100 %.
std::vector<phase> default_phases(std::int64_t soak_ms, int success_percent);
/// `"none"` -> one phase of 100 %; a list of percents or of {"percent","soak_s","success_percent"}. Rising, the last is 100.
/// Nullopt when it is neither; `why` then says what.
std::optional<std::vector<phase>> parse_phases(std::string_view json, std::int64_t soak_ms, int success_percent, std::string& why);
std::string phases_json(std::vector<phase> const& p);

/// The same arithmetic as `bucket_sql`: multiply-shift on the device's 31-bit hash.
inline std::int64_t bucket_of(std::int64_t device_hash, std::int64_t salt) {
    return (((device_hash * (salt | 1)) >> 16) & 0x7fffffff) % buckets;
}
inline constexpr std::string_view bucket_sql = "(((d.hash * (?1 | 1)) >> 16) & 2147483647) % 10000";

enum class gate { wait, pass, stop };
struct gate_facts {
    std::int64_t in_flight = 0, queued = 0;         // under way, and admissible right now
    std::int64_t targets = 0;                       // rows of this phase
    std::int64_t completed = 0, counted = 0;        // finished and counting
    std::int64_t since = 0, now = 0;                // the phase began
    int minimum = 1;
};
/// May the next phase begin? Never while devices are under way; never before the soak; `stop` when too many failed.
gate judge(phase const& p, gate_facts const& f);

}
