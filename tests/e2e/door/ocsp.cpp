// D10: what the authority of a client certificate says of it decides, is asked for without anybody waiting, and is asked again.

#include "tests/e2e/broker/house.hpp"
#include "tests/e2e/door/authority.hpp"

using namespace airmail::testing;
namespace client = airmail::client;

namespace {

/// A broker whose device listener asks `url`. One shard: whoever waited there would make everybody wait.
struct house {
    explicit house(std::string const& more) : d{listener(ca.server()) + more + "\nlistener {plain} 127.0.0.1\nlistener_allow_anonymous true\n"} {}
    house(std::string const& policy, std::string const& url, std::string const& more = {}) : house("tls_ocsp " + policy + "\ntls_ocsp_responder " + url + "\ntls_ocsp_timeout 1s\n" + more) {}

    std::string listener(cert_files const& server) const {
        return "shard_count 1\nlistener {tls} 127.0.0.1\ndevice_listener true\ncafile " + ca_of().ca_file() + "\ncertfile " + server.certificate + "\nkeyfile " + server.key + "\n";
    }
    connect_options options(cert_files const& who, std::string const& id) const {
        auto o = device_options(d, id);
        o.tls = *client::tls_context::make({.ca = ca.ca_file(), .certificate = who.certificate, .key = who.key});
        return o;
    }
    /// The reason of its CONNACK, or that there was none.
    std::optional<reason> knock(cert_files const& who, std::string const& id) const {
        blocking_client c;
        auto const hello = c.connect(options(who, id));
        if (hello) return reason::success;
        INFO(hello.error().message());
        return c.connack() ? std::optional{c.connack()->code} : std::nullopt;
    }
    bool counted(std::string const& line) const { return d.get("/metrics").text.find(line + "\n") != std::string::npos; }
    /// The log is written by a thread of its own: a line may come a moment later.
    bool said(std::string const& words) const { return d.says(words); }
    static authority& ca_of() {
        static authority one;
        return one;
    }

    authority& ca = ca_of();
    broker_process d;
};

std::string status_asked_for(house const& h, cert_files const& who) {
    return run({"bash", "-c", "openssl s_client -connect 127.0.0.1:" + std::to_string(h.d.tls_port()) + " -status -CAfile " + h.ca.ca_file() + " -cert " + who.certificate + " -key " + who.key + " < /dev/null 2>&1"}).text;
}

}

TEST_CASE("D10: good comes in, revoked and unknown are told so in their CONNACK, and an answer is asked for once") {
    auto& ca = house::ca_of();
    responder r{ca};
    house h{"hard", r.url()};
    up(h.d);
    auto const good = ca.device("sn-1"), stolen = ca.device("sn-2"), stranger = ca.stranger("sn-3");
    ca.know(stolen, 'R');
    r.read_index_again();
    CHECK(h.knock(good, "sn-1") == reason::success);
    CHECK(h.knock(good, "sn-1") == reason::success);
    CHECK(h.knock(stolen, "sn-2") == reason::not_authorized);
    CHECK(h.knock(stranger, "sn-3") == reason::not_authorized);
    CHECK(h.counted("airmail_net_ocsp_answers_total{word=\"good\"} 1"));
    CHECK(h.counted("airmail_net_ocsp_cached_total 1"));
    CHECK(h.counted("airmail_net_ocsp_refused_total 2"));
    CHECK(h.said("its authority has revoked the certificate"));
}

