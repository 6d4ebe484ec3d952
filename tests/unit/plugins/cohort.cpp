// The comparison of updated devices with the others, on the pretend broker: what is counted, shown, gated.

#include "fleet.hpp"
#include "plugins/cohort/plugin.hpp"

#include <filesystem>

using namespace fleet;

namespace {

struct cohort_house : ground {
    sdk::testing::bench<plugins::registry_plugin, plugins::firmware_plugin, plugins::campaign_plugin, plugins::heartbeat_plugin, plugins::status_plugin, plugins::alert_plugin, plugins::cohort_plugin> b;
    std::string firmware_id;
    int devices;

    /// A campaign of two phases: half of the devices are updated, the others wait.
    explicit cohort_house(int n, std::string const& study) : b(options({{"ota_probation", "0"}})), devices(n) {
        std::ofstream{at("raw")} << "image" << std::string(1000, 'x');
        fw::release_manifest m;
        m.model = {"TX-100"}, m.version = "v1.1.0", m.created = 1'700'000'000;
        std::vector<fw::private_key> keys{release};
        REQUIRE(fw::sign_release_file(at("raw"), at("signed"), m, keys).has_value());
        auto const up = b.http({.verb = "POST", .path = "/api/v1/firmware", .body_file = at("signed"), .body_sha256 = fw::to_hex(*fw::hash_file(at("signed"))), .body_size = std::filesystem::file_size(at("signed"))});
        REQUIRE(up.status == 201);
        firmware_id = member(up.body, "firmware_id");
        for (int i = 0; i < n; ++i) hello(name(i), "v1.0.0");
        auto const made = b.call("campaign.create", R"({"campaign_id":"c","name":"n","firmware_id":")" + firmware_id + R"(","phases":[{"percent":50,"soak_s":36000},{"percent":100}],"start":true})");
        REQUIRE_MESSAGE(made.status == 201, made.json);
        b.advance(0);
        if (!study.empty()) compare(study);
    }
    void compare(std::string const& study) {
        auto const set = b.call("cohort.set", R"({"id":"c",)" + study + "}");
        REQUIRE_MESSAGE(set.status == 201, set.json);
    }
    static std::string name(int i) { return "d" + std::to_string(i); }
    void hello(std::string const& id, std::string const& version, std::string const& more = {}) {
        b.session_ready(id);
        beat(id, version, more);
    }
    void beat(std::string const& id, std::string const& version, std::string const& more = {}) {
        b.message({.topic = "devices/" + id + "/heartbeat", .payload = R"({"serial_no":")" + id + R"(","model":"TX-100","current_firmware":")" + version + R"(","timestamp":1)" + more + "}", .identity = id});
    }
    bool updated(std::string const& id) { return b.text("SELECT stage FROM campaign_devices WHERE serial_no = ?", {id}) == "confirmed"; }
    /// Everyone who has a command and is not yet updated.
    void update_all() {
        for (int i = 0; i < devices; ++i) {
            auto const id = name(i);
            if (updated(id) || b.published_to("devices/" + id + "/command").empty()) continue;
            b.message({.topic = "devices/" + id + "/status", .payload = R"({"campaign_id":"c","status":"installing"})", .identity = id});
            b.session_gone(id);
            hello(id, "v1.1.0");
        }
        b.advance(1000);                       // pairs are drawn
    }
    boost::json::object shown() { return boost::json::parse(b.call("cohort.get", R"({"id":"c"})").json).as_object(); }
    std::int64_t count(char const* measure, char const* what) {
        auto const all = shown();
        for (auto const& m : all.at("measures").as_array())
            if (m.at("measure") == measure) return m.at(what).to_number<std::int64_t>();
        return -1;
    }
};

}

