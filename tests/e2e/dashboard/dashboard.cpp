// The dashboard's backend on a real airmaild: first admin, logins, roles, limits, and clients that nobody here wrote. Catalogue J.

#include "tests/e2e/broker/house.hpp"

#include <boost/json.hpp>
#include <filesystem>

using namespace airmail::testing;
namespace json = boost::json;

namespace {

constexpr char const* password = "correct horse battery";

std::string dashboard_lines() {
    auto const& f = fleet::get().ours;
    return fleet::get().device_listener() + "http_bind 127.0.0.1\nhttp_port {https}\nlimit_graphql_page 150\nlimit_jwt_life 10m\nhttp_certfile " + f.server().certificate + "\nhttp_keyfile " + f.server().key + "\n";
}

std::string url(broker_process& d) { return "https://localhost:" + std::to_string(d.https_port()); }

outcome web(broker_process& d, std::vector<std::string> more, std::string const& path) {
    std::vector<std::string> args{"--cacert", fleet::get().ours.ca_file()};
    args.insert(args.end(), more.begin(), more.end());
    args.push_back(url(d) + path);
    return broker_process::curl(args);
}

outcome post(broker_process& d, std::string const& path, json::object const& body, std::vector<std::string> more = {}) {
    more.insert(more.end(), {"-H", "content-type: application/json", "-d", json::serialize(body)});
    return web(d, std::move(more), path);
}

std::string member(outcome const& o, char const* key) {
    boost::system::error_code ec;
    auto v = json::parse(o.text, ec);
    auto const* m = !ec && v.is_object() ? v.get_object().if_contains(key) : nullptr;
    return m && m->is_string() ? std::string(m->get_string()) : std::string{};
}

/// Of the link in the log, which a thread of its own writes: whole once its line has ended.
std::string setup_token(broker_process& d) {
    std::string token;
    REQUIRE(eventually([&] {
        auto const log = d.said();
        auto const at = log.find("/setup?token=");
        auto const end = at == log.npos ? at : log.find('\n', at);
        if (end != log.npos) token = log.substr(at + 13, std::min<std::size_t>(64, end - at - 13));
        return !token.empty();
    }));
    return token;
}

/// A broker with its first admin, started once.
struct house {
    broker_process d{dashboard_lines()};
    std::string token;
    house() {
        up(d);
        auto made = post(d, "/api/v1/auth/setup", {{"token", setup_token(d)}, {"user", "ada"}, {"password", password}});
        REQUIRE_MESSAGE(made.code == 200, made.text);
        token = member(made, "access_token");
        CHECK(json::parse(made.text).at("expires_in").to_number<int>() == 600);      // limit_jwt_life 10m
    }
    static house& get() {
        static house one;
        return one;
    }
};

outcome gql(house& h, std::string const& query, std::string const& token, std::vector<std::string> more = {}) {
    more.insert(more.end(), {"-H", "authorization: Bearer " + token, "-H", "accept: application/graphql-response+json"});
    return post(h.d, "/graphql", {{"query", query}}, std::move(more));
}
std::string code_of_first(outcome const& o) {
    boost::system::error_code ec;
    auto v = json::parse(o.text, ec);
    return ec || !v.as_object().contains("errors") ? std::string{} : std::string(v.at("errors").at(0).at("extensions").at("code").as_string());
}

/// A user of that role; its access token.
std::string user(house& h, std::string const& name, std::string const& role) {
    h.d.control("POST", "/api/v1/users", json::serialize(json::object{{"name", name}, {"password", password}, {"role", role}}));
    auto in = post(h.d, "/api/v1/auth/login", {{"user", name}, {"password", password}});
    REQUIRE_MESSAGE(in.code == 200, in.text);
    return member(in, "access_token");
}

/// The npm packages of package.json, in the build folder; false with a message when there is no npm (in CI that is a failure).
bool clients_ready() {
    static int state = 0;
    if (state == 0) {
        std::filesystem::create_directories(CLIENTS_BUILT);
        auto const copy = std::filesystem::copy_options::overwrite_existing;
        for (auto const* f : {"package.json", "package-lock.json"}) std::filesystem::copy_file(std::string(CLIENTS) + "/" + f, std::string(CLIENTS_BUILT) + "/" + f, copy);
        for (auto const& f : std::filesystem::directory_iterator(std::string(CLIENTS) + "/clients")) std::filesystem::copy_file(f.path(), std::string(CLIENTS_BUILT) + "/" + f.path().filename().string(), copy);
        bool const there = std::filesystem::exists(std::string(CLIENTS_BUILT) + "/node_modules/@apollo/client");
        auto const o = there ? outcome{0, {}} : run({"sh", "-c", std::string("cd ") + CLIENTS_BUILT + " && npm ci --ignore-scripts --no-audit --no-fund"});
        state = o.code == 0 ? 1 : 2;
        if (state == 2) {
            REQUIRE_MESSAGE(!std::getenv("CI"), "npm ci failed: " << o.text);
            MESSAGE("skipped: npm or its registry is not there (" << o.text.substr(0, 200) << ")");
        }
    }
    return state == 1;
}

void node(house& h, std::string const& script, std::vector<std::string> environment = {}) {
    std::vector<std::string> args{"env", "URL=" + url(h.d), "TOKEN=" + h.token, "SCHEMA=" SCHEMA, "VERDICT=" VERDICT, "NODE_EXTRA_CA_CERTS=" + fleet::get().ours.ca_file()};
    args.insert(args.end(), environment.begin(), environment.end());
    args.insert(args.end(), {"node", std::string(CLIENTS_BUILT) + "/" + script});
    auto const o = run(args);
    CHECK_MESSAGE(o.code == 0, script << ": " << o.text);
    MESSAGE(script << ": " << o.text.substr(0, 400));
}

}