TEST_CASE("D10: the certificate itself names whom to ask; a delegate of the authority may sign, and soft lets in whom nobody knows") {
    auto& ca = house::ca_of();
    responder r{ca, ca.with_extensions("delegate", "extendedKeyUsage=OCSPSigning\nkeyUsage=digitalSignature\nauthorityKeyIdentifier=keyid\n")};
    auto const named = [&](std::string const& id) {
        return ca.with_extensions(id, "subjectAltName=URI:urn:airmail:device:" + id + "\nextendedKeyUsage=clientAuth\nauthorityKeyIdentifier=keyid\nauthorityInfoAccess=OCSP;URI:" + r.url() + "\n");
    };
    house h{"tls_ocsp soft\n"};
    up(h.d);
    auto const known = named("aia-1"), stolen = named("aia-2"), stranger = named("aia-3"), silent = ca.device("no-aia");
    ca.know(known, 'V'), ca.know(stolen, 'R');
    r.read_index_again();
    CHECK(h.knock(known, "aia-1") == reason::success);
    CHECK(h.knock(stolen, "aia-2") == reason::not_authorized);
    CHECK(h.knock(stranger, "aia-3") == reason::success);
    CHECK(h.knock(silent, "no-aia") == reason::success);
    CHECK(h.counted("airmail_net_ocsp_answers_total{word=\"unknown\"} 1"));
    CHECK(h.counted("airmail_net_ocsp_let_in_total 2"));
}

