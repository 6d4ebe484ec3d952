#pragma once
// airmaild's flags; Mosquitto's keep their meaning. Pure.

#include <cstdint>
#include <string>
#include <vector>

namespace airmail {

struct command_line {
    enum class task { run, help, version, test_config } what = task::run;
    std::vector<std::string> config_files;   // -c, repeatable, later files add
    std::vector<std::uint16_t> ports;        // -p, repeatable
    bool verbose = false, quiet = false, daemonize = false;
    std::string error;                       // not empty: usage is wrong, exit 2

    static command_line parse(std::vector<std::string> const& args);
};

/// The text of -h.
std::string usage();

}