TEST_CASE("the first admin is made once, by the link that the broker prints; then the link is shut") {
    broker_process d{dashboard_lines()};
    up(d);
    auto const token = setup_token(d);
    REQUIRE(token.size() == 64);
    CHECK(post(d, "/api/v1/auth/setup", {{"token", std::string(64, '0')}, {"user", "eve"}, {"password", password}}).code == 403);
    CHECK(post(d, "/api/v1/auth/setup", {{"token", token}, {"user", "ada"}, {"password", "short"}}).code == 422);
    CHECK(post(d, "/api/v1/auth/setup", {{"token", token}, {"user", "ada"}, {"password", password}}).code == 200);
    auto const late = post(d, "/api/v1/auth/setup", {{"token", token}, {"user", "eve"}, {"password", password}});
    CHECK(late.code == 403);
    CHECK(member(late, "code") == "auth.setup_closed");
    d.stop();
    up(d);
    CHECK(post(d, "/api/v1/auth/login", {{"user", "ada"}, {"password", password}}).code == 200);
    d.stop();   // the log is whole
    CHECK(d.said().find("/setup?token=") == std::string::npos);
}

TEST_CASE("refresh rotates the cookie, and a cookie shown twice ends the login [J07]") {
    auto& h = house::get();
    auto const jar = h.d.dir() / "jar", copy = h.d.dir() / "copy";
    auto const in = post(h.d, "/api/v1/auth/login", {{"user", "ada"}, {"password", password}}, {"-c", jar, "-D", h.d.dir() / "headers"});
    REQUIRE(in.code == 200);
    auto const headers = run({"cat", h.d.dir() / "headers"}).text;
    for (auto flag : {"HttpOnly", "Secure", "SameSite=Strict", "Path=/api/v1/auth"}) CHECK_MESSAGE(headers.find(flag) != headers.npos, flag);
    std::filesystem::copy_file(jar, copy);
    CHECK(web(h.d, {"-X", "POST", "-b", jar, "-c", jar}, "/api/v1/auth/refresh").code == 200);
    CHECK(web(h.d, {"-X", "POST", "-b", jar, "-c", jar}, "/api/v1/auth/refresh").code == 200);
    auto const again = web(h.d, {"-X", "POST", "-b", copy}, "/api/v1/auth/refresh");
    CHECK(again.code == 401);
    CHECK(member(again, "code") == "auth.reused");
    CHECK(web(h.d, {"-X", "POST", "-b", jar}, "/api/v1/auth/refresh").code == 401);
    CHECK(web(h.d, {"-X", "POST", "-b", jar, "-H", "origin: https://evil.example"}, "/api/v1/auth/refresh").code == 403);
}

