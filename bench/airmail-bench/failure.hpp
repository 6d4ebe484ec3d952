#pragma once
// A run that cannot go on: one line for the person at the terminal.

#include <stdexcept>

namespace airmail::bench {

/// Thrown wherever a measurement would no longer mean anything; `what()` is the whole message.
struct failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}
