#include "broker/admin/routes.hpp"

#include <doctest/doctest.h>

using namespace airmail::admin;

namespace {

struct fixed_backend : backend {
    route_match answer;
    std::string trouble;
    route_match match(std::string_view, std::string_view) override { return answer; }
    void serve(route_match const&, request, responder) override {}
    void authenticate(std::string, std::function<void(std::optional<caller>)>) override {}
    std::unique_ptr<upload> begin_upload(route_match const&, request const&, response&) override { return nullptr; }
    std::string metrics() override { return "airmail_up 1\n"; }
    std::string not_ready() override { return trouble; }
};

request from(door d, std::string role = {}) {
    request r;
    r.from = d;
    r.verb = "GET";
    r.path = "/api/v1/campaigns";
    r.role = std::move(role);
    return r;
}

route_match method_for(std::string role) {
    route_match m;
    m.what = route_match::kind::method;
    m.role = std::move(role);
    return m;
}

}

TEST_CASE("the public door serves only routes that guard themselves, and tells nothing about the others") {
    fixed_backend b;
    b.answer = method_for("viewer");
    CHECK(decide(b, from(door::public_https, "admin")).refusal.status == 404);
    b.answer.what = route_match::kind::none;
    CHECK(decide(b, from(door::public_https)).refusal.status == 404);
    b.answer.what = route_match::kind::plugin_route;
    b.answer.role.clear();
    CHECK_FALSE(decide(b, from(door::public_https)).refuse);
}

TEST_CASE("a path that needs a role is refused 401 without a key and 403 with a lesser one") {
    fixed_backend b;
    b.answer = method_for("operator");
    auto r = from(door::admin_https);
    auto p = decide(b, r);
    CHECK(p.needs_login);
    CHECK(admit(p, r).refusal.status == 401);
    r.role = "viewer";
    CHECK(admit(p, r).refusal.status == 403);
    r.role = "operator";
    CHECK_FALSE(admit(p, r).refuse);
    r.role = "admin";
    CHECK_FALSE(admit(p, r).refuse);
    r.role = "device";
    CHECK(admit(p, r).refusal.status == 403);
}

TEST_CASE("a known path with another verb is 405 and names the verbs that work") {
    fixed_backend b;
    b.answer.what = route_match::kind::wrong_verb;
    b.answer.verbs = "GET, POST";
    auto p = decide(b, from(door::control, "admin"));
    CHECK(p.refusal.status == 405);
    CHECK(p.refusal.headers == "Allow: GET, POST\r\n");
}

TEST_CASE("readiness says why not") {
    fixed_backend b;
    request r = from(door::metrics);
    r.path = "/readyz";
    CHECK(health(b, r).status == 200);
    b.trouble = "store: disk full\n";
    CHECK(health(b, r).status == 503);
    CHECK(health(b, r).body == "store: disk full\n");
    r.path = "/healthz";
    CHECK(health(b, r).status == 200);
    r.path = "/api/v1/campaigns";
    CHECK(health(b, r).status == 404);
}

TEST_CASE("a key with a scope calls the methods of that scope and no others") {
    fixed_backend b;
    b.answer = method_for("operator");
    b.answer.name = "campaign.start";
    auto r = from(door::admin_https, "admin");
    r.scope = "campaign.*";
    CHECK_FALSE(admit(decide(b, r), r).refuse);
    r.scope = "camp";
    CHECK(admit(decide(b, r), r).refusal.status == 403);
    r.scope = "device.*";
    CHECK(admit(decide(b, r), r).refusal.status == 403);
}
