// Who comes through the door of devices.

#include "tests/e2e/broker/house.hpp"

#include <ctime>

using namespace airmail::testing;
namespace client = airmail::client;
namespace ctl = airmail::ctl;

namespace {

broker_process& broker() {
    static broker_process one{fleet::get().device_listener()};
    if (!one.alive()) up(one);
    return one;
}

cert_files from_the_past(std::string const& id) {
    // A certificate of our own CA's name and key cannot be made to have ended; one of a CA that lived then can.
    static auto const then = std::time(nullptr) - 40 * 86'400;
    static temp_dir dir;
    static auto ca = ctl::certificate_authority::in_memory({.common_name = "Airmail old CA", .days = 7300, .now = [] { return then; }});
    ctl::write_issued(ca.issue_device(id, 10), dir / id);
    std::ofstream(dir / "ca.crt") << ca.certificate_pem();
    return {dir / (id + ".key"), dir / (id + ".crt"), {}};
}

}

TEST_CASE("a device with a certificate of the configured CA connects over TLS 1.3") {
    blocking_client c;
    connects(c, device_options(broker(), "sn-1"));
    CHECK(c.connack()->code == reason::success);
    bool clock = false;
    for (auto const& p : c.connack()->user_properties) clock |= p.key == "server_time";
    CHECK_MESSAGE(clock, "CONNACK has no server_time");
    CHECK(c.publish({.topic = "devices/sn-1/status", .payload = "{}", .qos = 1}).has_value());
}

TEST_CASE("nobody else comes in") {
    auto o = device_options(broker(), "sn-1");
    blocking_client c{20s};
    SUBCASE("a certificate of another CA") { o.tls = fleet::get().context(fleet::get().strangers.device("sn-1")); }
    SUBCASE("no certificate") { o.tls = fleet::get().context({}); }
    SUBCASE("no TLS") { o.tls = nullptr; }
    auto const hello = c.connect(o);
    CHECK_FALSE(hello.has_value());
    CHECK_FALSE(c.connack().has_value());
}

TEST_CASE("an expired certificate is refused, and only it") {
    auto const old = from_the_past("sn-1");
    broker_process d{"listener {tls} 127.0.0.1\ndevice_listener true\ncafile {dir}/both.crt\ncertfile " + fleet::get().ours.server().certificate + "\nkeyfile " + fleet::get().ours.server().key + "\n"};
    {
        std::ofstream both(d.dir() / "both.crt");
        both << std::ifstream(fleet::get().ours.ca_file()).rdbuf() << std::ifstream(old.certificate.substr(0, old.certificate.rfind('/')) + "/ca.crt").rdbuf();
    }
    up(d);
    blocking_client late, good;
    auto o = device_options(d, "sn-1");
    o.tls = fleet::get().context(old);
    CHECK_FALSE(late.connect(o).has_value());
    connects(good, device_options(d, "sn-1"));
}

TEST_CASE("a revoked certificate is refused, and only it") {
    auto& f = fleet::get();
    certs ca;  // its own: the list of revoked ones must not outlive this case
    broker_process d{"listener {tls} 127.0.0.1\ndevice_listener true\ncafile " + ca.ca_file() + "\ncertfile " + ca.server().certificate + "\nkeyfile " + ca.server().key + "\ncrlfile {dir}/ca.crl\n"};
    auto const stolen = ca.device("sn-1"), good = ca.device("sn-2");
    ca.revoke(stolen.serial);
    std::filesystem::copy_file(ca.dir() / "ca.crl", d.dir() / "ca.crl");
    up(d);
    auto const as = [&](cert_files const& who) { return *client::tls_context::make({.ca = ca.ca_file(), .certificate = who.certificate, .key = who.key}); };
    blocking_client one, two;
    auto o = device_options(d, "sn-1");
    o.tls = as(stolen);
    CHECK_FALSE(one.connect(o).has_value());
    o.tls = as(good), o.client_id = "sn-2";
    connects(two, o);
    (void)f;
}
