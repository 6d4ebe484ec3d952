// airmail-sim: a fleet of simulated devices.

#include "tools/airmail-sim/fleet.hpp"

#include <csignal>
#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
    auto const o = airmail::sim::parse_options(argc, argv);
    std::signal(SIGPIPE, SIG_IGN);
    std::fprintf(stderr, "airmail-sim: %zu devices, seed %llu\n", o.devices, static_cast<unsigned long long>(o.seed));
    try {
        return airmail::sim::fleet(o).run();
    } catch (std::exception const& e) {
        std::fprintf(stderr, "airmail-sim: %s\n", e.what());
        return 1;
    }
}
