// SIGTERM and SIGHUP: a broker that leaves in order, and one that learns without dropping anyone.

#include "tests/e2e/broker/house.hpp"

using namespace airmail::testing;
namespace client = airmail::client;

namespace {

/// Serial number (lower-case hex) of the certificate the listener shows now.
std::string shown(std::uint16_t port, cert_files const& device) {
    auto const o = run({"sh", "-c", "openssl s_client -connect 127.0.0.1:" + std::to_string(port) + " -cert " + device.certificate + " -key " + device.key + " 2>/dev/null | openssl x509 -noout -serial"});
    std::string serial;
    for (char c : o.text.substr(o.text.find('=') + 1))
        if (std::isxdigit(static_cast<unsigned char>(c))) serial += static_cast<char>(std::tolower(c));
    return serial;
}

void put(broker_process const& d, airmail::ctl::issued const& i) {
    for (auto const& [name, text] : {std::pair{"server.key", i.key_pem}, std::pair{"server.crt", i.certificate_pem}}) {
        std::ofstream(d.dir() / name, std::ios::trunc) << text;
        ::chmod((d.dir() / name).c_str(), 0600);
    }
}

}

TEST_CASE("SIGTERM: not ready first, v5 clients are told 0x8B, sessions are safe") {
    broker_process d{"listener {plain} 127.0.0.1\nallow_anonymous true\n"};
    up(d);
    blocking_client told, old, stalled;
    connects(told, plain_options(d, "told", false));
    told.subscribe("t", 1);
    connects(old, plain_options(d, "old", false, airmail::codec::version::v311));
    {
        // One peer that does not read holds the door open long enough for everyone to look at it.
        connects(stalled, plain_options(d, "stalled"));
        stalled.subscribe("flood", 0);
        blocking_client flood;
        connects(flood, plain_options(d, "flood"));
        std::string const much(200'000, 'x');
        for (int i = 0; i < 100; ++i) flood.publish({.topic = "flood", .payload = much, .qos = 1});
        flood.disconnect();
    }
    CHECK(d.ready() == 200);
    d.signal(SIGTERM);
    bool unready = false;
    CHECK(eventually([&] { return (unready |= d.ready() == 503) || !d.alive(); }));
    CHECK(unready);
    auto const end = told.wait_closed();
    REQUIRE(end.has_value());
    CHECK(end->code == reason::server_shutting_down);
    CHECK(old.wait_closed().has_value());
    CHECK(d.stop() == 0);

    up(d);
    connects(told, plain_options(d, "told", false));
    CHECK(told.connack()->session_present);
    told.publish({.topic = "t", .payload = "again", .qos = 1});
    receives_only(told, "t", "again");
}

TEST_CASE("SIGHUP takes new certificates for new connections, keeps every old one, and keeps the old ones when the new are bad") {
    auto& ca = fleet::get().ours;
    auto const probe = ca.device("probe");
    broker_process d{"listener {tls} 127.0.0.1\ndevice_listener true\ncafile " + ca.ca_file() + "\ncertfile {dir}/server.crt\nkeyfile {dir}/server.key\n"};
    auto const first = ca.ca().issue_server({"localhost", "127.0.0.1"}), second = ca.ca().issue_server({"localhost", "127.0.0.1"});
    put(d, first);
    up(d);
    blocking_client c;
    connects(c, device_options(d, "steady"));
    CHECK(shown(d.tls_port(), probe) == first.serial);

    put(d, second);
    d.reload();
    CHECK(eventually([&] { return shown(d.tls_port(), probe) == second.serial; }, 30s));
    CHECK_FALSE(c.closed().has_value());
    CHECK_FALSE(airmail::codec::failed(*c.publish({.topic = "devices/steady/status", .payload = "{}", .qos = 1})));

    std::ofstream(d.dir() / "server.crt", std::ios::trunc) << "nonsense";
    d.reload();
    CHECK(d.says("running certificates are kept", 30s));
    CHECK(shown(d.tls_port(), probe) == second.serial);
    CHECK_FALSE(airmail::codec::failed(*c.publish({.topic = "devices/steady/status", .payload = "{}", .qos = 1})));
}

TEST_CASE("SIGHUP with a configuration that is wrong keeps the running one") {
    broker_process d{"listener {plain} 127.0.0.1\nallow_anonymous true\n"};
    up(d);
    blocking_client c;
    connects(c, plain_options(d, "a"));
    d.configure("listener {plain} 127.0.0.1\nallow_anonymous true\nnonsense 1\n");
    d.reload();
    CHECK(d.says("reload refused", 30s));
    CHECK(c.publish({.topic = "t", .payload = "x", .qos = 1}).has_value());
    CHECK(d.ready() == 200);
}

TEST_CASE("SIGHUP takes a new acl file at once") {
    broker_process d{"listener {plain} 127.0.0.1\nallow_anonymous true\nacl_file {dir}/acl\n"};
    std::ofstream(d.dir() / "acl") << "topic readwrite open/#\n";
    up(d);
    blocking_client c;
    connects(c, plain_options(d, "a"));
    CHECK(*c.publish({.topic = "open/x", .payload = "x", .qos = 1}) != reason::not_authorized);
    CHECK(*c.publish({.topic = "shut/x", .payload = "x", .qos = 1}) == reason::not_authorized);
    std::ofstream(d.dir() / "acl", std::ios::trunc) << "topic readwrite shut/#\n";
    d.reload();
    CHECK(eventually([&] { return *c.publish({.topic = "open/x", .payload = "x", .qos = 1}) == reason::not_authorized; }, 30s));
    CHECK(*c.publish({.topic = "shut/x", .payload = "x", .qos = 1}) != reason::not_authorized);
}
