#include "broker/command_line.hpp"

#include <charconv>

namespace airmail {

command_line command_line::parse(std::vector<std::string> const& args) {
    command_line c;
    auto value = [&](std::size_t& i, char const* what) -> std::string {
        if (i + 1 < args.size()) return args[++i];
        c.error = args[i] + " needs " + what;
        return {};
    };
    for (std::size_t i = 0; i < args.size() && c.error.empty(); ++i) {
        auto const& a = args[i];
        if (a == "-c" || a == "--config-file") {
            auto file = value(i, "a file");
            if (!file.empty()) c.config_files.push_back(file);
        } else if (a == "-p" || a == "--port") {
            auto text = value(i, "a port");
            std::uint16_t port = 0;
            auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
            if (c.error.empty() && (ec != std::errc{} || end != text.data() + text.size() || port == 0)) c.error = "-p: " + text + " is not a port (1-65535)";
            c.ports.push_back(port);
        } else if (a == "-v" || a == "--verbose") c.verbose = true;
        else if (a == "-q" || a == "--quiet") c.quiet = true;
        else if (a == "-d" || a == "--daemon") c.daemonize = true;
        else if (a == "--test-config") c.what = task::test_config;
        else if (a == "-h" || a == "--help") c.what = task::help;
        else if (a == "--version") c.what = task::version;
        else c.error = "unknown option " + a + " (airmaild -h lists them)";
    }
    return c;
}

std::string usage() {
    return "airmaild: the MQTT 5 broker that delivers firmware\n\n"
           "  -c FILE        configuration (Mosquitto's syntax); repeatable, later files add\n"
           "  -p PORT        listen here, in addition to nothing else configured; repeatable\n"
           "  -v             log everything        -q   log nothing\n"
           "  -d             run in the background\n"
           "  --test-config  check the configuration, print every finding, and exit (0 good, 78 not)\n"
           "  -h, --help     this page             --version\n\n"
           "Without -c and without settings, /etc/airmail/airmail.conf is read when it exists.\n"
           "Exit codes: 2 usage, 78 configuration, 77 permission, 75 data directory locked, 74 I/O, 73 data damaged, 69 port taken.\n";
}

}
