#include "tests/unit/plugins/fleet.hpp"

using namespace fleet;

// What people decide about a campaign: who approves it, when it may begin, what goes first, and how it is taken back.

namespace {

sdk::testing::caller as(char const* name) { return {.name = name, .role = "operator"}; }

}

TEST_CASE("with ota_approval a campaign starts only after somebody else has said yes") {
    house h(opts{{"ota_approval", "true"}});
    h.upload();
    h.device("d1");
    auto made = h.b.call("campaign.create", R"({"campaign_id":"c","name":"x","phases":"none","start":true,"firmware_id":")" + h.firmware_id + "\"}", as("ann"));
    REQUIRE(made.status == 201);
    CHECK(member(made.json, "stage") == "awaiting_approval");
    CHECK(h.commands("d1").empty());
    auto early = h.b.call("campaign.start", R"({"id":"c"})", as("bob"));
    CHECK(early.status == 409);
    CHECK(member(early.json, "code") == "campaign.not_approved");
    auto self = h.b.call("campaign.approve", R"({"id":"c"})", as("ann"));
    CHECK(self.status == 403);
    CHECK(member(self.json, "code") == "campaign.same_person");
    CHECK(member(h.b.call("campaign.explain", R"({"id":"c","device":"d1"})").json, "change") == "campaign approve");
    SUBCASE("yes") {
        auto yes = h.b.call("campaign.approve", R"({"id":"c"})", as("bob"));
        CHECK(yes.status == 200);
        CHECK(member(yes.json, "approved_by") == "bob");
        CHECK(h.b.call("campaign.start", R"({"id":"c"})", as("ann")).status == 200);
        h.b.advance(0);
        CHECK(h.commands("d1").size() == 1);
    }
    SUBCASE("no") {
        CHECK(h.b.call("campaign.deny", R"({"id":"c","reason":"friday"})", as("bob")).status == 200);
        CHECK(h.state("c") == "cancelled/denied");
        CHECK(h.b.call("campaign.start", R"({"id":"c"})", as("ann")).status == 409);
        CHECK(h.row("d1", "reason", "c") == "cancelled");
    }
    CHECK(h.drift("c") == 0);
}

TEST_CASE("an update begins in the device's own maintenance window, and what has begun goes on") {
    house h;
    h.upload();
    h.device("utc"), h.device("east");
    h.b.call("device.attributes", R"({"id":"east","set":{"utc_offset":"+02:00"}})");
    // A window that opens an hour from now by UTC; in the east it is open since an hour.
    auto minutes = h.b.wall() / 60'000 % 1440;
    auto clock = [&](std::int64_t m) {
        m = (m % 1440 + 1440) % 1440;
        auto two = [](std::int64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
        return two(m / 60) + ":" + two(m % 60);
    };
    auto windows = R"(,"phases":"none","windows":[{"from":")" + clock(minutes + 60) + R"(","to":")" + clock(minutes + 180) + R"("}])";
    h.campaign(windows);
    CHECK(h.commands("east").size() == 1);
    CHECK(h.commands("utc").empty());
    auto why = h.b.call("campaign.explain", R"({"id":"camp_789","device":"utc"})").json;
    CHECK(member(why, "condition") == "window");
    h.b.advance(61 * 60'000);
    CHECK_FALSE(h.commands("utc").empty());
    CHECK(h.b.call("campaign.create", R"({"name":"x","windows":[{"from":"2"}],"firmware_id":")" + h.firmware_id + "\"}").status == 400);
    CHECK(h.b.call("campaign.create", R"({"name":"x","zone":"Mars/Olympus","firmware_id":")" + h.firmware_id + "\"}").status == 400);
    CHECK(h.drift() == 0);
}