TEST_CASE("a shut-out user, a changed role and a new password make tokens void at once [J03]") {
    auto& h = house::get();
    auto const token = user(h, "brief", "viewer");
    CHECK(gql(h, "{ tags }", token).code == 200);
    CHECK(h.d.control("PUT", "/api/v1/users/brief/role", R"({"role":"operator"})").code == 200);
    CHECK(gql(h, "{ tags }", token).code == 401);
    auto const second = user(h, "brief", "operator");
    CHECK(h.d.control("PUT", "/api/v1/users/brief/disabled", R"({"disabled":true})").code == 200);
    CHECK(gql(h, "{ tags }", second).code == 401);
    CHECK(post(h.d, "/api/v1/auth/login", {{"user", "brief"}, {"password", password}}).code == 401);
    CHECK(h.d.control("DELETE", "/api/v1/users/brief").code == 200);
    auto const last = h.d.control("DELETE", "/api/v1/users/ada");
    CHECK(last.code == 409);
    CHECK(member(last, "code") == "user.last_admin");
}

TEST_CASE("what asks for too much is refused before anything is resolved [J01]") {
    auto& h = house::get();
    std::string deep = "{ device(id: 1) { ", many = "{";
    for (int i = 0; i < 50; ++i) deep += "current_update { device { ";
    for (int i = 0; i < 50; ++i) deep += "model } }";
    for (int i = 0; i < 1000; ++i) many += " a" + std::to_string(i) + ": tags";
    CHECK(code_of_first(gql(h, "{ device(id: 1) { current_update { device { current_update { device { current_update { device { current_update { status } } } } } } } } }", h.token)) == "graphql.too_deep");
    CHECK(gql(h, deep + " } }", h.token).code == 400);
    CHECK(code_of_first(gql(h, many + " }", h.token)) == "graphql.too_many_aliases");
    CHECK(gql(h, "{ ...F } fragment F on Query { ...F }", h.token).code == 400);
    CHECK(code_of_first(gql(h, "{ devices(limit: 151) { model } }", h.token)) == "graphql.page_too_large");   // limit_graphql_page 150
    CHECK(gql(h, "{ devices(limit: 150) { model } }", h.token).code == 200);
    auto const viewer = user(h, "vera", "viewer");
    CHECK(code_of_first(gql(h, "{ __schema { types { name } } }", viewer)) == "auth.forbidden");
    auto const batch = web(h.d, {"-H", "authorization: Bearer " + h.token, "-H", "content-type: application/json", "-d", "[{\"query\":\"{ tags }\"},{\"query\":\"{ tags }\"}]"}, "/graphql");
    CHECK(batch.code == 400);
    CHECK(web(h.d, {"-H", "authorization: Bearer " + h.token, "-H", "origin: https://evil.example", "-H", "content-type: application/json", "-d", R"({"query":"{ tags }"})"}, "/graphql").code == 403);
}

TEST_CASE("ten wrong passwords shut a name and an address for a minute [J11]") {
    broker_process d{dashboard_lines()};
    up(d);
    post(d, "/api/v1/auth/setup", {{"token", setup_token(d)}, {"user", "ada"}, {"password", password}});
    for (int i = 0; i < 10; ++i) CHECK(post(d, "/api/v1/auth/login", {{"user", "ada"}, {"password", "wrong wrong wrong"}}).code == 401);
    auto const shut = post(d, "/api/v1/auth/login", {{"user", "ada"}, {"password", password}}, {"-D", d.dir() / "headers"});
    CHECK(shut.code == 429);
    CHECK(run({"cat", d.dir() / "headers"}).text.find("Retry-After: ") != std::string::npos);
    d.stop();   // the log is whole
    auto const log = d.said();
    for (auto secret : {password, "wrong wrong wrong"}) CHECK(log.find(secret) == log.npos);   // J10
}