TEST_CASE("D10: a responder that is dead, redirects, answers without end, or is not to be believed: hard keeps everybody out for a while, soft lets in") {
    auto& ca = house::ca_of();
    auto const who = ca.device("sn-4");
    std::string url, words;
    std::optional<responder> r;
    std::optional<bad_server> bad;
    authority others;
    SUBCASE("dead") { url = "http://127.0.0.1:" + std::to_string(port_free_now()) + "/", words = "does not answer"; }
    SUBCASE("redirects") {
        r.emplace(ca);
        bad.emplace("HTTP/1.0 302 Found\r\nLocation: " + r->url() + "\r\n\r\n");
        url = bad->url(), words = "does not answer";
    }
    SUBCASE("answers without end") {
        bad.emplace("HTTP/1.0 200 OK\r\nContent-Type: application/ocsp-response\r\nContent-Length: 10000000\r\n\r\n" + std::string("\x30\x83\x98\x96\x80", 5) + std::string(200'000, 'x'));
        url = bad->url(), words = "does not answer";
    }
    SUBCASE("signed by a stranger") {
        r.emplace(ca, cert_files{others.ca_key(), others.ca_file(), {}});
        url = r->url(), words = "signature does not hold";
    }
    SUBCASE("signed by another certificate of the same authority, which may not") {
        r.emplace(ca, ca.device("sn-5"));
        url = r->url(), words = "signature does not hold";
    }
    SUBCASE("of two days ago") {
        r.emplace(ca, cert_files{}, std::vector<std::string>{"faketime", "-f", "-2d"});
        url = r->url(), words = "is not of now";
    }
    // Two doors of one house: the second, on the port kept for HTTPS, takes it easier.
    house h{"hard", url};
    auto second = h.listener(ca.server());
    second.erase(0, second.find('\n') + 1).replace(second.find("{tls}"), 5, "{https}");
    h.d.configure(h.listener(ca.server()) + "tls_ocsp hard\ntls_ocsp_responder " + url + "\ntls_ocsp_timeout 5s\n" + second + "tls_ocsp soft\ntls_ocsp_responder " + url + "\ntls_ocsp_timeout 5s\n");
    up(h.d);
    blocking_client c, easy;
    CHECK_FALSE(c.connect(h.options(who, "sn-4")).has_value());
    REQUIRE(c.closed());
    CHECK(c.closed()->code == reason::server_unavailable);
    CHECK(c.closed()->retry_after >= 10s);
    CHECK(c.closed()->retry_after <= 20s);
    CHECK_MESSAGE(h.said(words), h.d.said());
    auto o = h.options(who, "sn-4");
    o.port = h.d.https_port();
    connects(easy, o);
    CHECK(h.counted("airmail_net_ocsp_let_in_total 1"));
}

TEST_CASE("D10: while an authority keeps silent nobody waits but who is asked about; what it says then is too late") {
    auto& ca = house::ca_of();
    bad_server silent{""};
    house h{"hard", silent.url()};
    up(h.d);
    auto const who = ca.device("sn-6");
    blocking_client other;
    connects(other, plain_options(h.d, "other"));
    std::optional<reason> told;
    std::atomic<bool> over{false};
    std::thread waiting([&] { told = h.knock(who, "sn-6"), over = true; });
    REQUIRE(eventually([&] { return silent.requests() > 0; }));
    for (int i = 0; i < 50; ++i) CHECK(other.publish({.topic = "a/b", .payload = "x", .qos = 1}).has_value());
    CHECK_FALSE(over);   // fifty round trips of another went by while it waited
    waiting.join();
    CHECK(told == reason::server_unavailable);
    // It is not asked again at once: the next one is answered without.
    CHECK(h.knock(who, "sn-6") == reason::server_unavailable);
    CHECK(silent.requests() == 1);
    CHECK(h.counted("airmail_net_ocsp_paused_total 1"));
}

TEST_CASE("D10 D14: taken back while connected: cut at the next refresh; the others and a dead responder change nothing") {
    auto& ca = house::ca_of();
    responder r{ca};
    house h{"hard", r.url(), "tls_ocsp_refresh 1s\n"};
    up(h.d);
    auto const stolen = ca.device("sn-7"), good = ca.device("sn-8");
    r.read_index_again();
    blocking_client thief, other;
    connects(thief, h.options(stolen, "sn-7"));
    connects(other, h.options(good, "sn-8"));
    ca.know(stolen, 'R');
    auto const end = thief.wait_closed();
    REQUIRE(end.has_value());
    CHECK(end->code == reason::not_authorized);
    CHECK(h.knock(stolen, "sn-7") == reason::not_authorized);
    CHECK(h.counted("airmail_net_cut_total{cause=\"revoked\"} 1"));
    r.stop();
    REQUIRE(h.said("does not answer"));
    CHECK(other.publish({.topic = "devices/sn-8/status", .payload = "{}", .qos = 1}).has_value());
    CHECK_FALSE(other.closed().has_value());
}

TEST_CASE("our own certificate carries its authority's word along when a client asks, and none while there is none") {
    auto& ca = house::ca_of();
    auto const port = port_free_now();
    auto const server = ca.with_extensions("stapled", "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\nauthorityKeyIdentifier=keyid\nauthorityInfoAccess=OCSP;URI:http://127.0.0.1:" + std::to_string(port) + "/\n");
    ca.know(server, 'V');
    auto const who = ca.device("sn-9");
    house h{""};
    h.d.configure(h.listener(server) + "tls_stapling true\n");
    up(h.d);
    REQUIRE(h.said("no answer to staple"));
    CHECK(h.counted("airmail_net_staples_missing 1"));
    auto text = status_asked_for(h, who);
    CHECK_MESSAGE(text.find("OCSP response: no response sent") != text.npos, text);
    responder r{ca, {}, {}, port};
    REQUIRE(eventually([&] { return h.counted("airmail_net_staples_missing 0"); }));
    text = status_asked_for(h, who);
    CHECK_MESSAGE(text.find("OCSP Response Status: successful") != text.npos, text);
    CHECK(text.find("Cert Status: good") != text.npos);
    // A reload reads the files anew: the answer is fetched again.
    h.d.reload();
    REQUIRE(eventually([&] { return h.counted("airmail_net_staple_fetches_total{result=\"good\"} 2"); }));
    text = status_asked_for(h, who);
    CHECK(text.find("Cert Status: good") != text.npos);
}

TEST_CASE("settings of OCSP that cannot hold are refused at start") {
    auto& ca = house::ca_of();
    std::string more, names;
    SUBCASE("https is not asked") { more = "tls_ocsp soft\ntls_ocsp_responder https://example.org/\n", names = "is not http://HOST"; }
    SUBCASE("no word of how much silence weighs") { more = "tls_ocsp perhaps\n", names = "tls_ocsp"; }
    SUBCASE("stapling without anybody to ask") { more = "tls_stapling true\n", names = "names no OCSP responder"; }
    broker_process d{house{""}.listener(ca.server()) + more};
    auto const end = d.try_start();
    CHECK(end.code == 78);
    CHECK_MESSAGE(end.text.find(names) != end.text.npos, end.text);
}
