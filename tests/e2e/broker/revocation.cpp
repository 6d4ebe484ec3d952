// Certificates that are taken back, replaced and running out, while devices are connected.

#include "tests/e2e/broker/house.hpp"

#include <boost/json/parse.hpp>
#include <chrono>

using namespace airmail::testing;
namespace client = airmail::client;
namespace json = boost::json;

namespace {

/// A list that names nobody yet.
void write_list(certs& of) { std::ofstream(of.dir() / "ca.crl", std::ios::trunc) << of.ca().make_crl(); }

/// A CA of its own, and a broker that believes its list.
struct house {
    explicit house(std::string const& more = {}) : d{listener() + more} {
        write_list(ca);
        use_list();
    }
    std::string listener() const {
        return "listener {tls} 127.0.0.1\ndevice_listener true\ncafile {dir}/ca.crt\ncertfile " + ca.server().certificate + "\nkeyfile " + ca.server().key + "\ncrlfile {dir}/ca.crl\nlistener {plain} 127.0.0.1\nlistener_allow_anonymous true\n";
    }
    void use_list() {
        namespace fs = std::filesystem;
        fs::copy_file(ca.dir() / "ca.crl", d.dir() / "ca.crl", fs::copy_options::overwrite_existing);
        fs::copy_file(ca.ca_file(), d.dir() / "ca.crt", fs::copy_options::overwrite_existing);
    }
    void connect(blocking_client& c, cert_files const& who, std::string const& id, std::string const& will = {}) {
        auto o = options(who, id);
        if (!will.empty()) o.will = client::publication{.topic = will, .payload = "my last words"};
        connects(c, o);
    }
    connect_options options(cert_files const& who, std::string const& id) {
        auto o = device_options(d, id);
        o.tls = *client::tls_context::make({.ca = ca.ca_file(), .certificate = who.certificate, .key = who.key});
        return o;
    }
    certs ca;
    broker_process d;
};

}

TEST_CASE("D14: revoked while connected: cut within a second of the reload, without its last words; the others do not notice") {
    house h;
    auto const stolen = h.ca.device("sn-1"), good = h.ca.device("sn-2");
    up(h.d);
    blocking_client thief, other, watch;
    connects(watch, plain_options(h.d, "watch"));
    watch.subscribe("devices/#", 1);
    h.connect(thief, stolen, "sn-1", "devices/sn-1/status");
    h.connect(other, good, "sn-2", "devices/sn-2/status");
    h.ca.revoke(stolen.serial);
    h.use_list();
    auto const asked = std::chrono::steady_clock::now();
    auto const answer = h.d.control("POST", "/api/v1/reload", "{}");
    CHECK(answer.code == 200);
    CHECK(answer.text.find("has its certificates and limits anew") != std::string::npos);
    auto const end = thief.wait_closed();
    REQUIRE(end.has_value());
    CHECK(end->code == reason::not_authorized);
    CHECK(std::chrono::steady_clock::now() - asked < 1s);
    CHECK_FALSE(thief.connect(h.options(stolen, "sn-1")).has_value());
    // The will would have come before this.
    CHECK(other.publish({.topic = "devices/sn-2/status", .payload = "{}", .qos = 1}).has_value());
    receives_only(watch, "devices/sn-2/status", "{}");
    CHECK(h.d.get("/metrics").text.find("airmail_net_cut_total{cause=\"revoked\"} 1") != std::string::npos);
    // Its session belongs to the identity, not to the certificate: a new one goes on.
    blocking_client renewed;
    h.connect(renewed, h.ca.device("sn-1"), "sn-1");
    CHECK(renewed.connack()->session_present);
}

TEST_CASE("D14: device_revoked_will publish lets the last words be heard") {
    house h{"device_revoked_will publish\n"};
    auto const stolen = h.ca.device("sn-1");
    h.d.configure("device_revoked_will publish\n" + h.listener());
    up(h.d);
    blocking_client thief, watch;
    connects(watch, plain_options(h.d, "watch"));
    watch.subscribe("devices/#", 1);
    auto o = h.options(stolen, "sn-1");
    o.will = client::publication{.topic = "devices/sn-1/status", .payload = "bye"};
    o.session_expiry = 0;
    connects(thief, o);
    h.ca.revoke(stolen.serial);
    h.use_list();
    h.d.reload();
    CHECK(thief.wait_closed().has_value());
    receives_only(watch, "devices/sn-1/status", "bye");
}

