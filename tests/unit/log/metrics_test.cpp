#include "broker/log/metrics.hpp"

#include <cstdio>
#include <cstdlib>
#include <doctest/doctest.h>
#include <thread>

using namespace airmail;

namespace {

inline metrics::counter packets{"airmail_test_packets_total", "Packets counted in this test."};
bool has(std::string const& text, std::string_view line) { return text.find(line) != text.npos; }

}

TEST_CASE("counts of all threads add up, also of threads that have ended") {
    auto const before = packets.value();
    std::vector<std::thread> shards;
    for (int t = 0; t < 4; ++t)
        shards.emplace_back([] { for (int i = 0; i < 10000; ++i) packets.add(); });
    for (auto& t : shards) t.join();
    packets.add(5);
    CHECK(packets.value() - before == 40005);
    CHECK(has(metrics::exposition(), "# TYPE airmail_test_packets_total counter\nairmail_test_packets_total " + std::to_string(packets.value()) + "\n"));
}

TEST_CASE("a gauge may be raised by one thread and lowered by another") {
    metrics::gauge open{"airmail_test_connections", "Open connections."};
    open.add(10);
    std::thread{[&] { open.add(-3); }}.join();
    CHECK(open.value() == 7);
    CHECK(has(metrics::exposition(), "\nairmail_test_connections 7\n"));
    std::thread{[&] { open.add(-10); }}.join();
    CHECK(has(metrics::exposition(), "\nairmail_test_connections -3\n"));
}

TEST_CASE("a histogram's buckets are cumulative and end in +Inf") {
    metrics::histogram took{"airmail_test_commit_seconds", "Time of a commit.", {0.1, 1.0}, {{"store", "hot"}}};
    for (double const v : {0.05, 0.1, 0.5, 7.0}) took.observe(v);
    CHECK(took.count() == 4);
    auto const text = metrics::exposition();
    CHECK(has(text, "airmail_test_commit_seconds_bucket{store=\"hot\",le=\"0.1\"} 2\n"));
    CHECK(has(text, "airmail_test_commit_seconds_bucket{store=\"hot\",le=\"1\"} 3\n"));
    CHECK(has(text, "airmail_test_commit_seconds_bucket{store=\"hot\",le=\"+Inf\"} 4\n"));
    CHECK(has(text, "airmail_test_commit_seconds_sum{store=\"hot\"} 7.65\n"));
    CHECK(has(text, "airmail_test_commit_seconds_count{store=\"hot\"} 4\n"));
}

TEST_CASE("a plugin's metrics carry labels, escaped, and registering twice gives the same cells") {
    metrics::labels const mine{{"plugin", "a\"b\\c\nd"}};
    metrics::counter one{"airmail_test_plugin_calls_total", "Calls.", mine}, two{"airmail_test_plugin_calls_total", "Calls.", mine};
    one.add(2);
    two.add(3);
    CHECK(one.value() == 5);
    CHECK(has(metrics::exposition(), "airmail_test_plugin_calls_total{plugin=\"a\\\"b\\\\c\\nd\"} 5\n"));
}

TEST_CASE("a metric with a wrong name, or another type under a taken name, is refused and counted") {
    metrics::counter bad{"no blanks", "Help."};
    metrics::gauge clash{"airmail_test_packets_total", "Help."};
    bad.add();
    clash.set(1);
    auto const text = metrics::exposition();
    CHECK(!has(text, "no blanks"));
    CHECK(!has(text, "airmail_log_metrics_refused_total 0\n"));
}

TEST_CASE("a probe is asked at scrape time and may declare metrics itself; a dead one is not asked") {
    int asked = 0;
    {
        metrics::probe p{metrics::kind::gauge, "airmail_test_queue_depth", "Depth.", [&] {
                             metrics::counter{"airmail_test_probes_total", "Asked."}.add();
                             return static_cast<double>(++asked);
                         }};
        CHECK(has(metrics::exposition(), "\nairmail_test_queue_depth 1\n"));
    }
    CHECK(!has(metrics::exposition(), "airmail_test_queue_depth"));
    CHECK(asked == 1);
}

TEST_CASE("promtool finds nothing to say about the exposition") {
    if (std::system("command -v promtool >/dev/null 2>&1") != 0) {
        MESSAGE("promtool is not installed: not checked");
        return;
    }
    auto* tool = ::popen("promtool check metrics >&2", "w");
    REQUIRE(tool);
    auto const text = metrics::exposition();
    std::fwrite(text.data(), 1, text.size(), tool);
    CHECK(::pclose(tool) == 0);
}
