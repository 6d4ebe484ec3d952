// airmaild: read the configuration, make a broker, add the built-in plugins, run until a signal.

#include "broker/broker.hpp"
#include "broker/command_line.hpp"
#include "broker/config/parse.hpp"
#include "broker/log/log.hpp"
#include "broker/config/logging.hpp"
#include "broker/examine.hpp"
#include "broker/process.hpp"
#include "broker/version.hpp"
#include "plugins/dashboard/dashboard.hpp"
#include "plugins/standard.hpp"

#include <cstdio>
#include <mutex>
#include <csignal>
#include <utility>
#include <vector>
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

/// Lines for `log_dest topic` find the broker while there is one. The log thread calls it.
class log_topic {
public:
    void operator()(airmail::log::level l, std::string_view line) {
        std::lock_guard hold(lock_);
        if (broker_) broker_->publish_log(l, line);
    }
    void use(airmail::broker* b) {
        std::lock_guard hold(lock_);
        broker_ = b;
    }

private:
    std::mutex lock_;
    airmail::broker* broker_ = nullptr;
} topic;

std::string start_log(airmail::config::config const& c, airmail::command_line const& cl) {
    return airmail::log::set(airmail::config::log_options(c, cl.verbose, cl.quiet, [](auto l, auto line) { topic(l, line); }));
}

/// Those who asked for a reload over the control socket, until the main thread has done it.
struct askers {
    std::mutex lock;
    std::vector<airmail::broker::reload_answer> waiting;
    void ask(airmail::broker::reload_answer a) {
        {
            std::lock_guard hold(lock);
            waiting.push_back(std::move(a));
        }
        ::kill(::getpid(), SIGHUP);
    }
    void tell(std::vector<std::string> const& lines) {
        std::unique_lock hold(lock);
        for (auto& a : std::exchange(waiting, {})) a(lines);
    }
} askers;

void reload(airmail::broker& b, airmail::command_line const& cl) {
    std::vector<std::string> said;
    airmail::process::notify_reloading();
    airmail::log::reopen();
    auto fresh = read_configuration(cl);
    for (auto const& f : fresh.findings()) airmail::log::warn("config", {}, "{}", f.str());
    if (!fresh.ok()) {
        for (auto const& f : fresh.findings()) said.push_back(f.str());
        said.push_back("reload refused: the configuration has errors; the running one is kept");
        airmail::log::error("config", {}, "{}", said.back());
    } else {
        if (auto why = start_log(fresh, cl); !why.empty()) airmail::log::error("config", {}, "reload: log settings refused, the running ones stay: {}", why);
        said = b.reload(fresh);
        for (auto const& line : said) airmail::log::info("config", {}, "{}", line);
    }
    askers.tell(said);
    airmail::process::notify("READY=1");
}

void wait_for_signals(airmail::broker& b, airmail::command_line const& cl, airmail::process::signals& signals) {
    using event = airmail::process::signals;
    auto const watchdog = airmail::process::watchdog_interval();
    for (;;) {
        switch (signals.wait(watchdog)) {
        case event::none:
            // A shard that does not answer is what the service manager wants to know about.
            if (b.responsive(watchdog)) airmail::process::notify("WATCHDOG=1");
            else airmail::log::error("broker", {}, "a shard does not answer: the watchdog is not told that all is well");
            break;
        case event::reload: reload(b, cl); break;
        case event::save: airmail::log::info("broker", {}, "SIGUSR1: nothing to save, every acknowledgement is kept as store_durability says"); break;
        case event::rotate: airmail::log::reopen(); break;
        case event::report:
            for (auto const& line : b.report()) airmail::log::info("broker", {}, "{}", line);
            break;
        case event::stop:
            airmail::process::notify("STOPPING=1");
            airmail::log::info("broker", {}, "stopping: draining connections");
            b.drain();
            topic.use(nullptr);
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
    airmail::process::background background{cl.daemonize};  // forks: before LMDB and threads
    if (auto why = start_log(settings, cl); !why.empty()) throw airmail::startup_error(74, why);
    airmail::process::pid_file pid{std::string(settings.text("pid_file"))};  // as Mosquitto: /run may be root's
    airmail::process::drop_root(settings);
    airmail::broker b(settings);
    for (auto const* plugin : airmail::plugins::standard()) b.add(*plugin);
    b.serve_web(airmail::dashboard::make_service());
    b.on_reload_request([](auto answer) { askers.ask(std::move(answer)); });
    b.start();
    topic.use(&b);
    background.ready();
    airmail::process::notify("READY=1");
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
