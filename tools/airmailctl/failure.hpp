#pragma once
// How a function of the command line tells that it could not: one clear line and the exit code that goes with it.

#include <stdexcept>
#include <string>

namespace airmail::ctl {

/// DECISIONS, Names: airmailctl exits 1 failed, 2 usage, 3 not found, 4 refused, 5 unreachable.
enum class exit_code : int { ok = 0, failed = 1, usage = 2, not_found = 3, refused = 4, unreachable = 5 };

class failure : public std::runtime_error {
public:
    failure(exit_code code, std::string const& line) : std::runtime_error(line), code_(code) {}
    exit_code code() const noexcept { return code_; }

private:
    exit_code code_;
};

}