TEST_CASE("pages carry a strict policy, and unknown files are not the app [J07]") {
    auto& h = house::get();
    auto const page = web(h.d, {"-D", h.d.dir() / "headers"}, "/devices/some-device");
    CHECK(page.code == 200);
    auto const headers = run({"cat", h.d.dir() / "headers"}).text;
    CHECK(headers.find("Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self';") != headers.npos);
    CHECK(headers.find("frame-ancestors 'none'") != headers.npos);
    CHECK(headers.find("unsafe") == headers.npos);
    CHECK(web(h.d, {}, "/assets/nothing.js").code == 404);
    CHECK(web(h.d, {}, "/nothing.txt").code == 404);
    // Serial numbers may have dots, and a device's page is reloaded like any other.
    auto const dotted = web(h.d, {}, "/devices/tx-1.lab.example");
    CHECK(dotted.code == 200);
    CHECK(dotted.text == page.text);
    CHECK(web(h.d, {}, "/api/v1/nothing").code == 404);
    CHECK(web(h.d, {"-X", "DELETE"}, "/graphql").code == 405);
}

TEST_CASE("devices leave as CSV that no spreadsheet executes, and as JSON; OpenAPI lists the methods [J07]") {
    auto& h = house::get();
    h.d.control("POST", "/api/v1/devices", R"({"serial_no":"csv-1","model":"=1+1\",x"})");
    auto const csv = web(h.d, {"-H", "authorization: Bearer " + h.token}, "/api/v1/devices/export?format=csv&model=%3D1%2B1%22%2Cx");
    CHECK(csv.code == 200);
    CHECK_MESSAGE(csv.text.find(R"("csv-1",)") != csv.text.npos, csv.text);
    CHECK_MESSAGE(csv.text.find(R"("'=1+1"",x")") != csv.text.npos, csv.text);
    auto const all = web(h.d, {"-H", "authorization: Bearer " + h.token}, "/api/v1/devices/export?format=json");
    CHECK(json::parse(all.text).as_array().size() >= 1);
    auto const api = json::parse(web(h.d, {"-H", "authorization: Bearer " + h.token}, "/api/v1/openapi.json").text);
    for (auto path : {"/api/v1/campaigns/{id}/start", "/api/v1/devices", "/api/v1/sessions", "/api/v1/users/{name}/role"}) CHECK_MESSAGE(api.at("paths").as_object().contains(path), path);
}

TEST_CASE("the one-time link, tokens and keys belong to the admin doors: a stranger's token of any make is refused [J02]") {
    auto& h = house::get();
    auto part = [](std::string const& token, int n) {
        std::size_t from = 0;
        while (n-- > 0) from = token.find('.', from) + 1;
        return token.substr(from, token.find('.', from) - from);
    };
    auto const good = h.token;
    CHECK(gql(h, "{ tags }", good).code == 200);
    auto const none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";   // {"alg":"none","typ":"JWT"}
    for (auto const& bad : {none + std::string(".") + part(good, 1) + ".", none + std::string(".") + part(good, 1) + "." + part(good, 2), part(good, 0) + "." + part(good, 1) + "." + part(good, 2).substr(1) + "A",
                            part(good, 0) + "." + part(good, 1), good + ".x", std::string(4000, 'a'), std::string("..")})
        CHECK(gql(h, "{ tags }", bad).code == 401);
}

TEST_CASE("the schema is valid for graphql-js, and introspection shows the same") {
    if (clients_ready()) node(house::get(), "schema.js");
}

TEST_CASE("our parser and validator say what graphql-js says") {
    if (clients_ready()) node(house::get(), "differential.js", {std::getenv("AIRMAIL_LONG") ? "COUNT=60000" : "COUNT=4000"});
}

TEST_CASE("the graphql-http audit suite finds nothing") {
    if (clients_ready()) node(house::get(), "audit.js");
}

TEST_CASE("roles: the matrix over the whole schema [J04]") {
    if (!clients_ready()) return;
    auto& h = house::get();
    auto const viewer = user(h, "vito", "viewer"), op = user(h, "olga", "operator");
    node(h, "matrix.js", {"VIEWER=" + viewer, "OPERATOR=" + op});
}

TEST_CASE("Apollo Client: a query into its cache, a mutation that changes it, an error with its code, a subscription") {
    if (clients_ready()) node(house::get(), "apollo.js");
}

TEST_CASE("graphql-ws: pushed states, coalesced; refusals with the protocol's codes [J03] [J05]") {
    if (clients_ready()) node(house::get(), "sockets.js");
}
