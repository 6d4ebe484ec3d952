// airmailctl device certify: our own examples pass it, and a device that obeys whatever comes does not. The default run certifies
// the one in Python; AIRMAIL_LONG=1 all of them.

#include "tests/e2e/device_client/house.hpp"

#include "storage/firmware/envelope.hpp"

using namespace airmail::testing;
namespace fw = airmail::storage::firmware;

namespace {

outcome certify(house const& h, std::string const& serial, std::string const& a, std::string const& b, std::string const& old) {
    return h.ctl({"device", "certify", serial, "--firmware", a, "--firmware", b, "--old", old, "--key", h.path("ca/keys/command.pem"), "-o", h.path(serial + ".sheet"), "--patience", "40"});
}

}

TEST_CASE("each example passes the certification, and the sheet is signed") {
    house h("ota_transfer_rate 4MiB\n");
    auto const old = h.upload("v0.9.0", 0), a = h.upload("v1.1.0", 3), b = h.upload("v1.2.0", 3);
    for (auto const& [language, _] : devices()) {
        if (language != "python" && !std::getenv("AIRMAIL_LONG")) continue;      // half a minute each
        CAPTURE(language);
        auto const serial = "cert-" + language;
        auto const d = start_device(h, language, serial, h.bundle(serial));
        if (!eventually([&] { return h.online(serial); }, 30s)) FAIL(d->said());
        auto const said = certify(h, serial, a, b, old);
        CHECK_MESSAGE(said.code == 0, said.text << d->said() << h.broker.said());
        CHECK_MESSAGE(said.text.find("not run") == std::string::npos, said.text);
        auto const sheet = fw::envelope::parse(text_of(h.path(serial + ".sheet")));
        REQUIRE(sheet.has_value());
        auto key = fw::public_key::load(h.path("ca/keys/command.pem.pub"));
        REQUIRE(key.has_value());
        fw::signers who;
        who.keys.push_back(*key);
        CHECK(fw::verify(*sheet, "airmail.certificate.v1", who).has_value());
    }
}

TEST_CASE("a device that obeys whatever comes fails the certification") {
    house h;
    auto const old = h.upload("v0.9.0", 0), a = h.upload("v1.1.0", 3), b = h.upload("v1.2.0", 3);
    device_process d({ROOT "/tests/e2e/device_client/document_only.sh", h.bundle("naive"), "naive", std::to_string(h.broker.tls_port()), h.path("naive.image")}, h.path("naive.log"));
    if (!eventually([&] { return h.online("naive"); }, 30s)) FAIL(d.said());
    auto const said = h.ctl({"device", "certify", "naive", "--firmware", a, "--firmware", b, "--old", old, "--key", h.path("ca/keys/command.pem"), "--patience", "4"});
    CHECK(said.code == 1);
    CHECK_MESSAGE(said.text.find("has not passed") != std::string::npos, said.text);
}
