#include "tests/unit/plugins/fleet.hpp"

#include "plugins/kit/duration.hpp"
#include "plugins/kit/fields.hpp"

using namespace fleet;

TEST_CASE("registration: allow, quarantine, deny") {
    SUBCASE("quarantine") {
        house h(opts{{"ota_registration", "quarantine"}});
        h.upload();
        h.device("d1");
        CHECK(member(h.b.call("device.get", R"({"id":"d1"})").json, "registration") == "quarantined");
        h.campaign(R"(,"phases":"none","dynamic":true)");
        CHECK(h.commands("d1").empty());
        CHECK(h.b.call("device.accept", R"({"id":"d1"})").status == 200);
        h.b.advance(0);
        CHECK(h.commands("d1").size() == 1);
    }
    SUBCASE("deny, unless imported") {
        house h(opts{{"ota_registration", "deny"}});
        h.device("d1");
        CHECK(h.b.call("device.get", R"({"id":"d1"})").status == 404);
        CHECK(h.b.metric("airmail_registry_refused_total") == 1);
        auto a = h.b.call("device.import", R"({"devices":[{"serial_no":"d1","tags":["lab"]},{"serial_no":"bad serial"}]})");
        CHECK(member(a.json, "added") == "1");
        CHECK(boost::json::parse(a.json).at("refused").as_array().size() == 1);
        CHECK(member(h.b.call("device.get", R"({"id":"d1"})").json, "ever_seen") == "false");
        h.heartbeat("d1");
        CHECK(member(h.b.call("device.get", R"({"id":"d1"})").json, "registration") == "accepted");
    }
    CHECK_THROWS(house(opts{{"ota_registration", "perhaps"}}));
    CHECK_THROWS(house(opts{{"ota_stall_timeout", "soon"}}));
}

TEST_CASE("a payload that names another device is refused, counted and alarmed") {
    house h;
    auto v = h.b.message({.topic = "devices/d1/heartbeat", .payload = R"({"serial_no":"d2","model":"m","current_firmware":"1.0","timestamp":1})", .identity = "d1"});
    CHECK(v == sdk::verdict::refuse);
    CHECK(h.b.metric("airmail_heartbeat_impostors_total") == 1);
    CHECK(h.b.value("SELECT count(*) FROM devices") == 0);
    CHECK(h.b.text("SELECT kind FROM alerts") == "impostor");
}

TEST_CASE("what is not understood is counted and passed over") {
    house h;
    h.upload();
    h.device("d1");
    h.campaign();
    for (auto p : {"", "{", "[]", "{\"serial_no\":\"d1\"}", "{\"serial_no\":\"d1\",\"model\":\"m\",\"current_firmware\":\"\xff\"}"})
        CHECK(h.b.message({.topic = "devices/d1/heartbeat", .payload = p, .identity = "d1"}) == sdk::verdict::ok);
    CHECK(h.b.metric("airmail_heartbeat_invalid_total") == 5);
    h.status("d1", "camp_789", "meditating");
    CHECK(h.b.metric("airmail_status_unknown_words_total") == 1);
    h.status("d1", "camp_000", "downloading");
    CHECK(h.b.metric("airmail_status_unknown_campaigns_total") == 1);
    h.status("d2", "camp_789", "downloading");
    CHECK(h.stage("d1") == "sent");
    h.b.message({.topic = "devices/d1/request", .payload = "?", .identity = "d1"});
    h.b.message({.topic = "devices/d1/request", .payload = R"({"request":"coffee"})", .identity = "d1"});
    CHECK(h.b.metric("airmail_campaign_unknown_requests_total") == 2);
    CHECK(h.b.dead_letters().empty());
}