TEST_CASE("updated devices that reconnect more are shown, the campaign pauses at its gate, and an alert says why") {
    cohort_house h(80, R"("window":"60s","gate":true)");
    h.update_all();
    CHECK(h.b.metric("airmail_cohort_watched_devices") > 40);
    for (int round = 0; round < 3; ++round)
        for (int i = 0; i < h.devices; ++i)
            if (h.updated(h.name(i))) h.b.session_gone(h.name(i)), h.b.session_ready(h.name(i));
    h.b.advance(62'000);
    CHECK(h.count("reconnects", "worse") > 20);
    CHECK(h.count("reconnects", "better") == 0);
    CHECK(h.shown().at("alarm") == "reconnects");
    CHECK(h.b.text("SELECT stage || '/' || reason FROM campaigns") == "paused/cohort reconnects");
    CHECK(h.b.value("SELECT count(*) FROM alerts WHERE kind = 'cohort' AND severity = 'critical'") == 1);
    CHECK(h.b.metric("airmail_cohort_alarms_total") == 1);
    auto const whole = boost::json::parse(h.b.call("campaign.get", R"({"id":"c"})").json).as_object();
    CHECK(whole.at("cohort").at("alarm") == "reconnects");
}

TEST_CASE("reconnects on both sides, errors and numbers alike: nothing is shown, and nobody is watched twice") {
    cohort_house h(60, R"("window":"60s","gate":true,"fields":{"battery":"lower"})");
    h.update_all();
    for (int i = 0; i < h.devices; ++i) {
        h.b.session_gone(h.name(i)), h.b.session_ready(h.name(i));
        h.beat(h.name(i), h.updated(h.name(i)) ? "v1.1.0" : "v1.0.0", R"(,"battery":3.7)");
    }
    h.b.advance(62'000);
    CHECK(h.shown().at("alarm") == "");
    CHECK(h.count("reconnects", "same") > 15);
    CHECK(h.count("field:battery", "same") > 15);
    CHECK(h.b.text("SELECT stage FROM campaigns") == "running");
    auto const once = h.count("reconnects", "pairs");
    h.b.advance(120'000);
    CHECK(h.count("reconnects", "pairs") == once);
}

TEST_CASE("a number in the heartbeat that falls, or errors that the new version sends, are each found; without the gate it only tells") {
    bool battery = false;
    SUBCASE("a number") { battery = true; }
    SUBCASE("errors") {}
    cohort_house h(80, R"("window":"60s","alpha":"0.05","fields":{"battery":"lower"})");
    h.update_all();
    for (int i = 0; i < h.devices; ++i) {
        auto const id = h.name(i);
        bool const now = h.updated(id);
        h.beat(id, now ? "v1.1.0" : "v1.0.0", battery && now ? R"(,"battery":3.1)" : R"(,"battery":3.7)");
        if (!battery && now) h.b.message({.topic = "devices/" + id + "/error/sensor", .payload = "{}", .identity = id, .qos = 0});
    }
    h.b.advance(62'000);
    CHECK(h.shown().at("alarm") == (battery ? "field:battery" : "errors"));
    CHECK(h.b.text("SELECT stage FROM campaigns") == "running");
}

TEST_CASE("devices that were updated before the comparison was asked for take part; each event of the campaign is read once") {
    cohort_house h(40, "");
    h.update_all();
    h.compare(R"("window":"60s")");
    h.b.advance(1000);
    CHECK(h.b.metric("airmail_cohort_watched_devices") > 20);
    h.b.advance(62'000);
    auto const pairs = h.count("reconnects", "pairs");
    CHECK(pairs > 10);
    // Those for whom no other is left wait no longer than they must; then nothing lies behind.
    h.b.advance(700'000);
    CHECK(h.b.value("SELECT s.seen = c.seq FROM cohort_studies s JOIN campaigns c USING(campaign_id)") == 1);
    CHECK(h.count("reconnects", "pairs") == pairs);
    h.b.restart();
    h.b.advance(70'000);
    CHECK(h.count("reconnects", "pairs") == pairs);
}

TEST_CASE("an updated device that is offline is not compared, and is when it comes back, also after a restart") {
    cohort_house h(40, "");
    h.update_all();
    std::vector<std::string> away;
    for (int i = 0; i < h.devices; ++i)
        if (h.updated(h.name(i))) {
            away.push_back(h.name(i));
            auto const connection = h.b.session_ready(away.back());
            h.b.session_gone(away.back(), sdk::session_change::gone_clean, {}, connection);
        }
    REQUIRE(away.size() > 10);
    h.compare(R"("window":"60s")");
    h.b.advance(5000);
    CHECK(h.b.value("SELECT count(*) FROM cohort_devices") == 0);
    bool again = false;
    SUBCASE("the same process") {}
    SUBCASE("after a restart") { again = true; }
    if (again) {
        h.b.restart();
        for (int i = 0; i < h.devices; ++i)
            if (!h.updated(h.name(i))) h.hello(h.name(i), "v1.0.0");
    }
    for (auto const& id : away) h.hello(id, "v1.1.0");
    h.b.advance(3000);
    CHECK(h.b.value("SELECT count(*) FROM cohort_devices") == 2 * static_cast<std::int64_t>(std::min(away.size(), h.devices - away.size())));
}

TEST_CASE("a study is kept over a restart; it cannot be begun again, nor with nonsense") {
    cohort_house h(20, R"("window":"60s")");
    CHECK(h.b.call("cohort.set", R"({"id":"c"})").status == 409);
    CHECK(h.b.call("cohort.set", R"({"id":"none"})").status == 404);
    h.update_all();
    h.b.restart();
    CHECK(h.shown().at("window_s") == 60);
    for (auto const* bad : {R"({"id":"x","window":"0"})"}) CHECK(h.b.call("cohort.set", bad).status >= 400);
}
