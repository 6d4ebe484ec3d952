// airmaild: read the configuration, make a broker, add the built-in plugins, run until a signal.

#include "broker/broker.hpp"
#include "broker/command_line.hpp"
#include "broker/config/parse.hpp"
#include "broker/log/log.hpp"
#include "broker/config/logging.hpp"
#include "broker/examine.hpp"
#include "broker/process.hpp"
#include "broker/version.hpp"
#include "plugins/standard.hpp"

#include <cstdio>
#include <unistd.h>

namespace {

airmail::config::config read_configuration(airmail::command_line const& cl) {
    airmail::config::sources from;
    from.files = cl.config_files;
    if (from.files.empty() && cl.ports.empty() && ::access(airmail::process::default_config, R_OK) == 0) from.files.push_back(airmail::process::default_config);
    from.environment = airmail::config::process_environment();
    from.ports = cl.ports;
    return airmail::config::parse(from);
}

bool print(std::vector<airmail::config::finding> const& all) {
    bool good = true;
    for (auto const& f : all) {
        std::fprintf(stderr, "%s\n", f.str().c_str());
        good &= f.weight != airmail::config::finding::grade::error;
    }
    return good;
}

int print_findings(airmail::config::config const& c) { return print(c.findings()) ? 0 : 78; }

void wait_for_signals(airmail::broker& b, airmail::command_line const& cl, airmail::process::signals& signals) {
    for (;;) {
        switch (signals.wait()) {
        case airmail::process::signals::reload: {
            airmail::log::reopen();
            auto fresh = read_configuration(cl);
            print_findings(fresh);
            if (!fresh.ok()) {
                airmail::log::error("config", {}, "reload refused: the configuration has errors; the running one is kept");
                break;
            }
            for (auto const& line : b.reload(fresh)) airmail::log::info("config", {}, "{}", line);
            break;
        }
        case airmail::process::signals::stop:
            airmail::log::info("broker", {}, "stopping: draining connections");
            b.drain();
            b.stop();
            return;
        }
    }
}

int run(airmail::command_line const& cl) {
    auto settings = read_configuration(cl);
    int bad = print_findings(settings);
    if (cl.what == airmail::command_line::task::test_config) {
        if (!bad && !print(airmail::examine(settings))) bad = 78;
        std::fprintf(stderr, "%s\n", bad ? "configuration refused" : "configuration good");
        return bad;
    }
    if (bad) return bad;
    airmail::process::signals signals;  // blocked before any thread exists, so that only wait() sees them
    if (cl.daemonize) airmail::process::daemonize();  // before LMDB and threads
    if (auto why = airmail::log::set(airmail::config::log_options(settings, cl.verbose, cl.quiet, {})); !why.empty()) throw airmail::startup_error(74, why);
    airmail::process::drop_root(settings);
    airmail::process::pid_file pid{std::string(settings.text("pid_file"))};
    airmail::broker b(settings);
    for (auto const* plugin : airmail::plugins::standard()) b.add(*plugin);
    b.start();
    airmail::process::notify_ready();
    wait_for_signals(b, cl, signals);
    return 0;
}

}

int main(int argc, char** argv) {
    auto cl = airmail::command_line::parse({argv + 1, argv + argc});
    if (!cl.error.empty()) {
        std::fprintf(stderr, "airmaild: %s\n", cl.error.c_str());
        return 2;
    }
    if (cl.what == airmail::command_line::task::help) return std::fputs(airmail::usage().c_str(), stdout), 0;
    if (cl.what == airmail::command_line::task::version) return std::printf("airmaild %s\n", airmail::version), 0;
    int code = 1;
    try {
        code = run(cl);
    } catch (airmail::startup_error const& e) {
        std::fprintf(stderr, "airmaild: %s\n", e.what());
        code = e.exit_code();
    } catch (std::exception const& e) {
        std::fprintf(stderr, "airmaild: %s\n", e.what());
    }
    airmail::log::stop();
    return code;
}