TEST_CASE("an unchanged heartbeat touches no SQL; last_seen follows in bulk; a restart knows everyone") {
    house h;
    h.device("d1");
    h.heartbeat("d1");
    auto before = h.b.metric("airmail_heartbeat_unchanged_total");
    h.b.disk_full(true);                                          // any statement would fail
    for (int i = 0; i < 5; ++i) h.heartbeat("d1");
    CHECK(h.b.metric("airmail_heartbeat_unchanged_total") == before + 5);
    h.b.disk_full(false);
    CHECK(h.b.dead_letters().empty());
    h.b.advance(20'000);
    h.heartbeat("d1");
    auto wall = h.b.wall();
    h.b.advance(31'000);
    CHECK(h.b.value("SELECT last_seen FROM devices") == wall);
    h.b.restart();
    h.heartbeat("d1");
    CHECK(h.b.metric("airmail_registry_registered_total") == 1);
    CHECK(h.b.call("device.remove", R"({"id":"d1"})").status == 200);
    h.heartbeat("d1");
    CHECK(h.b.metric("airmail_registry_registered_total") == 2);
}

TEST_CASE("a blocked device is cut off and its update ends") {
    house h;
    h.upload();
    h.device("d1");
    h.campaign();
    h.status("d1", "camp_789", "downloading");
    CHECK(h.b.call("device.block", R"({"id":"d1"})").status == 200);
    CHECK(h.row("d1", "reason") == "device_removed");
    REQUIRE(h.b.disconnected().size() == 1);
    CHECK(h.b.disconnected()[0].identity == "d1");
    CHECK(!h.b.revoked().empty());
    CHECK(h.drift() == 0);
}

TEST_CASE("lists of devices: filters and pages") {
    house h;
    for (int i = 0; i < 5; ++i) h.device("d" + std::to_string(i), i % 2 ? "1.0" : "1.1");
    auto a = boost::json::parse(h.b.call("device.list", R"({"limit":"2"})").json);
    CHECK(a.at("devices").as_array().size() == 2);
    CHECK(a.at("total").as_int64() == 5);
    CHECK(a.at("next").as_string() == "d1");
    auto b = boost::json::parse(h.b.call("device.list", R"({"after":"d3"})").json);
    CHECK(b.at("devices").as_array().size() == 1);
    CHECK(b.at("next").is_null());
    CHECK(boost::json::parse(h.b.call("device.list", R"({"version":"1.0"})").json).at("total").as_int64() == 2);
    CHECK(boost::json::parse(h.b.call("device.fleet").json).at("online").as_int64() == 5);
    CHECK(h.b.call("device.list", R"({"limit":0})").status == 400);
}

TEST_CASE("uploads: a good release is taken once, a bad one never") {
    house h;
    auto file = h.image("v1.1.0");
    CHECK(h.post(file).status == 201);
    CHECK(h.post(file).status == 200);
    CHECK(h.b.value("SELECT count(*) FROM firmware") == 1);
    SUBCASE("one byte changed") {
        std::fstream f{file, std::ios::in | std::ios::out | std::ios::binary};
        f.seekp(3), f.put('X');
        f.close();
        auto r = h.post(file);
        CHECK(r.status == 422);
        CHECK(member(r.body, "code") == "firmware.mismatch");
    }
    SUBCASE("signed by a stranger") {
        h.release = *fw::private_key::generate();
        auto r = h.post(h.image("v1.2.0"));
        CHECK(r.status == 422);
        CHECK(member(r.body, "code") == "firmware.bad_signature");
    }
    SUBCASE("not signed") {
        std::ofstream{h.at("plain")} << "just bytes";
        CHECK(member(h.post(h.at("plain")).body, "code") == "firmware.unsigned");
        house lax(opts{{"ota_unsigned_firmware", "allow"}});
        std::ofstream{lax.at("plain")} << "just bytes";
        CHECK(lax.post(lax.at("plain")).status == 400);
        CHECK(lax.post(lax.at("plain"), "version=v2&model=TX-100").status == 201);
    }
    SUBCASE("deleted, unless needed") {
        h.firmware_id = h.b.text("SELECT firmware_id FROM firmware");
        h.b.call("campaign.create", R"({"campaign_id":"c","name":"x","firmware_id":")" + h.firmware_id + "\"}");
        CHECK(h.b.call("firmware.delete", R"({"id":")" + h.firmware_id + "\"}").status == 409);
        h.b.call("campaign.cancel", R"({"id":"c"})");
        CHECK(h.b.call("firmware.delete", R"({"id":")" + h.firmware_id + "\"}").status == 200);
        CHECK(h.b.call("firmware.get", R"({"id":")" + h.firmware_id + "\"}").status == 404);
    }
}

