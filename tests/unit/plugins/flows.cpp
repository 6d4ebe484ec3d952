#include "tests/unit/plugins/fleet.hpp"

#include "storage/firmware/command_envelope.hpp"
#include "storage/firmware/ids.hpp"

using namespace fleet;

// Every payload below is printed in reference/ota-architecture.md, flows 1 to 5; only campaign_id is one we chose: camp_789.

TEST_CASE("flow 1: the first heartbeat registers the device") {
    house h;
    h.b.session_ready("12345");
    h.b.message({.topic = "devices/12345/heartbeat", .payload = R"({"serial_no": "12345", "model": "TX-100", "current_firmware": "v1.0.2", "timestamp": 1699878900})", .identity = "12345"});
    auto a = h.b.call("device.get", R"({"id":"12345"})");
    CHECK(a.status == 200);
    CHECK(member(a.json, "status") == "online");
    CHECK(member(a.json, "current_firmware") == "v1.0.2");
    CHECK(member(a.json, "registration") == "accepted");
    CHECK(member(a.json, "ever_seen") == "true");
    CHECK(member(a.json, "device_id") == fw::device_id(0, "12345"));
    CHECK(h.b.call("device.get", R"({"id":")" + fw::device_id(0, "12345") + "\"}").status == 200);
    h.b.session_gone("12345");
    CHECK(member(h.b.call("device.get", R"({"id":"12345"})").json, "status") == "offline");
    CHECK(h.b.dead_letters().empty());
}

