#include "tests/unit/plugins/fleet.hpp"

using namespace fleet;

TEST_CASE("an offline device gets its command when its session is ready, with a fresh URL and the same id after every return") {
    house h;
    h.upload();
    h.device("d1");
    h.b.session_gone("d1");
    h.campaign();
    CHECK(h.commands("d1").empty());
    h.b.advance(7'200'000);
    h.b.session_ready("d1");
    auto sent = h.commands("d1");
    REQUIRE(sent.size() == 1);
    auto url = member(sent[0].payload, "url"), id = member(sent[0].payload, "command_id");
    auto expires = std::stoll(member(sent[0].payload, "expires_at"));
    CHECK(expires == h.b.wall() / 1000 + 3600);
    SUBCASE("gone before it answered: again, same id, new URL") {
        h.b.session_gone("d1");
        h.b.advance(3'600'000);
        h.b.session_ready("d1");
        sent = h.commands("d1");
        REQUIRE(sent.size() == 2);
        CHECK(member(sent[1].payload, "command_id") == id);
        CHECK(member(sent[1].payload, "url") != url);
    }
    SUBCASE("silent: the same command after 30 s, then every 5 min, then no_response and a new attempt") {
        h.b.advance(30'000);
        CHECK(h.commands("d1").size() == 2);
        h.b.advance(300'000);
        h.b.advance(300'000);
        CHECK(h.commands("d1").size() == 4);
        for (auto const& c : h.commands("d1")) CHECK(member(c.payload, "command_id") == id);
        h.b.advance(300'000);
        CHECK(h.row("d1", "reason") == "no_response");
        h.b.advance(120'000);
        CHECK(member(h.commands("d1").back().payload, "command_id") != id);
    }
    SUBCASE("it asks: sync and url") {
        h.b.message({.topic = "devices/d1/request", .payload = R"({"request":"sync"})", .identity = "d1"});
        CHECK(h.commands("d1").size() == 2);
        h.b.message({.topic = "devices/d1/request", .payload = R"({"request":"url","command_id":")" + id + "\"}", .identity = "d1"});
        auto last = h.commands("d1").back().payload;
        CHECK(member(last, "command") == "url");
        CHECK(std::stoll(member(last, "expires_at")) == h.b.wall() / 1000 + 900);
    }
    CHECK(h.drift() == 0);
}

TEST_CASE("a crash between the commit and the publish: the same command again") {
    house h;
    h.upload();
    h.device("d1");
    h.b.take_published();
    auto a = h.b.call("campaign.create", R"({"campaign_id":"camp_789","name":"x","firmware_id":")" + h.firmware_id + R"(","phases":"none"})");
    REQUIRE(a.status == 201);
    h.b.crash_after_next_commit();
    h.b.call("campaign.start", R"({"id":"camp_789"})");
    CHECK(h.commands("d1").empty());
    auto id = h.row("d1", "command_id");
    CHECK(!id.empty());
    h.b.session_ready("d1");
    REQUIRE(h.commands("d1").size() == 1);
    CHECK(member(h.commands("d1")[0].payload, "command_id") == id);
    CHECK(h.drift() == 0);
}

TEST_CASE("a crash inside a batch: nothing happened, then everything once") {
    house h;
    h.upload();
    h.device("d1");
    h.campaign();
    h.b.hold();
    h.status("d1", "camp_789", "downloading");
    h.status("d1", "camp_789", "installing");
    h.b.crash();
    CHECK(h.stage("d1") == "installing");
    CHECK(h.b.value("SELECT count(*) FROM campaign_events WHERE to_status = 'installing'") == 1);
    CHECK(h.drift() == 0);
}

TEST_CASE("a restart goes on where it was") {
    house h;
    h.upload();
    for (auto id : {"d1", "d2", "d3"}) h.device(id);
    h.campaign();
    h.status("d1", "camp_789", "downloading");
    h.status("d2", "camp_789", "installing");
    h.b.restart();
    CHECK(h.b.value("SELECT count(*) FROM devices WHERE status = 'online'") == 0);
    CHECK(h.stage("d1") == "downloading");
    CHECK(h.stage("d3") == "waiting");
    h.b.advance(10'000'000);                                    // nobody is connected: clocks of the waiting stand still
    CHECK(h.stage("d1") == "downloading");
    h.b.take_published();
    for (auto id : {"d1", "d3"}) h.device(id);
    CHECK(h.commands("d1").size() == 1);
    CHECK(h.commands("d3").size() == 1);
    h.updates("d1");
    h.updates("d3");
    h.b.advance(300'000);
    h.heartbeat("d1", "v1.1.0"), h.heartbeat("d3", "v1.1.0");
    h.b.advance(400'000);
    CHECK(h.row("d1", "status") == "completed");
    CHECK(h.row("d2", "reason") == "install_timeout");
    CHECK(h.state() == "completed/all_terminal");
    CHECK(h.drift() == 0);
    CHECK(h.b.dead_letters().empty());
}

TEST_CASE("cancel: who waits is stopped, who downloads is asked, who installs is too late") {
    house h;
    h.upload();
    for (auto id : {"off", "down", "inst", "gone"}) h.device(id);
    h.b.session_gone("off", sdk::session_change::gone_clean, {}, 1);
    h.campaign();
    h.status("down", "camp_789", "downloading");
    h.status("gone", "camp_789", "downloading");
    h.status("inst", "camp_789", "installing");
    h.b.session_gone("gone", sdk::session_change::gone_crash, {}, 4);
    auto id = h.row("down", "command_id");
    auto a = h.b.call("campaign.cancel", R"({"id":"camp_789","reason":"wrong image"})");
    REQUIRE(a.status == 200);
    CHECK(member(a.json, "cancel") == R"({"stopped":1,"asked":1,"too_late":1,"offline":1})");
    CHECK(h.state() == "active/draining");
    CHECK(member(h.commands("down").back().payload, "command") == "cancel");
    CHECK(h.commands("inst").size() == 1);
    CHECK(std::count(h.b.revoked().begin(), h.b.revoked().end(), id) == 1);
    CHECK(h.row("off", "reason") == "cancelled");
    h.status("down", "camp_789", "cancelled");
    h.b.advance(31'000);
    CHECK(h.row("gone", "reason") == "cancelled");
    CHECK(h.state() == "cancelled/operator");
    CHECK(h.b.value("SELECT n_not_counting FROM campaigns") == 3);
    // The device that was too late is still followed, and the one that installed after all is told apart.
    h.b.session_gone("inst", sdk::session_change::gone_clean, {}, 3);
    h.device("inst", "v1.1.0");
    CHECK(h.stage("inst") == "probation");
    h.device("gone", "v1.1.0");
    CHECK(h.row("gone", "status") == "failed");
    CHECK(h.row("gone", "(flags & 32)") == "32");
    CHECK(h.drift() == 0);
}

TEST_CASE("a draft is cancelled at once; wrong states are refused with a word") {
    house h;
    h.upload();
    h.device("d1");
    h.b.call("campaign.create", R"({"campaign_id":"c","name":"x","firmware_id":")" + h.firmware_id + "\"}");
    CHECK(h.state("c") == "pending/draft");
    CHECK(h.b.call("campaign.pause", R"({"id":"c"})").status == 409);
    CHECK(h.b.call("campaign.cancel", R"({"id":"c"})").status == 200);
    CHECK(h.state("c") == "cancelled/operator");
    auto again = h.b.call("campaign.start", R"({"id":"c"})");
    CHECK(again.status == 409);
    CHECK(member(again.json, "code") == "campaign.wrong_state");
    CHECK(h.b.call("campaign.get", R"({"id":"nope"})").status == 404);
    CHECK(h.b.call("campaign.create", R"({"name":"x","firmware_id":"nope"})").status == 404);
    CHECK(h.b.call("campaign.create", R"({"name":"x","firmware_id":")" + h.firmware_id + R"(","target_criteria":{"modell":"TX"}})").status == 400);
    CHECK(h.b.call("campaign.create", R"({"name":"x","firmware_id":")" + h.firmware_id + R"(","phases":[50,10]})").status == 400);
    CHECK(h.b.call("campaign.start", R"({"id":"c"})", {.role = "viewer"}).status == 403);
}

TEST_CASE("pause stops admission only; resume mints anew") {
    house h;
    h.upload();
    h.device("d1");
    h.campaign(R"(,"phases":"none","max_in_flight":1)");
    h.device("d2");
    h.b.call("campaign.pause", R"({"id":"camp_789"})");
    CHECK(h.state() == "active/paused");
    h.device("d2");
    CHECK(h.commands("d2").empty());
    h.updates("d1");
    CHECK(h.stage("d1") == "probation");
    h.b.call("campaign.resume", R"({"id":"camp_789"})");
    CHECK(h.state() == "active/running");
}

TEST_CASE("one update in flight per device; the next campaign waits for it") {
    house h(opts{{"ota_probation", "0"}});
    h.upload("v1.1.0");
    h.device("d1");
    h.campaign();
    auto first = h.firmware_id;
    h.upload("v1.2.0");
    h.campaign(R"(,"phases":"none")", "camp_2");
    CHECK(h.stage("d1") == "sent");
    CHECK(h.row("d1", "stage", "camp_2") == "waiting");
    h.updates("d1");
    CHECK(h.row("d1", "status") == "completed");
    CHECK(h.row("d1", "stage", "camp_2") == "sent");
    CHECK(h.row("d1", "from_version", "camp_2") == "v1.1.0");
    h.updates("d1", "camp_2", "v1.2.0");
    CHECK(h.state("camp_2") == "completed/all_terminal");
    CHECK(h.drift() == 0);
    CHECK(h.drift("camp_2") == 0);
    CHECK(h.b.dead_letters().empty());
}

TEST_CASE("a campaign that supersedes stops the older update and takes its place") {
    house h;
    h.upload("v1.1.0");
    h.device("d1");
    h.device("d2");
    h.campaign();
    h.status("d2", "camp_789", "installing");
    h.upload("v1.2.0");
    h.campaign(R"(,"phases":"none","supersedes":true)", "camp_2");
    CHECK(member(h.commands("d1").back().payload, "command") == "cancel");
    h.status("d1", "camp_789", "cancelled");
    CHECK(h.row("d1", "reason") == "superseded");
    CHECK(h.row("d1", "stage", "camp_2") == "sent");
    CHECK(h.stage("d2") == "installing");
    CHECK(h.row("d2", "stage", "camp_2") == "waiting");
    CHECK(h.drift() == 0);
    CHECK(h.drift("camp_2") == 0);
}

TEST_CASE("two signatures refused stop the campaign, with an alert at the first") {
    house h;
    h.upload();
    for (auto id : {"d1", "d2", "d3"}) h.device(id);
    h.campaign(R"(,"phases":"none","max_in_flight":2)");
    h.status("d1", "camp_789", "failed", R"(,"reason":"signature_invalid")");
    CHECK(h.b.published_to("$ota/alerts").size() == 1);
    CHECK(h.state() == "active/running");
    h.status("d2", "camp_789", "failed", R"(,"reason":"signature_invalid")");
    CHECK(h.state() == "active/paused");
    CHECK(h.b.text("SELECT reason FROM campaigns") == "policy: signature_invalid");
    CHECK(h.b.text("SELECT group_concat(kind, ' ') FROM (SELECT kind FROM alerts ORDER BY alert_id)") == "signature_invalid signature_invalid campaign_stopped");
}

TEST_CASE("phases: a few first, the rest after gate and soak") {
    house h(opts{{"ota_probation", "0"}, {"ota_phase_soak", "60s"}});
    h.upload();
    for (int i = 0; i < 40; ++i) h.device("d" + std::to_string(i));
    h.campaign(R"(,"phases":[25,100])");
    auto first = h.b.value("SELECT count(*) FROM campaign_devices WHERE stage = 'sent'");
    CHECK(first > 0);
    CHECK(first < 25);
    CHECK(first == h.b.value("SELECT count(*) FROM campaign_devices WHERE bucket < 2500"));
    auto ids = h.b.rows("SELECT serial_no FROM campaign_devices WHERE stage = 'sent'");
    SUBCASE("they succeed") {
        for (auto const& v : ids) h.updates(std::get<std::string>(v[0]));
        CHECK(h.b.value("SELECT phase FROM campaigns") == 0);
        h.b.advance(61'000);
        CHECK(h.b.value("SELECT phase FROM campaigns") == 1);
        CHECK(h.b.value("SELECT count(*) FROM campaign_devices WHERE stage = 'sent'") == 40 - first);
    }
    SUBCASE("they fail: it stops itself") {
        for (auto const& v : ids) h.status(std::get<std::string>(v[0]), "camp_789", "failed", R"(,"reason":"no_space")");
        h.b.advance(61'000);
        CHECK(h.state() == "active/paused");
        CHECK(h.b.value("SELECT count(*) FROM campaign_devices WHERE stage = 'sent'") == 0);
    }
    SUBCASE("an operator opens the next by hand") {
        h.b.call("campaign.advance", R"({"id":"camp_789"})");
        h.b.advance(0);
        CHECK(h.b.value("SELECT count(*) FROM campaign_devices WHERE stage = 'sent'") == 40);
    }
    CHECK(h.drift() == 0);
}

TEST_CASE("targets: model, version range, list, tags") {
    house h;
    h.upload();
    h.device("a", "v1.0.2");
    h.device("b", "v1.0.10");
    h.device("c", "1.1.0");
    h.b.message({.topic = "devices/x/heartbeat", .payload = R"({"serial_no":"x","model":"ZZ","current_firmware":"v1.0.2","timestamp":1})", .identity = "x"});
    h.b.call("device.tag", R"({"id":"a","add":["lab"]})");
    auto total = [&](char const* id, std::string const& criteria) {
        auto a = h.b.call("campaign.create", std::string{R"({"name":"n","campaign_id":")"} + id + R"(","firmware_id":")" + h.firmware_id + R"(","target_criteria":)" + criteria + "}");
        return a.status == 201 ? std::stoi(member(boost::json::serialize(boost::json::parse(a.json).at("counters")), "total")) : -a.status;
    };
    CHECK(total("c1", "{}") == 2);                                                      // not c: it has 1.1.0; not x: another model
    CHECK(total("c2", R"({"model":"TX-100","fw_version":"< v1.1.0"})") == 2);
    CHECK(total("c3", R"({"fw_version":"< v1.0.3"})") == 1);                            // numeric: 1.0.10 is newer than 1.0.3
    CHECK(total("c4", R"({"devices":["b","x","nobody"]})") == 1);
    CHECK(total("c5", R"({"tags":["lab"]})") == 1);
    CHECK(total("c6", R"("{\"model\": \"TX-100\", \"fw_version\": \"< v1.1.0\"}")") == 2);    // as text: the document's GraphQL input
    CHECK(total("c7", R"({"fw_version":"newest"})") == -400);
}

TEST_CASE("late joiners of a dynamic campaign; registration after create joins at start") {
    house h;
    h.upload();
    h.device("d1");
    h.campaign(R"(,"phases":"none","dynamic":true)");
    h.device("d2");
    CHECK(h.commands("d2").size() == 1);
    CHECK(h.b.value("SELECT n_total FROM campaigns") == 2);
    CHECK(h.drift() == 0);
}

TEST_CASE("scheduled and expiring campaigns") {
    house h;
    h.upload();
    h.device("d1");
    auto start = h.b.wall() / 1000 + 100;
    h.b.call("campaign.create", R"({"campaign_id":"c","name":"x","phases":"none","firmware_id":")" + h.firmware_id + R"(","start_at":)" + std::to_string(start) +
             R"(,"expires_at":)" + std::to_string(start + 1000) + "}");
    CHECK(h.state("c") == "pending/scheduled");
    h.b.advance(99'000);
    CHECK(h.commands("d1").empty());
    h.b.advance(2'000);
    CHECK(h.commands("d1").size() == 1);
    h.b.session_gone("d1");
    h.b.advance(1'100'000);
    CHECK(h.row("d1", "reason", "c") == "not_applicable");
    CHECK(h.state("c").starts_with("completed/"));
}

TEST_CASE("retry by an operator, also after a rollback") {
    house h;
    h.upload();
    h.device("d1");
    h.device("d2");
    h.campaign();
    h.status("d1", "camp_789", "rollback");
    CHECK(h.b.value("SELECT count(*) FROM campaign_poison") == 1);
    auto a = h.b.call("campaign.retry", R"({"id":"camp_789","device":"d1"})");
    CHECK(a.status == 200);
    CHECK(member(a.json, "attempt") == "2");
    CHECK(h.commands("d1").size() == 2);
    CHECK(h.drift() == 0);
}

TEST_CASE("admission: tokens hold back, and free ones let the next in") {
    house h(opts{{"ota_probation", "0"}});
    h.upload();
    for (int i = 0; i < 10; ++i) h.device("d" + std::to_string(i));
    auto sent = [&] { return h.b.value("SELECT count(*) FROM campaign_devices WHERE rank BETWEEN 2 AND 50"); };
    SUBCASE("in flight") {
        h.campaign(R"(,"phases":"none","max_in_flight":3)");
        CHECK(sent() == 3);
        auto one = h.b.text("SELECT serial_no FROM campaign_devices WHERE stage = 'sent' LIMIT 1");
        h.updates(one);
        CHECK(sent() == 3);
        CHECK(h.b.value("SELECT n_completed FROM campaigns") == 1);
    }
    SUBCASE("rate") {
        h.campaign(R"(,"phases":"none","rate_per_min":60)");
        CHECK(sent() == 1);
        h.b.advance(3'500);
        CHECK(sent() == 4);
    }
    SUBCASE("batches") {
        house small(opts{{"ota_admission_batch", "4"}});
        small.upload();
        for (int i = 0; i < 10; ++i) small.device("d" + std::to_string(i));
        small.campaign();
        CHECK(small.b.value("SELECT count(*) FROM campaign_devices WHERE stage = 'sent'") == 10);
    }
}

TEST_CASE("watchers see every transition in order, and the progress") {
    house h(opts{{"ota_probation", "0"}});
    h.upload();
    h.device("d1");
    h.campaign();
    h.updates("d1");
    h.b.advance(1'000);
    auto events = h.b.published_to("$ota/campaign/camp_789/events");
    std::string story;
    std::int64_t last = 0;
    for (auto const& e : events) {
        auto seq = std::stoll(member(e.payload, "seq"));
        CHECK(seq == last + 1);
        last = seq;
        if (member(e.payload, "event") == "device") story += member(e.payload, "stage") + " ";
    }
    CHECK(story == "sent downloading installing rebooting confirmed ");
    auto progress = h.b.published_to("$ota/campaign/camp_789/progress");
    REQUIRE(!progress.empty());
    CHECK(progress.back().retain);
    CHECK(member(progress.back().payload, "progress") == "100");
    CHECK(member(progress.back().payload, "status") == "completed");
    auto again = h.b.call("campaign.watch", R"({"id":"camp_789","after":2})");
    CHECK(boost::json::parse(again.json).at("events").as_array().size() == static_cast<std::size_t>(last - 2));
    auto explain = h.b.call("campaign.explain", R"({"id":"camp_789","device":"d1"})");
    CHECK(member(explain.json, "why") == "Nothing: it is confirmed.");
}

TEST_CASE("a kill takes what was published and not yet stored: events of the last ten seconds are told again, older ones are not") {
    house h(opts{{"ota_probation", "0"}});
    h.upload();
    h.device("d1");
    h.campaign();
    h.updates("d1");
    h.b.advance(1'000);
    auto const told = h.b.published_to("$ota/campaign/camp_789/events").size();
    REQUIRE(told > 5);
    h.b.take_published();
    h.b.crash();
    auto const again = h.b.published_to("$ota/campaign/camp_789/events");
    CHECK(again.size() == told);
    CHECK(member(again.front().payload, "seq") == "1");
    h.b.advance(11'000);
    h.b.take_published();
    h.b.crash();
    CHECK(h.b.published_to("$ota/campaign/camp_789/events").empty());
}

TEST_CASE("counters equal a recount after random streams of everything") {
    for (unsigned seed = 1; seed <= 6; ++seed) {
        std::srand(seed);
        house h(opts{{"ota_phase_soak", "5s"}, {"ota_probation", seed % 2 ? "0" : "20s"}});
        h.upload();
        auto id = [] { return "d" + std::to_string(std::rand() % 12); };
        for (int i = 0; i < 12; ++i) h.device("d" + std::to_string(i));
        h.campaign(seed % 3 ? R"(,"phases":"none","max_in_flight":5)" : R"(,"phases":[20,50,100])");
        for (int i = 0; i < 400; ++i) {
            char const* words[] = {"downloading", "downloaded", "installing", "failed", "rollback", "completed", "cancelled", "too_late", "rejected", "nonsense"};
            switch (std::rand() % 8) {
            case 0: h.b.session_ready(id()); break;
            case 1: h.b.session_gone(id(), sdk::session_change::gone_crash, {}, 0); break;
            case 2: h.heartbeat(id(), std::rand() % 2 ? "v1.1.0" : "v1.0.2", std::rand() % 2 ? R"(,"boot_id":"q")" : R"(,"boot_id":"r")"); break;
            case 3: h.b.advance(std::rand() % 40'000); break;
            case 4: if (std::rand() % 40 == 0) h.b.crash(); break;
            case 5: if (std::rand() % 60 == 0) h.b.call("campaign.cancel", R"({"id":"camp_789"})"); break;
            default: h.status(id(), "camp_789", words[std::rand() % 10], std::rand() % 2 ? R"(,"error":"checksum_mismatch")" : ""); break;
            }
        }
        CAPTURE(seed);
        CHECK(h.drift() == 0);
        CHECK(h.b.value("SELECT count(*) FROM (SELECT 1 FROM campaign_devices WHERE rank BETWEEN 2 AND 50 GROUP BY serial_no HAVING count(*) > 1)") == 0);
        for (auto const& d : h.b.dead_letters()) FAIL_CHECK(d.plugin << " " << d.kind << " " << d.topic << ": " << d.why);
    }
}

TEST_CASE("sent becomes delivered with the device's PUBACK, once, and only for the command that is under way") {
    house h;
    h.upload();
    h.device("d1"), h.device("d2");
    h.campaign();
    auto id = member(h.commands("d1").back().payload, "command_id");
    auto events = h.b.value("SELECT count(*) FROM campaign_events");
    h.b.delivered<airmail::plugins::campaign_plugin>("d1", "devices/d1/command", id);
    h.b.delivered<airmail::plugins::campaign_plugin>("d2", "devices/d2/command", id);
    CHECK(h.stage("d1") == "sent");
    h.b.advance(250);
    CHECK(h.stage("d1") == "delivered");
    CHECK(h.stage("d2") == "sent");
    CHECK(h.b.value("SELECT count(*) FROM campaign_events") == events);
    // Delivered: it has the command, so it is given the longer time.
    h.b.advance(30'000);
    CHECK(h.commands("d1").size() == 1);
    CHECK(h.commands("d2").size() == 2);
    h.status("d1", "camp_789", "downloading");
    h.b.delivered<airmail::plugins::campaign_plugin>("d1", "devices/d1/command", id);
    h.b.advance(1000);
    CHECK(h.stage("d1") == "downloading");
    CHECK(h.drift() == 0);
    CHECK(h.b.dead_letters().empty());
}

TEST_CASE("targets in RSQL: preview, create, late joiners, and a mistake with its place") {
    house h;
    h.upload();
    h.device("a1"), h.device("a2"), h.device("b1"), h.device("old", "v1.1.0");
    h.b.session_gone("a2", sdk::session_change::gone_clean, {}, 2);
    REQUIRE(h.b.call("device.tag", R"({"id":"a1","add":["lab"]})").status == 200);
    REQUIRE(h.b.call("device.attributes", R"({"id":"a2","set":{"group":"eu/north","rev":"7"}})").status == 200);
    auto filter = std::string{R"("target_criteria":"(tag==lab,group==eu/*);fw=lt=1.1.0")"};
    auto seen = h.b.call("campaign.preview", R"({"firmware_id":")" + h.firmware_id + "\"," + filter + "}");
    INFO(seen.json);
    REQUIRE(seen.status == 200);
    CHECK(member(seen.json, "count") == "2");
    CHECK(member(seen.json, "online") == "1");
    CHECK(member(seen.json, "examples") == R"(["a1","a2"])");
    CHECK(h.b.value("SELECT count(*) FROM campaign_devices") == 0);
    h.campaign(R"(,"phases":"none","dynamic":true,)" + filter);
    CHECK(h.b.value("SELECT count(*) FROM campaign_devices") == 2);
    CHECK(h.commands("a1").size() == 1);
    CHECK(h.commands("b1").empty());
    h.b.call("device.tag", R"({"id":"b1","add":["roof"]})");
    CHECK(h.b.value("SELECT count(*) FROM campaign_devices") == 2);
    h.b.call("device.tag", R"({"id":"b1","add":["LAB"]})");
    h.b.advance(0);
    CHECK(h.b.value("SELECT count(*) FROM campaign_devices") == 3);
    CHECK(h.commands("b1").size() == 1);
    auto bad = h.b.call("campaign.create", R"({"name":"x","firmware_id":")" + h.firmware_id + R"(","target_criteria":"modle==TX"})");
    CHECK(bad.status == 400);
    CHECK(member(bad.json, "code") == "campaign.bad_criteria");
    CHECK(member(bad.json, "detail").find("at character 1, before \"modle==TX\"") != std::string::npos);
    CHECK(h.drift() == 0);
}

TEST_CASE("devices are listed by filter, page by page; a bare word is what the serial number begins with") {
    house h;
    for (int i = 0; i < 25; ++i) h.device("dev-" + std::to_string(100 + i), i % 2 ? "v1.0.2" : "v1.2.0");
    std::string after;
    int seen = 0, pages = 0;
    do {
        auto a = h.b.call("device.list", R"({"q":"fw=lt=1.1.0;id==dev-*","limit":5,"after":")" + after + "\"}");
        INFO(a.json);
        REQUIRE(a.status == 200);
        CHECK(member(a.json, "total") == "12");
        seen += static_cast<int>(boost::json::parse(a.json).at("devices").as_array().size()), ++pages;
        auto next = boost::json::parse(a.json).at("next");
        after = next.is_string() ? std::string{next.as_string().c_str()} : std::string{};
    } while (!after.empty());
    CHECK(seen == 12);
    CHECK(pages == 3);
    CHECK(member(h.b.call("device.list", R"({"q":"dev-11"})").json, "total") == "10");
    auto bad = h.b.call("device.list", R"({"q":"fw=lt=new"})");
    CHECK(bad.status == 400);
    CHECK(member(bad.json, "code") == "registry.bad_filter");
    CHECK(h.b.call("device.attributes", R"({"id":"dev-100","set":{"bad key":"x"}})").status == 400);
    auto a = h.b.call("device.attributes", R"({"id":"dev-100","set":{"site":"Oslo"},"remove":["gone"]})");
    CHECK(member(a.json, "attributes") == R"({"site":"Oslo"})");
    CHECK(h.b.dead_letters().empty());
}

TEST_CASE("a campaign that fails stops itself, bars the version for the model, and goes on when somebody has looked") {
    house h;
    h.upload();
    for (int i = 0; i < 12; ++i) h.device("d" + std::to_string(i));
    h.campaign(R"(,"phases":"none","max_in_flight":6)");
    // Six in a row: each fails in a way that is not tried again.
    int failed = 0;
    for (int i = 0; i < 12 && h.state() == "active/running"; ++i) {
        auto id = "d" + std::to_string(i);
        if (h.stage(id) != "sent") continue;
        h.status(id, "camp_789", "failed", R"(,"reason":"incompatible")");
        ++failed;
    }
    CHECK(failed == 6);
    CHECK(h.state() == "active/paused");
    CHECK(h.b.text("SELECT reason FROM campaigns") == "policy: too many failures: 6 of 6 finished devices");
    CHECK(h.b.value("SELECT count(*) FROM alerts WHERE kind = 'campaign_stopped'") == 1);
    CHECK(member(h.b.call("campaign.poisoned").json, "poisoned").find(R"("model":"TX-100","version":"v1.1.0")") != std::string::npos);
    // Those under way may hear their command again; nobody new gets one.
    auto const given = "SELECT count(*) FROM campaign_devices WHERE command_id <> ''";
    auto const commands = h.b.value(given);
    h.b.advance(60'000);
    CHECK(h.b.value(given) == commands);
    auto another = R"({"campaign_id":"other","name":"x","phases":"none","firmware_id":")" + h.firmware_id + "\"}";
    REQUIRE(h.b.call("campaign.create", another).status == 201);
    auto refused = h.b.call("campaign.start", R"({"id":"other"})");
    CHECK(refused.status == 409);
    CHECK(member(refused.json, "code") == "campaign.poisoned");
    SUBCASE("resumed: counted anew") {
        CHECK(h.b.call("campaign.resume", R"({"id":"camp_789"})").status == 200);
        h.b.advance(0);
        CHECK(h.b.metric("airmail_campaign_commands_total") > commands);
        CHECK(h.b.call("campaign.start", R"({"id":"other"})").status == 200);
    }
    SUBCASE("lifted for the other campaign") {
        CHECK(h.b.call("campaign.unpoison", R"({"model":"TX-100","version":"v1.1.0"})").status == 200);
        CHECK(h.b.call("campaign.unpoison", R"({"model":"TX-100","version":"v1.1.0"})").status == 404);
        CHECK(h.b.call("campaign.start", R"({"id":"other"})").status == 200);
    }
    CHECK(h.drift() == 0);
    CHECK(h.b.dead_letters().empty());
}

TEST_CASE("explain names the first condition that is not met, and what would change it") {
    house h;
    h.upload();
    h.device("d1"), h.device("new", "v1.2.0"), h.device("off");
    h.b.session_gone("off");
    h.b.call("device.tag", R"({"id":"d1","add":["lab"]})"), h.b.call("device.tag", R"({"id":"off","add":["lab"]})");
    REQUIRE(h.b.call("campaign.create", R"({"campaign_id":"c","name":"x","phases":"none","max_in_flight":1,"target_criteria":"tag==lab","firmware_id":")" + h.firmware_id + "\"}").status == 201);
    h.device("late");
    auto ask = [&](char const* device, char const* what = "condition") {
        auto a = h.b.call("campaign.explain", std::string{R"({"id":"c","device":")"} + device + "\"}");
        INFO(a.json);
        REQUIRE(a.status == 200);
        return member(a.json, what);
    };
    CHECK(ask("d1") == "campaign");
    CHECK(ask("d1", "change") == "campaign start");
    CHECK(ask("new", "why") == "Not in the target: its version is newer (TX-100, v1.2.0).");
    CHECK(ask("late", "why") == "Not in the target: the filter tag==lab does not hold.");
    h.b.call("device.tag", R"({"id":"late","add":["lab"]})");
    CHECK(ask("late", "why").find("takes no late joiners") != std::string::npos);
    REQUIRE(h.b.call("campaign.start", R"({"id":"c"})").status == 200);
    h.b.advance(3'600'000 * 3);
    CHECK(ask("off") == "offline");
    CHECK(ask("off", "why").find("offline for 3 h") != std::string::npos);
    CHECK(h.b.call("campaign.explain", R"({"id":"c","device":"nobody"})").status == 404);
    h.b.call("campaign.pause", R"({"id":"c","reason":"lunch"})");
    CHECK(ask("off", "why") == "The campaign is paused: lunch.");
}
