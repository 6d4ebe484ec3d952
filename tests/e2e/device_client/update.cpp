// Every example takes a real update; a self test that fails goes back; a device that knows the document's fields alone updates too.

#include "tests/e2e/device_client/house.hpp"

using namespace airmail::testing;

TEST_CASE("each example updates, keeps the new slot, and says so") {
    house h;
    auto const firmware = h.upload("v1.1.0", 3);
    std::map<std::string, std::unique_ptr<device_process>> running;
    for (auto const& [language, _] : devices()) running[language] = start_device(h, language, "dev-" + language, h.bundle("dev-" + language));
    for (auto const& [language, d] : running) {
        CAPTURE(language);
        if (!eventually([&] { return h.online("dev-" + language); }, 30s)) FAIL(d->said() << h.broker.said());
        h.campaign("to-" + language, firmware, "dev-" + language);
    }
    for (auto const& [language, d] : running) {
        CAPTURE(language);
        auto const serial = "dev-" + language;
        if (!eventually([&] { return h.row("to-" + language, serial, "status") == "completed"; }, 60s)) FAIL(h.row("to-" + language, serial, "stage") << "\n" << d->said() << h.broker.said());
        bool const whole = text_of(h.path(serial + "/slot_b")) == text_of(h.path("release-v1.1.0"));
        CHECK(whole);
        CHECK(eventually([&] { auto const o = h.get("/api/v1/devices/" + serial); return o.at("security_counter") == 3 && o.at("boot_slot") == "b" && o.at("keys_version") == 1; }, 20s));
        MESSAGE(language << " completed");
    }
}

TEST_CASE("a new slot that fails its test is left again: rollback, and the old version runs") {
    house h;
    auto const firmware = h.upload("v1.1.0");
    std::map<std::string, std::unique_ptr<device_process>> running;
    for (auto const& [language, _] : devices()) running[language] = start_device(h, language, "dev-" + language, h.bundle("dev-" + language), "false");
    for (auto const& [language, d] : running) {
        if (!eventually([&] { return h.online("dev-" + language); }, 30s)) FAIL(language << d->said());
        h.campaign("to-" + language, firmware, "dev-" + language);
    }
    for (auto const& [language, d] : running) {
        CAPTURE(language);
        if (!eventually([&] { return h.row("to-" + language, "dev-" + language, "status") == "rollback"; }, 60s)) FAIL(h.row("to-" + language, "dev-" + language, "stage") << "\n" << d->said());
        CHECK(h.get("/api/v1/devices/dev-" + language).at("current_firmware") == "v1.0.0");
    }
}

#ifdef DEVICE_CPP
TEST_CASE("a knob on the C++ device's own page reaches the registry, and a desired setting reaches the page (Flow 4)") {
    house h;
    auto const d = start_device(h, "cpp", "panel", h.bundle("panel"));
    REQUIRE(eventually([&] { return h.online("panel"); }, 30s));
    std::string said;
    std::size_t at = 0;
    REQUIRE(eventually([&] { return said = d->said(), at = said.find("http://127.0.0.1:"), at != said.npos && said.find('\n', at) != said.npos; }));
    auto const page = said.substr(at, said.find('\n', at) - at);
    CHECK(broker_process::curl({page, "-d", "interval=15"}).code == 200);
    CHECK(broker_process::curl({page, "-H", "Origin: http://elsewhere.example", "-d", "interval=99"}).code == 400);
    auto const value = [&](char const* key) {
        auto const o = h.get("/api/v1/devices/panel/config");
        auto const* s = o.if_contains("settings");
        auto const* k = s ? s->as_object().if_contains(key) : nullptr;
        return k && k->at("value").is_string() ? std::string(k->at("value").as_string()) : "";
    };
    CHECK(eventually([&] { return value("interval") == "15"; }, 20s));
    CHECK(h.broker.control("PUT", "/api/v1/devices/panel/config/desired", R"({"settings":{"brightness":"70"}})").code == 200);
    CHECK(eventually([&] { return value("brightness") == "70"; }, 20s));
    CHECK(broker_process::curl({page}).text.find("value=\"70\"") != std::string::npos);
}
#endif

TEST_CASE("a device that knows the document's fields alone completes an update") {
    house h;
    auto const firmware = h.upload("v1.1.0");
    auto const bundle = h.bundle("plain");
    device_process d({ROOT "/tests/e2e/device_client/document_only.sh", bundle, "plain", std::to_string(h.broker.tls_port()), h.path("plain.image")}, h.path("plain.log"));
    if (!eventually([&] { return h.online("plain"); }, 30s)) FAIL(d.said());
    h.campaign("plain", firmware, "plain");
    if (!eventually([&] { return h.row("plain", "plain", "status") == "completed"; }, 60s)) FAIL(h.row("plain", "plain", "stage") << d.said() << h.broker.said());
    bool const whole = text_of(h.path("plain.image")) == text_of(h.path("release-v1.1.0"));
    CHECK(whole);
}