TEST_CASE("flow 2 and 3: a command with the document's fields first, and an update by a device that knows only them") {
    house h;
    h.upload();
    h.device("12345");
    h.b.take_published();
    h.campaign(R"(,"phases":"none","target_criteria":{"model": "TX-100", "fw_version": "< v1.1.0"})");
    auto sent = h.commands("12345");
    REQUIRE(sent.size() == 1);
    auto const& c = sent[0].payload;
    CHECK(member(c, "command") == "ota_update");
    CHECK(member(c, "version") == "v1.1.0");
    CHECK(member(c, "checksum") == h.checksum);
    CHECK(member(c, "url").starts_with("https://fw.example:8443/fw/" + h.checksum.substr(7) + "?"));
    CHECK(member(c, "size_bytes") == h.b.text("SELECT size_bytes || '' FROM firmware"));
    CHECK(member(c, "campaign_id") == "camp_789");
    CHECK(sent[0].correlation_data == member(c, "command_id"));
    CHECK(member(c, "command_id") == fw::command_id("camp_789", fw::device_id(0, "12345"), 1));
    CHECK(sent[0].response_topic == "devices/12345/status");
    CHECK(sent[0].expiry_s == 3600);
    CHECK(c.size() <= 16 * 1024);
    auto order = fw::verify_command(member(c, "envelope"), {{h.command.public_part()}, 1}, {.device_id = "12345"});
    REQUIRE(order.has_value());
    CHECK(order->command_id == member(c, "command_id"));

    auto say = [&](char const* payload) { h.b.message({.topic = "devices/12345/status", .payload = payload, .identity = "12345"}); };
    say(R"({"campaign_id": "camp_789", "status": "downloading", "timestamp": 1699878905})");
    CHECK(member(h.b.call("device.get", R"({"id":"12345"})").json, "status") == "updating");
    say(R"({"campaign_id": "camp_789", "status": "downloading", "progress": 45, "timestamp": 1699878910})");
    CHECK(h.row("12345", "progress") == "45");
    say(R"({"campaign_id": "camp_789", "status": "installing", "timestamp": 1699878920})");
    h.b.session_gone("12345");
    CHECK(h.stage("12345") == "rebooting");
    h.b.session_ready("12345");
    h.b.message({.topic = "devices/12345/heartbeat", .payload = R"({"serial_no": "12345", "model": "TX-100", "current_firmware": "v1.1.0", "timestamp": 1699878950})", .identity = "12345"});
    CHECK(h.row("12345", "status") == "installing");
    CHECK(h.stage("12345") == "probation");
    h.b.advance(300'000);
    h.heartbeat("12345", "v1.1.0");
    h.b.advance(301'000);
    CHECK(h.row("12345", "status") == "completed");
    CHECK(h.state() == "completed/all_terminal");
    CHECK(member(h.b.call("device.get", R"({"id":"12345"})").json, "status") == "online");
    CHECK(h.drift() == 0);
    CHECK(h.b.dead_letters().empty());
}

TEST_CASE("flow 3: a checksum fault is retried once with a fresh URL and a new command") {
    house h;
    h.upload();
    h.device("12345");
    h.campaign();
    h.status("12345", "camp_789", "downloading");
    h.b.message({.topic = "devices/12345/status", .payload = R"({"campaign_id": "camp_789", "status": "failed", "error": "checksum_mismatch"})", .identity = "12345"});
    CHECK(h.row("12345", "status || reason") == "failedchecksum_mismatch");
    CHECK(h.state() == "active/running");
    h.b.advance(76'000);
    auto sent = h.commands("12345");
    REQUIRE(sent.size() == 2);
    CHECK(member(sent[0].payload, "command_id") != member(sent[1].payload, "command_id"));
    CHECK(member(sent[0].payload, "url") != member(sent[1].payload, "url"));
    h.status("12345", "camp_789", "failed", R"(, "error": "checksum_mismatch")");
    CHECK(h.state() == "completed/all_terminal");
    CHECK(h.b.value("SELECT n_failed FROM campaigns") == 1);
    CHECK(h.drift() == 0);
}

TEST_CASE("flow 4: a setting changed on the device") {
    house h;
    h.device("12345");
    h.b.message({.topic = "devices/12345/notify", .payload = R"({"setting_changed": "poll_interval", "old_value": "60s", "new_value": "300s", "timestamp": 1699879000})", .identity = "12345"});
    CHECK(h.b.text("SELECT config_value FROM device_configs WHERE config_key = 'poll_interval'") == "300s");
    CHECK(h.b.text("SELECT old_value || new_value FROM config_history") == "60s300s");
    auto a = h.b.call("config.get", R"({"id":"12345"})");
    CHECK(a.json.find(R"("poll_interval":{"value":"300s")") != a.json.npos);
    h.b.take_published();
    auto set = h.b.call("config.desired.set", R"({"id":"12345","settings":{"poll_interval":"120s"}})");
    CHECK(member(set.json, "sent") == "true");
    REQUIRE(h.commands("12345").size() == 1);
    CHECK(member(h.commands("12345")[0].payload, "command") == "config");
    h.b.message({.topic = "devices/12345/notify", .payload = R"({"setting_changed": "poll_interval", "old_value": "300s", "new_value": "120s"})", .identity = "12345"});
    h.b.take_published();
    h.b.session_ready("12345");
    CHECK(h.commands("12345").empty());
}

TEST_CASE("flow 5: a rollback is told, alerted and remembered") {
    house h;
    h.upload();
    h.device("12345");
    h.campaign();
    h.status("12345", "camp_789", "installing");
    h.b.session_gone("12345", sdk::session_change::gone_crash);
    h.b.session_ready("12345");
    h.b.message({.topic = "devices/12345/status", .payload = R"({"campaign_id": "camp_789", "status": "rollback", "current_firmware": "v1.0.2", "failed_firmware": "v1.1.0", "error": "boot_failure", "timestamp": 1699879100})", .identity = "12345"});
    CHECK(h.row("12345", "status") == "rollback");
    CHECK(h.row("12345", "error_message") == "boot_failure");
    CHECK(h.row("12345", "failed_version") == "v1.1.0");
    CHECK(h.state() == "completed/all_terminal");
    REQUIRE(h.b.published_to("$ota/alerts").size() == 1);
    CHECK(member(h.b.published_to("$ota/alerts")[0].payload, "kind") == "rollback");
    h.heartbeat("12345");
    CHECK(h.row("12345", "status") == "rollback");
    // The same version is not offered to it again by itself.
    h.campaign(R"(,"phases":"none")", "camp_790");
    CHECK(h.row("12345", "reason", "camp_790") == "not_applicable");
}

TEST_CASE("a rollback is inferred when the old version comes back after a reboot") {
    house h;
    h.upload();
    h.device("d1", "v1.0.2", R"(,"boot_id":"a")");
    h.campaign();
    h.status("d1", "camp_789", "installing");
    h.b.session_gone("d1");
    h.device("d1", "v1.0.2", R"(,"boot_id":"b")");
    CHECK(h.stage("d1") == "rebooting");
    h.b.advance(60'000);
    CHECK(h.stage("d1") == "rollback_inferred");
    CHECK(h.drift() == 0);
}

TEST_CASE("a lost final status is told again in the heartbeat") {
    house h;
    h.upload();
    h.device("d1");
    h.campaign();
    auto id = member(h.commands("d1").at(0).payload, "command_id");
    h.heartbeat("d1", "v1.0.2", R"(,"last_command_id":")" + id + R"(","last_result":"signature_invalid")");
    CHECK(h.row("d1", "status || reason") == "failedsignature_invalid");
}
