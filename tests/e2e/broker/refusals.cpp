// What an operator gets wrong: one clear line and the right exit code, and nothing lost.

#include "tests/e2e/broker/house.hpp"

#include <algorithm>

using namespace airmail::testing;

namespace {

/// Lines that say something went wrong, apart from the log of a start that went well until then.
std::size_t complaints(std::string const& text) {
    std::istringstream in(text);
    std::size_t n = 0;
    for (std::string line; std::getline(in, line);)
        if (!line.empty() && line.find(" info ") == line.npos && line.find("warning") == line.npos && line.find(" warn ") == line.npos) ++n;
    return n;
}

std::string const plain = "listener {plain} 127.0.0.1\nallow_anonymous true\n";

}

TEST_CASE("a start that cannot be is refused by one line that names the place, and an exit code") {
    auto const& f = fleet::get().ours;
    auto const tls = [&](std::string const& ca, std::string const& crt, std::string const& key) {
        return "listener {tls} 127.0.0.1\ndevice_listener true\ncafile " + ca + "\ncertfile " + crt + "\nkeyfile " + key + "\n";
    };
    broker_process d{""};
    auto const bad_file = d.dir() / "nonsense";
    std::ofstream(bad_file) << "this is no certificate\n";
    std::string text, names;
    int code = 78;
    SUBCASE("an unknown directive") { text = plain + "alow_anonymous true\n", names = "alow_anonymous"; }
    SUBCASE("a value that is none") { text = plain + "max_keepalive soon\n", names = "max_keepalive"; }
    SUBCASE("a flag that is neither") { text = "listener {plain} 127.0.0.1\nallow_anonymous perhaps\n", names = "allow_anonymous"; }
    SUBCASE("a port out of range") { text = "listener 70000 127.0.0.1\n", names = "listener"; }
    SUBCASE("a key that is not there") { text = tls(f.ca_file(), f.server().certificate, "/nowhere/server.key"), names = "/nowhere/server.key"; }
    SUBCASE("a certificate that is not there") { text = tls(f.ca_file(), "/nowhere/server.crt", f.server().key), names = "/nowhere/server.crt"; }
    SUBCASE("a CA that is not there") { text = tls("/nowhere/ca.crt", f.server().certificate, f.server().key), names = "/nowhere/ca.crt"; }
    SUBCASE("a certificate that is none") { text = tls(f.ca_file(), bad_file, f.server().key), names = "nonsense"; }
    SUBCASE("a key that belongs to another certificate") { text = tls(f.ca_file(), f.server().certificate, fleet::get().strangers.server().key), names = "key"; }
    SUBCASE("a device listener without certificates") { text = "listener {tls} 127.0.0.1\ndevice_listener true\ncafile " + f.ca_file() + "\n", names = "certfile"; }
    SUBCASE("an acl file that is not there") { text = plain + "acl_file /nowhere/acl\n", names = "/nowhere/acl"; }
    SUBCASE("an acl file with a wrong line") {
        std::ofstream(d.dir() / "acl") << "user someone\ntopic readwrite a/b\ntopc read c\n";
        text = plain + "acl_file {dir}/acl\n", names = "acl:3";
    }
    SUBCASE("a password file that is not there") { text = plain + "password_file /nowhere/passwords\n", names = "/nowhere/passwords"; }
    SUBCASE("a plugin that is not there") { text = plain + "airmail_plugin /nowhere/plugin.so\n", names = "/nowhere/plugin.so"; }
    SUBCASE("a plugin written for Mosquitto") { text = plain + "plugin /usr/lib/mosquitto_dynamic_security.so\n", names = "plugin"; }
    SUBCASE("a unix socket where a file is") { text = "listener 0 {dir}/nonsense\nallow_anonymous true\n", names = "not a socket", code = 69; }
    SUBCASE("an interface that is not there") { text = plain + "bind_interface no-such-if0\n", names = "no-such-if0", code = 78; }
    SUBCASE("files to be served") { text = plain + "protocol websockets\nhttp_dir {dir}\n", names = "http_dir"; }
    SUBCASE("a user that is not there") {
        if (::geteuid() != 0) return;
        text = plain + "user nobody-of-that-name\n", names = "nobody-of-that-name", code = 77;
    }
    SUBCASE("a store in a place that is a file") { text = plain + "store_path {dir}/nonsense\n", names = "nonsense", code = 74; }
    d.configure(text);
    auto const end = d.try_start();
    INFO(end.text);
    CHECK(end.code == code);
    CHECK(end.text.find(names) != end.text.npos);
    CHECK(complaints(end.text) == 1);
}

TEST_CASE("a port that is taken is exit code 69 and says which") {
    broker_process first{plain};
    up(first);
    broker_process second{"listener " + std::to_string(first.port()) + " 127.0.0.1\nallow_anonymous true\n"};
    auto const end = second.try_start();
    INFO(end.text);
    CHECK(end.code == 69);
    CHECK(end.text.find(std::to_string(first.port())) != end.text.npos);
    CHECK(complaints(end.text) == 1);
}

