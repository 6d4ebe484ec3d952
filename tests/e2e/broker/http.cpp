// The doors that are not MQTT: health, metrics, REST over HTTPS with keys, the control socket, the audit log.

#include "tests/e2e/broker/house.hpp"

#include <boost/json.hpp>

using namespace airmail::testing;
namespace json = boost::json;

namespace {

std::string https_lines() {
    auto const& f = fleet::get().ours;
    return "http_bind 127.0.0.1\nhttp_port {https}\nhttp_certfile " + f.server().certificate + "\nhttp_keyfile " + f.server().key + "\n";
}

broker_process& broker() {
    static broker_process one{fleet::get().device_listener() + https_lines()};
    if (!one.alive()) up(one);
    return one;
}

outcome rest(std::string const& token, std::string const& verb, std::string const& path, std::string const& body = {}) {
    std::vector<std::string> args{"--cacert", fleet::get().ours.ca_file(), "-X", verb, "https://localhost:" + std::to_string(broker().https_port()) + path};
    if (!token.empty()) args.insert(args.end(), {"-H", "Authorization: Bearer " + token});
    if (!body.empty()) args.insert(args.end(), {"-H", "content-type: application/json", "-d", body});
    return broker_process::curl(args);
}

struct key {
    std::string id, token;
};

key make_key(std::string const& role, std::string const& scope = {}) {
    auto const made = broker().control("POST", "/api/v1/keys", json::serialize(json::object{{"name", "e2e " + role}, {"role", role}, {"scope", scope}}));
    REQUIRE_MESSAGE(made.code == 201, made.text);
    auto const o = json::parse(made.text).as_object();
    return {std::string(o.at("key_id").as_string()), std::string(o.at("token").as_string())};
}

}

TEST_CASE("/healthz, /readyz, and /metrics that promtool accepts") {
    auto& d = broker();
    blocking_client c;
    connects(c, device_options(d, "sn-1"));
    c.publish({.topic = "devices/sn-1/heartbeat", .payload = R"({"serial_no":"sn-1","model":"TX-100","current_firmware":"v1.0.2","timestamp":1699878900})", .qos = 1});
    CHECK(d.get("/healthz").code == 200);
    CHECK(d.get("/readyz").code == 200);
    CHECK(d.get("/api/v1/devices").code == 404);
    auto const m = d.get("/metrics");
    CHECK(m.code == 200);
    CHECK(m.text.find("airmail_storage_commits_total") != m.text.npos);
    if (run({"sh", "-c", "command -v promtool"}).code != 0) {
        REQUIRE_MESSAGE(!std::getenv("CI"), "promtool is missing (tools/setup --test)");
        MESSAGE("skipped: promtool is not installed");
        return;
    }
    auto const checked = run({"sh", "-c", "curl -s http://127.0.0.1:" + std::to_string(d.metrics_port()) + "/metrics | promtool check metrics"});
    CHECK_MESSAGE(checked.code == 0, checked.text);
}

TEST_CASE("REST over HTTPS: a key's role and scope are enforced, and a revoked key is a stranger") {
    auto const viewer = make_key("viewer"), scoped = make_key("admin", "firmware.*"), admin = make_key("admin");
    CHECK(rest("", "GET", "/api/v1/devices").code == 401);
    CHECK(rest("am_nonsense", "GET", "/api/v1/devices").code == 401);
    CHECK(rest(viewer.token, "GET", "/api/v1/devices").code == 200);
    auto const no = rest(viewer.token, "POST", "/api/v1/devices", R"({"serial_no":"sn-9"})");
    CHECK(no.code == 403);
    CHECK(json::parse(no.text).at("code").as_string() == "http.forbidden");
    CHECK(rest(viewer.token, "GET", "/api/v1/keys").code == 403);
    CHECK(rest(scoped.token, "GET", "/api/v1/firmware").code == 200);
    auto const out = rest(scoped.token, "GET", "/api/v1/devices");
    CHECK(out.code == 403);
    CHECK(json::parse(out.text).at("code").as_string() == "http.out_of_scope");
    CHECK(rest(admin.token, "POST", "/api/v1/devices", R"({"serial_no":"sn-9","model":"TX-100"})").code == 201);
    CHECK(rest(admin.token, "GET", "/api/v1/devices/sn-9").code == 200);
    CHECK(rest(admin.token, "GET", "/api/v1/devices/sn-8").code == 404);

    CHECK(rest(admin.token, "DELETE", "/api/v1/keys/" + viewer.id).code == 200);
    CHECK(rest(viewer.token, "GET", "/api/v1/devices").code == 401);
    CHECK(rest(admin.token, "DELETE", "/api/v1/keys/" + viewer.id).code == 404);
    auto const list = rest(admin.token, "GET", "/api/v1/keys");
    CHECK(list.text.find(viewer.id) != list.text.npos);
    CHECK(list.text.find(admin.token) == list.text.npos);
}

TEST_CASE("every deed is in the audit log, and its chain verifies; a changed row is found") {
    auto& d = broker();
    auto const k = make_key("operator");
    CHECK(rest(k.token, "POST", "/api/v1/devices", R"({"serial_no":"audited"})").code == 201);
    auto const log = d.control("GET", "/api/v1/audit");
    CHECK(log.text.find("key.create") != log.text.npos);
    CHECK(log.text.find("device.add") != log.text.npos);
    auto verified = json::parse(d.control("GET", "/api/v1/audit/verify").text);
    CHECK(verified.at("intact").as_bool());
    CHECK(verified.at("rows").to_number<int>() > 0);
    auto const changed = run({"sqlite3", "-cmd", ".timeout 5000", d.dir() / "data/registry.db", "UPDATE audit_log SET actor='nobody' WHERE seq=1"});
    if (changed.code == 0) {  // a trigger may refuse it, which is as good
        verified = json::parse(d.control("GET", "/api/v1/audit/verify").text);
        CHECK_FALSE(verified.at("intact").as_bool());
        CHECK(verified.at("first_bad_seq").to_number<int>() == 1);
    }
}

TEST_CASE("a session can be seen, and cut by an operator") {
    auto& d = broker();
    blocking_client c;
    connects(c, device_options(d, "sn-cut"));
    auto const seen = d.control("GET", "/api/v1/sessions?identity=sn-cut");
    CHECK(seen.text.find("\"connected\":true") != seen.text.npos);
    CHECK(d.control("DELETE", "/api/v1/sessions/sn-cut").code == 200);
    auto const end = c.wait_closed();
    REQUIRE(end.has_value());
    CHECK(end->code == reason::administrative_action);
}
