#include "tests/unit/plugins/fleet.hpp"

#include <cstdlib>
#include <map>
#include <random>

using namespace fleet;

// The shipped plugins under streams that make no sense: events lost, doubled, from yesterday, across crashes. Whatever comes, the counters
// are the rows, no device has two updates under way, and a row that is over comes back only as a new attempt.
namespace {

struct chaos {
    house h;
    std::mt19937 rng;
    std::vector<std::string> devices, campaigns{"c1", "c2"}, ids{"0000"};
    std::map<std::string, std::pair<std::int64_t, bool>> seen;      // row -> attempt, over

    explicit chaos(unsigned seed) : h(opts{{"ota_probation", "2s"}, {"ota_max_in_flight", "3"}, {"ota_phase_soak", "1s"}}), rng(seed) {
        h.upload();
        for (int i = 0; i < 6; ++i) h.device(devices.emplace_back("d" + std::to_string(i)));
        for (auto const& c : campaigns)
            REQUIRE(h.b.call("campaign.create", R"({"campaign_id":")" + c + R"(","name":"x","auto_stop":false,"dynamic":true,"phases":[50,100],"firmware_id":")" + h.firmware_id + "\"}").status == 201);
        h.b.call("campaign.start", R"({"id":"c1"})");
    }
    template <class T>
    T const& any(std::vector<T> const& of) { return of[rng() % of.size()]; }
    void operate() {
        static std::vector<std::string> const verbs{"start", "pause", "resume", "advance", "retry", "resume", "resume", "start"};
        auto verb = rng() % 60 == 0 ? std::string{"cancel"} : any(verbs);
        h.b.call("campaign." + verb, R"({"id":")" + any(campaigns) + R"(","device":")" + any(devices) + "\"}");
    }
    void one() {
        auto const& d = any(devices);
        for (auto const& s : h.b.take_published())
            if (s.topic.find("/command") != std::string::npos && s.payload.find("ota_update") != std::string::npos) ids.push_back(member(s.payload, "command_id"));
        static std::vector<std::string> const words{"accepted", "downloading", "downloaded", "verifying", "installing", "rebooting", "completed", "failed", "rollback", "cancelled", "too_late", "rejected"};
        switch (rng() % 12) {
        case 0: h.b.session_ready(d); break;
        case 1: h.b.session_gone(d); break;
        case 2: h.heartbeat(d, "v1.0.2", rng() % 2 ? R"(,"boot_id":"b)" + std::to_string(rng() % 3) + "\"" : ""); break;
        case 3: h.heartbeat(d, "v1.1.0"); break;
        case 4: operate(); break;
        case 5: h.b.advance(rng() % 3 ? rng() % 5'000 : rng() % 700'000); break;
        case 6: if (rng() % 8 == 0) rng() % 2 ? h.b.restart() : h.b.crash(); break;
        case 7: h.b.delivered<airmail::plugins::campaign_plugin>(d, "devices/" + d + "/command", any(ids)); break;
        default:
            for (auto n = 1 + rng() % 2; n > 0; --n)
                h.status(d, any(campaigns), any(words), (rng() % 2 ? R"(,"command_id":")" + any(ids) + "\"" : "") + R"(,"progress":)" + std::to_string(rng() % 100) +
                                                            (rng() % 4 ? "" : R"(,"reason":"checksum_mismatch")"));
        }
    }
    void check() {
        for (auto const& c : campaigns) REQUIRE(h.drift(c) == 0);
        REQUIRE(h.b.value("SELECT count(*) FROM (SELECT 1 FROM campaign_devices WHERE rank BETWEEN 2 AND 50 GROUP BY serial_no HAVING count(*) > 1)") == 0);
        REQUIRE(h.b.value("SELECT count(*) FROM campaign_devices c JOIN campaigns k USING(campaign_id) WHERE k.status = 'pending' AND c.rank BETWEEN 2 AND 50") == 0);
        for (auto const& r : h.b.rows("SELECT campaign_id || serial_no, attempt, live, status FROM campaign_devices")) {
            auto key = std::get<std::string>(r[0]);
            auto attempt = std::get<std::int64_t>(r[1]);
            bool over = std::get<std::int64_t>(r[2]) == 0;
            if (auto at = seen.find(key); at != seen.end()) {
                REQUIRE(attempt >= at->second.first);
                if (at->second.second && std::get<std::string>(r[3]) == "pending") REQUIRE(attempt > at->second.first);
            }
            seen[key] = {attempt, over};
        }
        CHECK(h.b.dead_letters().empty());
        if (!h.b.dead_letters().empty()) FAIL(h.b.dead_letters()[0].why);
    }
};

}

TEST_CASE("streams that make no sense leave the counters right and one update per device") {
    bool more = std::getenv("AIRMAIL_LONG");
    for (unsigned seed = 1; seed <= (more ? 100u : 6u); ++seed) {
        CAPTURE(seed);
        chaos x(seed);
        for (int i = 0; i < (more ? 1'000 : 400); ++i) {
            CAPTURE(i);
            x.one();
            if (i % 10 == 9) x.check();
        }
    }
}