TEST_CASE("a data directory has one broker: the second is exit code 75, the first goes on") {
    broker_process first{plain};
    up(first);
    broker_process second{plain + "store_path " + (first.dir() / "data") + "\n"};
    auto const end = second.try_start();
    INFO(end.text);
    CHECK(end.code == 75);
    CHECK(complaints(end.text) == 1);
    blocking_client c;
    connects(c, plain_options(first, "a"));
}

TEST_CASE("a damaged record is named, skipped and counted; everything else is there") {
    broker_process d{plain};
    up(d);
    {
        blocking_client c;
        connects(c, plain_options(d, "keeper", false));
        for (int i = 0; i < 20; ++i)
            REQUIRE(c.publish({.topic = "kept/" + std::to_string(i), .payload = "payload-number-" + std::to_string(i) + "-of-twenty", .qos = 1, .retain = true}).has_value());
        c.disconnect();
    }
    REQUIRE(d.stop() == 0);
    auto const path = d.dir() / "data/hot/data.mdb";
    {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        std::string const bytes{std::istreambuf_iterator<char>(file), {}};
        std::string const mark = "payload-number-7-of-twenty";
        std::size_t hits = 0;  // LMDB keeps old pages: every copy is damaged, so that the living one is
        for (auto at = bytes.find(mark); at != bytes.npos; at = bytes.find(mark, at + 1), ++hits) {
            file.seekp(static_cast<std::streamoff>(at));
            file.put('P');
        }
        REQUIRE(hits > 0);
    }
    up(d);
    CHECK_MESSAGE(d.says("checksum"), d.said());
    CHECK(d.get("/metrics").text.find("airmail_storage_records_damaged_total 1\n") != std::string::npos);
    blocking_client reader;
    connects(reader, plain_options(d, "reader"));
    reader.subscribe("kept/#", 1);
    reader.publish({.topic = "kept/end", .payload = "end", .qos = 1});
    std::vector<std::string> seen;
    for (int i = 0; i < 20; ++i) {  // nineteen and the end, in any order: order is a topic's own
        auto const m = reader.receive();
        REQUIRE(m.has_value());
        seen.push_back(m->topic);
    }
    CHECK(reader.waiting() == 0);
    CHECK(std::find(seen.begin(), seen.end(), "kept/7") == seen.end());
}

TEST_CASE("port 0 turns health and HTTPS off") {
    auto const& f = fleet::get().ours;
    broker_process d{plain + "http_certfile " + f.server().certificate + "\nhttp_keyfile " + f.server().key + "\nhttp_port 0\nmetrics_port 0\nshard_count 1\n"};
    d.launch_unwatched();
    REQUIRE(eventually([&] { return d.said().find("airmaild is up") != std::string::npos || !d.alive(); }));
    CHECK(d.said().find("HTTPS up") == std::string::npos);
    CHECK(d.ready() == 0);
    auto const sockets = run({"sh", "-c", "ls -l /proc/" + std::to_string(d.pid()) + "/fd | grep -c socket"});
    INFO(sockets.text);
    CHECK(std::stoi(sockets.text) == 2);  // the listener and the control socket
}

TEST_CASE("HTTPS without update plugins serves keys and audit, and says why there is no dashboard") {
    auto const& f = fleet::get().ours;
    broker_process d{plain + "http_certfile " + f.server().certificate + "\nhttp_keyfile " + f.server().key + "\nhttp_port {https}\n"};
    up(d);
    CHECK(d.says("there is no dashboard"));
    CHECK(d.says("airmail_plugin ota"));
    CHECK(d.control("POST", "/api/v1/keys", R"({"name":"ci","role":"viewer"})").code == 201);
    CHECK(d.control("GET", "/api/v1/keys").text.find("\"ci\"") != std::string::npos);
    CHECK(d.control("GET", "/api/v1/sessions").code == 200);
    CHECK(d.stop() == 0);
    // With them it is there.
    d.configure(plain + "airmail_plugin ota\nhttp_certfile " + f.server().certificate + "\nhttp_keyfile " + f.server().key + "\nhttp_port {https}\n");
    up(d);
    CHECK(d.says("the dashboard has no user yet"));
    CHECK(d.stop() == 0);
}

TEST_CASE("--test-config says what is wrong without starting") {
    broker_process d{plain + "nonsense true\n"};
    d.try_start();  // writes the file
    auto const wrong = run({AIRMAILD, "-c", d.dir() / "airmail.conf", "--test-config"});
    CHECK(wrong.code == 78);
    CHECK(wrong.text.find("nonsense") != wrong.text.npos);
    d.configure(plain);
    d.try_start();
    CHECK(run({AIRMAILD, "-c", d.dir() / "airmail.conf", "--test-config"}).code == 0);
}
