#pragma once
// What the command line says.

#include "tools/airmail-sim/victim.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace airmail::sim {

struct options {
    std::string dir = "airmail-sim";
    std::size_t devices = 10;
    std::string prefix = "sim-", model = "TX-100", hw, firmware = "v1.0.0";
    std::string host = "localhost";
    std::uint16_t port = 8883;
    std::string ca_dir, ca_file, http_ca_file, certs_dir;
    std::vector<std::string> command_keys, release_keys;
    bool v311 = false;
    std::uint64_t seed = 1;
    std::array<std::size_t, victim_kinds> victims{};
    std::chrono::milliseconds offline_for{0};       // 0 = until told
    bool offline_seen = false;                      // offline devices connect once first, and go away again
    std::chrono::milliseconds heartbeat{300'000}, install{500}, reboot{1000}, confirm{2000};
    double connect_rate = 200;                      // connections begun a second
    std::size_t notify = 0;                         // devices that change a setting after connecting
    std::chrono::seconds timeout{0};                // 0 = none
    bool until_done = false, json = false;
    std::string report;
};

/// Reads argv. Exits the process on --help (0) and on usage errors (2).
options parse_options(int argc, char** argv);

}
