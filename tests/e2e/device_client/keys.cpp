// The key list walks from 1 to 2 on the broker and on every example; what a revoked key has signed starts no campaign; the rehearsal says so first.

#include "tests/e2e/device_client/house.hpp"

using namespace airmail::testing;

TEST_CASE("the key list is rotated: devices report it, the old release key is no longer believed, the new one is") {
    house h("ota_keys {dir}/live.json\nota_commands identify\n", "ota_release_keys {dir}/ca/keys/release.pem.pub\n");
    auto const before = h.upload("v1.1.0", 1);
    std::map<std::string, std::unique_ptr<device_process>> running;
    for (auto const& [language, _] : devices()) running[language] = start_device(h, language, "key-" + language, h.bundle("key-" + language));
    for (auto const& [language, d] : running)
        if (!eventually([&] { return h.online("key-" + language); }, 30s)) FAIL(language << d->said());
    auto const rehearse = [&](std::string const& firmware) { return h.ctl({"device", "command", "--target", "model==TX-100", "verify_only", "--firmware", firmware, "--wait", "20"}); };
    auto const good = rehearse(before);
    CHECK_MESSAGE(good.code == 0, good.text);

    auto const rotated = must({AIRMAILCTL, "--json", "keys", "rotate", "--dir", h.path("ca/keys"), "--replace", "release", "--replace", "root", "--revoke"});
    auto const published = h.ctl({"keys", "publish", h.path("ca/keys/keys.json")});
    REQUIRE_MESSAGE(published.code == 0, published.text);
    CHECK(h.ctl({"keys", "publish", h.path("ca/keys/keys.json")}).code == 4);                // N again
    CHECK(h.ctl({"keys", "publish", h.path("ca/keys/keys-v1.json")}).code == 4);             // back
    for (auto const& [language, d] : running)
        CHECK_MESSAGE(eventually([&] { return h.get("/api/v1/devices/key-" + language).at("keys_version") == 2; }, 60s), language << d->said());

    auto const refused = rehearse(before);
    CHECK(refused.code == 1);
    CHECK_MESSAGE(refused.text.find("signature_invalid") != std::string::npos, refused.text);
    auto const campaign = h.broker.control("POST", "/api/v1/campaigns", R"({"name":"n","phases":"none","start":true,"firmware_id":")" + before + "\"}");
    CHECK_MESSAGE(campaign.text.find("campaign.untrusted") != std::string::npos, campaign.text);
    CHECK(h.ctl({"firmware", "upload", h.path("release-v1.1.0")}).code == 4);                // the revoked key, at upload
    auto const after = h.upload("v1.2.0", 1, 300'000, "TX-100", "release-v2");
    for (auto const& [language, d] : running) h.campaign("to-" + language, after, "key-" + language);
    for (auto const& [language, d] : running)
        CHECK_MESSAGE(eventually([&] { return h.row("to-" + language, "key-" + language, "status") == "completed"; }, 60s), language << d->said());
}
