#pragma once
// The broker under test, as the laboratory sees it.

#include "tools/client/options.hpp"

#include <functional>

namespace airmail::crashtest {

/// Owned by: whoever made it; called from the laboratory's thread only.
struct victim {
    std::function<std::string()> start;                                       // until it serves; empty, or why it does not
    std::function<void()> launch;                                             // begins to start, without waiting
    std::function<void()> kill;                                               // SIGKILL, until it is gone
    std::function<client::connect_options(std::string const& id)> way_in;     // host, port, TLS and credentials for a client id
};

/// How long and how hard.
struct plan {
    int rounds = 10;                               // load, then kill -9
    int kills_in_recovery = 0;                     // before each start, at random moments of the start itself
    std::chrono::milliseconds load_most{300};      // a round's load lasts from 20 ms to this
    std::chrono::milliseconds recovery_most{60};   // a kill in recovery comes after 0 to this
    std::chrono::milliseconds patience{60'000};    // for everything that must come
    int writers = 2, window = 20;                  // PUBLISHes under way at once, for each writer
    std::uint32_t seed = 1;
    std::function<void(int round)> progress;       // may be empty
};

}
