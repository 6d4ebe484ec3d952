#include "broker/log/log.hpp"
#include "broker/log/line.hpp"

#include <boost/json/parse.hpp>
#include <condition_variable>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fstream>
#include <mutex>
#include <sstream>
#include <unistd.h>

using namespace airmail;

namespace {

/// Collects what reaches the destination; `wait_for` blocks until that many lines are there, without sleeping.
struct capture {
    std::mutex lock;
    std::condition_variable more;
    std::vector<std::string> lines;
    log::destination to() {
        return {log::destination::type::call, "", [this](log::level, std::string_view line) {
                    std::lock_guard hold{lock};
                    lines.emplace_back(line);
                    more.notify_all();
                }};
    }
    void wait_for(std::size_t n) {
        std::unique_lock hold{lock};
        more.wait(hold, [&] { return lines.size() >= n; });
    }
};

std::string read_all(std::string const& path) {
    std::ostringstream out;
    out << std::ifstream{path}.rdbuf();
    return out.str();
}

}

TEST_CASE("a text line names its room and carries its fields") {
    CHECK(log::text_line("T", log::level::warn, "net", {{"conn", 12u}, {"id", "dev-1"}, {"ok", true}, {"n", -3}}, "closed") ==
          "T warn net: closed conn=12 id=dev-1 ok=true n=-3");
}

TEST_CASE("nobody can forge a second text line or a field") {
    CHECK(log::text_line("", log::level::info, "net", {{"id", "a b=\"c\"\n"}}, "x\ny\x1b[2J\xC2\x9Bz") ==
          "info net: x\\ny\\x1b[2J\\x9bz id=\"a b=\\\"c\\\"\\n\"");
    CHECK(log::text_line("", log::level::info, "net", {{"id", ""}, {"b", "\xFF"}}, "x") == "info net: x id=\"\" b=\\xff");
}

TEST_CASE("a JSON line is one object whatever its fields hold") {
    auto const line = log::json_line("T", log::level::error, "acl", {{"id", "q\"\n\xFF\xED\xA0\x80"}, {"n", 18446744073709551615u}, {"r", 1.0 / 0.0}}, "t\t");
    CHECK(line.find('\n') == line.npos);
    auto const o = boost::json::parse(line).as_object();
    CHECK(o.at("ts") == "T");
    CHECK(o.at("level") == "error");
    CHECK(o.at("room") == "acl");
    CHECK(o.at("msg") == "t\t");
    CHECK(o.at("id") == "q\"\n\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    CHECK(o.at("n") == 18446744073709551615u);
    CHECK(o.at("r").is_null());
}

TEST_CASE("time is written as RFC 3339 UTC, or as the operator's format says") {
    auto const at = std::chrono::system_clock::time_point{std::chrono::milliseconds{1'234'567'890'123}};
    CHECK(log::stamp(at, "") == "2009-02-13T23:31:30.123Z");
    CHECK(log::stamp(at, "%Y") == "2009");
}

TEST_CASE("the secrets of a URL do not reach the log") {
    CHECK(log::redact_url("https://h:8443/fw/abc?exp=1&dev=d&sig=deadbeef") == "https://h:8443/fw/abc?exp=...&dev=...&sig=...");
    CHECK(log::redact_url("https://user:pw@h/x") == "https://...@h/x");
    CHECK(log::redact_url("https://h/a@b") == "https://h/a@b");
    CHECK(log::redact_url("/fw/abc?k=v=w#t=u") == "/fw/abc?k=...#t=...");
    CHECK(log::redact_url("plain") == "plain");
}

TEST_CASE("levels below the least are not formatted") {
    capture seen;
    log::set({.least = log::level::info, .to = {seen.to()}, .timestamps = false});
    CHECK(!log::enabled(log::level::debug));
    CHECK(log::enabled(log::level::error));
    log::debug("net", {}, "no {}", 1);
    log::info("net", {{"conn", 1}}, "yes {}", 2);
    seen.wait_for(1);
    log::stop();
    REQUIRE(seen.lines.size() == 1);
    CHECK(seen.lines[0] == "info net: yes 2 conn=1");
}

TEST_CASE("a full queue drops its oldest lines, counts them and never waits") {
    std::mutex gate;
    capture seen;
    auto slow = seen.to();
    auto inner = slow.call;
    slow.call = [&](log::level l, std::string_view s) {
        std::lock_guard hold{gate};
        inner(l, s);
    };
    auto const before = log::overruns();
    {
        log::set({.to = {slow}, .timestamps = false, .queue_lines = 16});
        std::lock_guard closed{gate};
        for (int i = 0; i < 1000; ++i) log::warn("net", {}, "line {}", i);   // returns though nobody reads
        CHECK(log::overruns() > before);
    }
    log::stop();   // drains
    REQUIRE(!seen.lines.empty());
    CHECK(seen.lines.back() == "warn net: line 999");
    CHECK(seen.lines.size() + (log::overruns() - before) == 1000);
}

TEST_CASE("a log file is appended to and follows a rotation") {
    char dir[] = "/tmp/airmail-log-XXXXXX";
    REQUIRE(mkdtemp(dir));
    auto const path = std::string{dir} + "/a.log";
    log::destination file{log::destination::type::file, path, {}};
    CHECK(log::set({.to = {file}, .timestamps = false}) == "");
    log::info("net", {}, "one");
    log::stop();
    CHECK(log::set({.to = {file}, .timestamps = false}) == "");
    REQUIRE(std::rename(path.c_str(), (path + ".1").c_str()) == 0);
    log::reopen();
    log::info("net", {}, "two");
    log::stop();
    CHECK(read_all(path + ".1") == "info net: one\n");
    CHECK(read_all(path) == "info net: two\n");
    CHECK(log::set({.to = {{log::destination::type::file, std::string{dir} + "/no/such", {}}}}).find("cannot open log file") == 0);
    ::unlink(path.c_str());
    ::unlink((path + ".1").c_str());
    ::rmdir(dir);
}