TEST_CASE("the larger priority goes first") {
    house h;
    h.upload();
    for (auto id : {"low", "high"})
        REQUIRE(h.b.call("campaign.create", std::string{R"({"campaign_id":")"} + id + R"(","name":"x","phases":"none","dynamic":true,"start":true,"priority":)" +
                                                (id[0] == 'h' ? "900" : "100") + R"(,"firmware_id":")" + h.firmware_id + "\"}").status == 201);
    h.device("d1");
    h.b.advance(0);
    REQUIRE(h.commands("d1").size() == 1);
    CHECK(member(h.commands("d1")[0].payload, "campaign_id") == "high");
    CHECK(h.row("d1", "stage", "low") == "waiting");
}

TEST_CASE("bytes are tokens: images are asked for no faster than the rate") {
    house h;
    h.upload();
    for (int i = 0; i < 6; ++i) h.device("d" + std::to_string(i));
    auto size = h.b.value("SELECT size_bytes FROM firmware");
    h.campaign(R"(,"phases":"none","rate_bytes_s":)" + std::to_string(size));      // an image a second
    auto sent = [&] { return static_cast<int>(h.b.metric("airmail_campaign_commands_total")); };
    CHECK(sent() == 1);
    for (int s = 1; s <= 3; ++s) {
        h.b.advance(2'000);
        CHECK(sent() <= 1 + 2 * s);
        CHECK(sent() >= 1 + s);
    }
    h.b.advance(10'000);
    CHECK(sent() == 6);
}

TEST_CASE("revert builds the opposite campaign for the devices that took the image, or says why not") {
    house h;
    h.upload("v1.1.0");
    h.device("d1"), h.device("d2");
    h.b.call("campaign.create", R"({"campaign_id":"c","name":"spring","phases":"none","target_criteria":{"devices":["d1"]},"start":true,"firmware_id":")" + h.firmware_id + "\"}");
    CHECK(member(h.b.call("campaign.revert", R"({"id":"c"})").json, "code") == "campaign.nothing_to_revert");
    h.updates("d1", "c");
    h.b.advance(600'000), h.heartbeat("d1", "v1.1.0"), h.b.advance(600'000), h.heartbeat("d1", "v1.1.0");
    REQUIRE(h.row("d1", "status", "c") == "completed");
    auto gone = h.b.call("campaign.revert", R"({"id":"c"})");
    CHECK(gone.status == 409);
    CHECK(member(gone.json, "detail") == "there is no image v1.0.2 for TX-100: upload it");
    h.upload("v1.0.2");                          // the same counter, so it is allowed
    SUBCASE("a device that has taken a higher counter is not sent back") {
        h.heartbeat("d1", "v1.1.0", R"(,"counter":9)");
        h.b.rows("UPDATE devices SET security_counter = 9 WHERE serial_no = 'd1'");
        auto no = h.b.call("campaign.revert", R"({"id":"c"})");
        CHECK(no.status == 409);
        CHECK(member(no.json, "detail") == "the security counter of v1.0.2 is 3, and these devices have taken 9: they would refuse it");
    }
    SUBCASE("made, started, and the first campaign is not blamed for it") {
        auto made = h.b.call("campaign.revert", R"({"id":"c"})");
        INFO(made.json);
        REQUIRE(made.status == 201);
        auto list = boost::json::parse(made.json).at("campaigns").as_array();
        REQUIRE(list.size() == 1);
        std::string id = list[0].at("campaign_id").as_string().c_str();
        CHECK(list[0].at("reverts") == "c");
        CHECK(list[0].at("counters").at("total") == 1);
        h.b.take_published();
        CHECK(h.b.call("campaign.start", R"({"id":")" + id + "\"}").status == 200);
        h.b.advance(0);
        REQUIRE(h.commands("d1").size() == 1);
        CHECK(member(h.commands("d1")[0].payload, "version") == "v1.0.2");
        h.updates("d1", id, "v1.0.2");
        h.b.advance(600'000), h.heartbeat("d1", "v1.0.2"), h.b.advance(600'000), h.heartbeat("d1", "v1.0.2");
        CHECK(h.row("d1", "status", id.c_str()) == "completed");
        CHECK(h.row("d1", "status", "c") == "completed");
        CHECK(h.commands("d2").empty());
    }
    CHECK(h.b.dead_letters().empty());
}
