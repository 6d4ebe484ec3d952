#pragma once
// Time that moves when a test says so.

#include <cstdint>

namespace airmail::test {

/// Milliseconds; starts at something that is no special case.
struct fake_clock {
    std::int64_t ms = 1'000'000;
    std::int64_t operator()() const { return ms; }
    void advance(std::int64_t by) { ms += by; }
};

}
