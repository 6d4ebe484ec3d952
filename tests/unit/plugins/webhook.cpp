// Alerts leave in the words of whoever listens: a server on loopback hears exactly what is sent.

#include "fleet.hpp"
#include "storage/firmware/files.hpp"
#include "tests/support/http_script.hpp"
#include "tests/support/program.hpp"

using namespace fleet;
namespace json = boost::json;

namespace {

struct receiver {
    testing::temp_dir dir;
    std::atomic<int> refusals{0};
    testing::http_script server{[this](auto const&) { return testing::said{refusals-- > 0 ? 503 : 200}; }};
    opts options(std::string format, std::string key = {}) {
        opts o{{"ota_alert_webhook", server.address() + "/hook?x=1"}, {"ota_alert_webhook_format", format}, {"ota_alert_webhook_inside", "true"}};
        if (key.empty()) return o;
        (void)fw::write_new_file(dir / "key", key + "\n", 0600);
        o["ota_alert_webhook_key"] = dir / "key";
        return o;
    }
};

void raise(house& h, std::string const& text = "3 of 20 <devices> & more failed") {
    auto const a = h.b.call("alert.raise", R"({"severity":"critical","kind":"failure_rate","campaign_id":"camp-1","serial_no":"dev-1","text":)" + json::serialize(json::string(text)) + "}", {.role = "admin"});
    REQUIRE(a.status == 200);
}

/// Timers run on the bench's clock, the post on a thread of its own.
std::vector<testing::heard> posts(house& h, receiver& r, std::size_t n) {
    testing::eventually([&] { return h.b.advance(200), r.server.requests().size() >= n && h.b.value("SELECT count(*) FROM alert_webhook") == 0; }, std::chrono::seconds(10));
    return r.server.requests();
}

}

TEST_CASE("webhook, our own words: raised and acknowledged, each signed with its time") {
    receiver r;
    house h(r.options("airmail", "secret-of-the-hook"));
    raise(h);
    auto all = posts(h, r, 1);
    REQUIRE(all.size() == 1);
    CHECK(all[0].verb == "POST");
    CHECK(all[0].target == "/hook?x=1");
    auto o = json::parse(all[0].body).as_object();
    CHECK(o.at("action") == "raised");
    CHECK(o.at("campaign_id") == "camp-1");
    CHECK(o.at("text") == "3 of 20 <devices> & more failed");
    auto const signature = all[0].header("x-airmail-signature");
    CHECK(signature == plugins::alert::webhook_signature("secret-of-the-hook", std::stoll(signature.substr(2)), all[0].body));
    CHECK(h.b.call("alert.ack", R"({"id":1})", {.name = "ana", .role = "operator"}).status == 200);
    all = posts(h, r, 2);
    REQUIRE(all.size() == 2);
    CHECK(json::parse(all[1].body).at("action") == "acknowledged");
    CHECK(h.b.metric("airmail_alert_webhook_sent_total") == 2);
}

TEST_CASE("webhook, Slack: text and blocks, and what a device wrote is no markup") {
    receiver r;
    house h(r.options("slack"));
    raise(h);
    auto const all = posts(h, r, 1);
    REQUIRE(all.size() == 1);
    auto const o = json::parse(all[0].body).as_object();
    CHECK(o.at("text") == "critical: 3 of 20 &lt;devices&gt; &amp; more failed");
    auto const& blocks = o.at("blocks").as_array();
    CHECK(blocks.at(0).at("type") == "section");
    CHECK(blocks.at(0).at("text").at("type") == "mrkdwn");
    CHECK(std::string(blocks.at(0).at("text").at("text").as_string()).starts_with("*critical* 3 of 20 &lt;devices"));
    CHECK(blocks.at(1).at("type") == "context");
    CHECK(std::string(blocks.at(1).at("elements").at(0).at("text").as_string()).find("campaign camp-1") != std::string::npos);
}

TEST_CASE("webhook, PagerDuty Events v2: trigger, then acknowledge under the same key") {
    receiver r;
    house h(r.options("pagerduty", "R0UT1NGKEY"));
    raise(h);
    (void)posts(h, r, 1);
    CHECK(h.b.call("alert.ack", R"({"id":1})", {.name = "ana", .role = "operator"}).status == 200);
    auto const all = posts(h, r, 2);
    REQUIRE(all.size() == 2);
    auto const trigger = json::parse(all[0].body).as_object(), ack = json::parse(all[1].body).as_object();
    CHECK(trigger.at("routing_key") == "R0UT1NGKEY");
    CHECK(trigger.at("event_action") == "trigger");
    auto const& p = trigger.at("payload").as_object();
    CHECK(p.at("severity") == "critical");
    CHECK(p.at("summary") == "3 of 20 <devices> & more failed");
    CHECK(p.at("class") == "failure_rate");
    CHECK(p.at("source").as_string().size() > 0);
    CHECK(std::string(p.at("timestamp").as_string()).ends_with("Z"));
    CHECK(p.at("custom_details").at("serial_no") == "dev-1");
    CHECK(ack.at("event_action") == "acknowledge");
    CHECK(ack.at("dedup_key") == trigger.at("dedup_key"));
    CHECK(!h.b.logged("R0UT1NGKEY"));
}

TEST_CASE("webhook, Alertmanager: an array of labels and times; acknowledged means it has ended") {
    receiver r;
    house h(r.options("alertmanager"));
    raise(h);
    (void)posts(h, r, 1);
    CHECK(h.b.call("alert.ack", R"({"id":1})", {.name = "ana", .role = "operator"}).status == 200);
    auto const all = posts(h, r, 2);
    REQUIRE(all.size() == 2);
    auto const one = json::parse(all[0].body).as_array().at(0).as_object(), two = json::parse(all[1].body).as_array().at(0).as_object();
    CHECK(one.at("labels").at("alertname") == "Airmailfailure_rate");
    CHECK(one.at("labels").at("severity") == "critical");
    CHECK(one.at("annotations").at("summary") == "3 of 20 <devices> & more failed");
    CHECK(!one.contains("endsAt"));
    CHECK(two.at("labels") == one.at("labels"));
    CHECK(two.contains("endsAt"));
}

TEST_CASE("webhook: one that is down gets the alert later; an address inside is refused unless allowed") {
    receiver r;
    r.refusals = 1;
    house h(r.options("airmail"));
    raise(h);
    REQUIRE(testing::eventually([&] { return h.b.advance(200), h.b.metric("airmail_alert_webhook_failures_total") == 1; }, std::chrono::seconds(10)));
    CHECK(h.b.logged("the receiver answers 503"));
    CHECK(h.b.value("SELECT count(*) FROM alert_webhook") == 1);
    CHECK(posts(h, r, 2).size() == 2);

    testing::temp_dir dir;
    (void)fw::write_new_file(dir / "url", "https://127.0.0.1:1/x\n", 0600);
    opts hidden, plain;
    hidden["ota_alert_webhook"] = "file:" + (dir / "url"), plain["ota_alert_webhook"] = "http://hooks.example/x";
    house shut(hidden);
    raise(shut);
    CHECK(testing::eventually([&] { return shut.b.advance(200), shut.b.logged("is an address inside of this network: refused"); }, std::chrono::seconds(10)));
    CHECK_THROWS_WITH_AS(house{plain}, doctest::Contains("must be https://"), sdk::error);
}