TEST_CASE("D09: a list that is missing, nonsense or of a stranger is refused at reload, and the old one stays in force") {
    house h;
    auto const stolen = h.ca.device("sn-1"), good = h.ca.device("sn-2");
    h.ca.revoke(stolen.serial);
    h.use_list();
    up(h.d);
    blocking_client c, thief;
    h.connect(c, good, "sn-2");
    auto const path = h.d.dir() / "ca.crl";
    std::string wanted;
    SUBCASE("missing") { ::unlink(path.c_str()), wanted = "No such file"; }
    SUBCASE("nonsense") { std::ofstream(path, std::ios::trunc) << "nonsense", wanted = "holds no PEM certificate revocation list"; }
    SUBCASE("of a stranger") {
        certs strangers;
        write_list(strangers);
        std::filesystem::copy_file(strangers.dir() / "ca.crl", path, std::filesystem::copy_options::overwrite_existing);
        wanted = "is signed by no authority";
    }
    SUBCASE("cut off") {
        std::ifstream in(path);
        std::string text{std::istreambuf_iterator<char>{in}, {}};
        std::ofstream(path, std::ios::trunc) << text.substr(0, text.size() / 2);
        wanted = "running certificates are kept";
    }
    auto const answer = h.d.control("POST", "/api/v1/reload", "{}");
    CHECK_MESSAGE(answer.text.find(wanted) != std::string::npos, answer.text);
    CHECK(answer.text.find("running certificates are kept") != std::string::npos);
    CHECK_FALSE(thief.connect(h.options(stolen, "sn-1")).has_value());
    CHECK_FALSE(c.closed().has_value());
    CHECK(c.publish({.topic = "devices/sn-2/status", .payload = "{}", .qos = 1}).has_value());
}

TEST_CASE("D11: the old and the new authority hold together, then the old one goes, and nobody's session is dropped") {
    house h;
    certs next;
    write_list(next);
    auto const text = [](std::string const& path) { std::ifstream in(path); return std::string{std::istreambuf_iterator<char>{in}, {}}; };
    auto const of_old = h.ca.device("sn-1"), of_new = next.device("sn-2");
    up(h.d);
    blocking_client a, b, refused;
    h.connect(a, of_old, "sn-1");
    CHECK_FALSE(b.connect(h.options(of_new, "sn-2")).has_value());
    std::ofstream(h.d.dir() / "ca.crt", std::ios::trunc) << text(h.ca.ca_file()) << text(next.ca_file());
    std::ofstream(h.d.dir() / "ca.crl", std::ios::trunc) << text(h.ca.dir() / "ca.crl") << text(next.dir() / "ca.crl");
    CHECK(h.d.control("POST", "/api/v1/reload", "{}").code == 200);
    h.connect(b, of_new, "sn-2");
    std::ofstream(h.d.dir() / "ca.crt", std::ios::trunc) << text(next.ca_file());
    std::ofstream(h.d.dir() / "ca.crl", std::ios::trunc) << text(next.dir() / "ca.crl");
    CHECK(h.d.control("POST", "/api/v1/reload", "{}").code == 200);
    CHECK_FALSE(refused.connect(h.options(of_old, "sn-1")).has_value());
    CHECK(a.publish({.topic = "devices/sn-1/status", .payload = "{}", .qos = 1}).has_value());
    CHECK(b.publish({.topic = "devices/sn-2/status", .payload = "{}", .qos = 1}).has_value());
    CHECK_FALSE(a.closed().has_value());
}

TEST_CASE("a device that an operator blocks is cut within a second") {
    house h;
    up(h.d);
    blocking_client c;
    h.connect(c, h.ca.device("sn-1"), "sn-1");
    c.publish({.topic = "devices/sn-1/heartbeat", .payload = R"({"serial_no":"sn-1","model":"m","current_firmware":"1.0.0","timestamp":1700000000})", .qos = 1});
    REQUIRE(eventually([&] { return h.d.control("GET", "/api/v1/devices/sn-1").code == 200; }));
    auto const asked = std::chrono::steady_clock::now();
    auto const answer = h.d.control("POST", "/api/v1/devices/sn-1/block", "{}");
    REQUIRE_MESSAGE(answer.code / 100 == 2, answer.text);
    CHECK(c.wait_closed().has_value());
    CHECK(std::chrono::steady_clock::now() - asked < 1s);
}

TEST_CASE("how long certificates last is listed, measured, and an alarm thirty days before the end") {
    certs ca;
    auto const soon = ca.ca().issue_server({"localhost", "127.0.0.1"});
    broker_process d{"listener {tls} 127.0.0.1\ndevice_listener true\ncafile " + ca.ca_file() + "\ncertfile " + ca.server().certificate + "\nkeyfile " + ca.server().key + "\n"};
    up(d);
    blocking_client c;
    auto const mine = ca.device("sn-1");
    auto o = device_options(d, "sn-1");
    o.tls = *client::tls_context::make({.ca = ca.ca_file(), .certificate = mine.certificate, .key = mine.key});
    connects(c, o);
    auto const all = json::parse(d.control("GET", "/api/v1/certificates?days=100000").text).as_object();
    REQUIRE(all.at("servers").as_array().size() == 1);
    auto const& server = all.at("servers").as_array()[0].as_object();
    CHECK(server.at("days_left").as_int64() > 30);
    CHECK_FALSE(server.at("alarm").as_bool());
    REQUIRE(all.at("devices").as_array().size() == 1);
    CHECK(all.at("devices").as_array()[0].as_object().at("identity").as_string() == "sn-1");
    CHECK(json::parse(d.control("GET", "/api/v1/certificates").text).as_object().at("devices").as_array().empty());
    auto const text = d.get("/metrics").text;
    CHECK(text.find("airmail_net_certificate_left_seconds{listener=\"127.0.0.1:") != std::string::npos);
    CHECK(text.find("airmail_net_device_certificate_left_seconds_count 1") != std::string::npos);
    (void)soon;
}
