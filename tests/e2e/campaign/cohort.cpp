// A new version that every device calls a success, and after which they restart all the time: the comparison with those that have not
// been updated finds it, and pauses the campaign.

#include "tests/e2e/device_client/house.hpp"

using namespace airmail::testing;

TEST_CASE("devices that reconnect more after their update stop the campaign at its gate, and airmailctl shows why") {
    constexpr int devices = 50;
    house h("ota_probation 0\n", "ota_probation 1s\nota_probation_heartbeats 2\n");
    auto const firmware = h.upload("v1.1.0");
    device_process sim({AIRMAIL_SIM, "--dir", h.path("devices"), "-n", std::to_string(devices), "--port", std::to_string(h.broker.tls_port()), "--ca-dir", h.path("ca"), "--command-key", h.path("ca/keys/command.pem.pub"),
                        "--release-key", h.path("ca/keys/release.pem.pub"), "--heartbeat", "2s", "--restless", std::to_string(devices)}, h.path("sim.log"));
    REQUIRE_MESSAGE(eventually([&] {
        auto const fleet = h.get("/api/v1/fleet");
        return fleet.contains("online") && fleet.at("online") == devices;
    }), sim.said());
    auto const made = h.broker.control("POST", "/api/v1/campaigns", R"({"campaign_id":"harm","name":"harm","firmware_id":")" + firmware + R"(","phases":[{"percent":50,"soak_s":600},{"percent":100}]})");
    REQUIRE_MESSAGE(made.code == 201, made.text);
    auto const set = h.ctl({"campaign", "cohort", "harm", "--window", "6s", "--gate"});
    REQUIRE_MESSAGE(set.code == 0, set.text);
    REQUIRE(h.broker.control("POST", "/api/v1/campaigns/harm/start", "{}").code == 200);
    if (!eventually([&] { return h.get("/api/v1/campaigns/harm").at("stage") == "paused"; }, 90s)) FAIL(h.broker.control("GET", "/api/v1/campaigns/harm").text << sim.said() << h.broker.said());
    auto const campaign = h.get("/api/v1/campaigns/harm");
    CHECK(campaign.at("reason") == "cohort reconnects");
    CHECK(campaign.at("cohort").at("alarm") == "reconnects");
    CHECK(campaign.at("failure_percent") == 0);
    auto const shown = run({AIRMAILCTL, "--socket", h.path("control.sock"), "campaign", "show", "harm"}).text;
    CHECK_MESSAGE(shown.find("reconnects is worse") != std::string::npos, shown);
    CHECK(h.broker.control("GET", "/api/v1/alerts").text.find("\"cohort\"") != std::string::npos);
}
