// airmailctl crashtest: is the promise kept on this machine, on this disk?

#include "tools/airmailctl/commands/commands.hpp"
#include "tools/airmailctl/show.hpp"
#include "tools/crashtest/broker_child.hpp"
#include "tools/crashtest/laboratory.hpp"

#include <filesystem>
#include <fmt/core.h>
#include <unistd.h>

namespace airmail::ctl {

namespace {

namespace fs = std::filesystem;
struct crashtest_options {
    std::string program, directory = "/var/tmp";
    crashtest::plan plan{.rounds = 20};
};

/// airmaild beside this program (build and installation alike), else in /usr/sbin, /usr/bin.
std::string find_airmaild() {
    std::error_code ignored;
    auto const here = fs::read_symlink("/proc/self/exe", ignored).parent_path();
    for (auto const& p : {here / "airmaild", here / "../sbin/airmaild", here / "../../broker/airmaild", fs::path("/usr/sbin/airmaild"), fs::path("/usr/bin/airmaild")})
        if (::access(p.c_str(), X_OK) == 0) return p.lexically_normal().string();
    throw failure(exit_code::not_found, "airmaild is not beside airmailctl: name it with --airmaild");
}

void crashtest_run(context& c, crashtest_options o) {
    if (o.program.empty()) o.program = find_airmaild();
    if (::access(o.program.c_str(), X_OK) != 0) throw failure(exit_code::not_found, o.program + " cannot be run");
    crashtest::broker_child broker(o.program, o.directory);
    auto victim = broker.as_victim();
    bar progress("rounds");
    o.plan.progress = [&](int round) { progress.update(static_cast<std::uint64_t>(round), static_cast<std::uint64_t>(o.plan.rounds)); };
    auto const v = crashtest::run(victim, o.plan);
    boost::json::object said{{"rounds", v.rounds}, {"kills_in_recovery", v.kills_in_recovery}, {"published", v.published}, {"acknowledged", v.acknowledged},
                             {"lost", v.lost}, {"qos2_twice", v.twice}, {"out_of_order", v.out_of_order}, {"sessions_lost", v.sessions_lost},
                             {"subscriptions_lost", v.subscriptions_lost}, {"retained_wrong", v.retained_wrong}, {"wills_lost", v.wills_lost},
                             {"failed_starts", v.failed_starts}, {"slowest_start_ms", v.slowest_start_ms}};
    c.json ? json_line(said) : record(said);
    for (auto const& w : v.words) fmt::print(stderr, "{}\n", w);
    if (!v.kept()) throw failure(exit_code::failed, "the promise was broken");
}

}

void add_crashtest(command_line::command app, context& c) {
    command<crashtest_options>(app, "crashtest", "kill -9 a broker of its own under load, again and again, and count what was promised and lost", [](command_line::command s, crashtest_options& o) {
        s.add_option("--rounds", o.plan.rounds, "how often it is killed under load").show_default().between(1, 100'000);
        s.add_option("--kills-in-recovery", o.plan.kills_in_recovery, "how often it is killed again while it starts, each round").show_default().between(0, 100);
        s.add_option("--directory", o.directory, "where its scratch directory is made: the disk in question").show_default();
        s.add_option("--airmaild", o.program, "the program; default: the one beside airmailctl");
        s.add_option("--writers", o.plan.writers, "clients that publish").show_default().between(1, 100);
        s.add_option("--seed", o.plan.seed, "of the moments at which it is killed").show_default();
    }, [&c](crashtest_options const& o) { crashtest_run(c, o); });
}

}
