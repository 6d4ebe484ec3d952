#include "tools/airmail-sim/http_head.hpp"
#include "tools/airmail-sim/slots.hpp"
#include "tools/airmail-sim/victim.hpp"

#include "tests/support/temp_dir.hpp"

#include <algorithm>
#include <doctest/doctest.h>

using namespace airmail::sim;
namespace fw = airmail::storage::firmware;

TEST_CASE("victims are as many as asked for, and the same for the same seed") {
    std::array<std::size_t, victim_kinds> wanted{};
    wanted[1] = 8, wanted[2] = 4, wanted[8] = 5;
    auto const a = draw_victims(42, 300, wanted).value();
    CHECK(std::count(a.begin(), a.end(), victim::offline) == 8);
    CHECK(std::count(a.begin(), a.end(), victim::checksum_fault) == 4);
    CHECK(std::count(a.begin(), a.end(), victim::seed_pure) == 5);
    CHECK(a == draw_victims(42, 300, wanted).value());
    CHECK(a != draw_victims(43, 300, wanted).value());
    CHECK(!draw_victims(42, 16, wanted));
    CHECK(draw_victims(42, 17, wanted));
}

TEST_CASE("what a device remembers survives its process") {
    airmail::testing::temp_dir dir;
    {
        slots s(dir / "d", "TX-100", "v1.0.0");
        s.memory().at = stage::downloading;
        s.memory().command_id = "c";
        s.memory().slot_writes["c"] = 1;
        s.memory().settings["k"] = "v";
        s.save();
        s.begin_write(false, 100);
        s.append(fw::as_bytes("hello "));
    }
    slots s(dir / "d", "TX-100", "ignored");
    CHECK(s.memory().to_json() == device_memory::parse(s.memory().to_json())->to_json());
    CHECK(s.memory().running() == "v1.0.0");
    CHECK(s.memory().command_id == "c");
    CHECK(s.begin_write(true, 100) == 6);
    s.append(fw::as_bytes("world"));
    CHECK(s.written_digest() == fw::sha256_of("hello world"));
    CHECK(s.digest_of('b') == fw::to_hex(fw::sha256_of("hello world")));
    CHECK(s.begin_write(true, 5) == 5);
    CHECK(s.digest_of('b') == fw::to_hex(fw::sha256_of("hello")));
    CHECK(s.begin_write(false, 100) == 0);
}

TEST_CASE("URLs and heads of answers") {
    auto const u = https_url::parse("https://localhost:8443/fw/ab?c=1&s=2").value();
    CHECK(u.host == "localhost");
    CHECK(u.port == 8443);
    CHECK(u.target == "/fw/ab?c=1&s=2");
    CHECK(u.request(5).find("\r\nRange: bytes=5-\r\n") != std::string::npos);
    CHECK(u.request(0).find("Range") == std::string::npos);
    CHECK(https_url::parse("https://[::1]:1/x").value().host == "::1");
    CHECK(!https_url::parse("http://h/x"));
    CHECK(!https_url::parse("https://u@h/x"));
    CHECK(!https_url::parse("https://h:0/x"));
    auto const h = http_head::parse("HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\nCONTENT-RANGE: bytes 5-14/15\r\n").value();
    CHECK(h.status == 206);
    CHECK(h.content_length == 10);
    CHECK(h.range_from == 5);
    CHECK(h.range_total == 15);
    CHECK(!http_head::parse("SSH-2.0-x\r\n"));
    CHECK(!http_head::parse("HTTP/1.1 200 OK\r\nContent-Length: ten\r\n"));
}