TEST_CASE("/fw/: only the signed URL, only its device, only while the command stands") {
    house h;
    h.upload();
    h.device("d1");
    h.campaign();
    auto command = h.commands("d1").at(0).payload;
    auto url = member(command, "url").substr(std::string{"https://fw.example:8443"}.size());
    auto path = url.substr(0, url.find('?')), query = url.substr(url.find('?') + 1);
    auto get = [&](std::string q, std::string peer = "10.0.0.1 d1", std::string verb = "GET") {
        return h.b.http({.verb = verb, .path = path, .query = q, .caller = "", .role = "", .peer = peer});
    };
    CHECK(get(query, "10.0.0.1 d1", "HEAD").status == 200);
    CHECK(h.stage("d1") == "sent");
    auto r = get(query);
    CHECK(r.status == 200);
    CHECK(r.etag == "\"" + h.checksum.substr(7) + "\"");
    CHECK(r.revoke_token == member(command, "command_id"));
    CHECK(*fw::hash_file(r.file_path) == *fw::parse_digest(h.checksum));
    CHECK(h.stage("d1") == "downloading");                        // the first byte is evidence
    CHECK(get(query, "10.0.0.1 d2").status == 403);
    CHECK(get(query, "10.0.0.1").status == 200);                  // no certificate: the signature alone
    CHECK(get(query + "&x=1").status == 403);
    CHECK(get("").status == 403);
    SUBCASE("revoked") {
        h.b.call("campaign.cancel", R"({"id":"camp_789"})");
        CHECK(get(query).status == 410);
    }
    SUBCASE("expired") {
        h.b.advance(3'601'000);
        CHECK(get(query).status == 403);
    }
    SUBCASE("over") {
        h.updates("d1");
        h.b.advance(300'000);
        h.heartbeat("d1", "v1.1.0");
        h.b.advance(400'000);
        CHECK(h.row("d1", "status") == "completed");
        CHECK(get(query).status == 410);
    }
}

TEST_CASE("an alert that is open is counted up, not repeated") {
    house h;
    for (int i = 0; i < 3; ++i) h.b.call("alert.raise", R"({"severity":"warning","kind":"k","text":"t"})");
    CHECK(h.b.published_to("$ota/alerts").size() == 1);
    auto list = boost::json::parse(h.b.call("alert.list").json);
    REQUIRE(list.at("alerts").as_array().size() == 1);
    CHECK(list.at("alerts").at(0).at("count").as_int64() == 3);
    CHECK(h.b.call("alert.ack", R"({"id":"1"})").status == 200);
    CHECK(boost::json::parse(h.b.call("alert.list").json).at("alerts").as_array().empty());
    CHECK(h.b.call("alert.ack", R"({"id":"99"})").status == 404);
}

TEST_CASE("fields of one flat JSON object") {
    using namespace plugins::kit;
    auto one = [](std::string_view json) {
        std::string out;
        return each_field(json, [&](std::string_view n, field const& f) { ((out += n) += '=') += f.text, out += ';'; }) ? out : "bad";
    };
    CHECK(one("{}") == "");
    CHECK(one(R"( {"a" : "x", "b":-1.5e3,"c":true , "d":null,"e":{"f":[1,{"g":2}]}} )") == R"(a=x;b=-1.5e3;c=true;d=null;e={"f":[1,{"g":2}]};)");
    CHECK(one(R"({"a\n":"\u00e4\ud83d\ude00\"\\\/"})") == "a\n=\xc3\xa4\xf0\x9f\x98\x80\"\\/;");
    CHECK(one("{\"a\":\"\xc3\xa4 \\n \xc3\xb6\"}") == "a=\xc3\xa4 \n \xc3\xb6;");
    for (auto bad : {"", "[]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":01}", "{\"a\":+1}", "{\"a\":\"\\x\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\xff\"}",
                     "{\"a\":\"\xed\xa0\x80\"}", "{} x", "{\"a\":nul}", "{\"a\":\"b", "{\"a\":[1,]}", "{\"a\":1 \"b\":2}"})
        CHECK_MESSAGE(one(bad) == "bad", bad);
    CHECK(one("{\"a\":" + std::string(40, '[') + std::string(40, ']') + "}") == "bad");
    CHECK(one("{\"a\":\"" + std::string(17'000, 'x') + "\"}") == "bad");
    CHECK(clip("a\xc3\xa4", 2) == "a");
}

TEST_CASE("durations and sizes carry a unit") {
    using namespace plugins::kit;
    CHECK(parse_duration("30s") == 30'000);
    CHECK(parse_duration("15m") == 900'000);
    CHECK(parse_duration("500ms") == 500);
    CHECK(parse_duration("1h") == 3'600'000);
    CHECK(parse_duration("2d") == 172'800'000);
    CHECK(parse_duration("7") == 7'000);
    for (auto bad : {"", "s", "-1s", "1x", "1.5s", "99999999999999d"}) CHECK_FALSE(parse_duration(bad).has_value());
    CHECK(parse_size("4MiB") == 4 << 20);
    CHECK_FALSE(parse_size("4MB").has_value());
}
