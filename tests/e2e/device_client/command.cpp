// An operator's own command: allowed by name and role, given once, late to a device that was away, answered, expired.

#include "tests/e2e/device_client/house.hpp"

using namespace airmail::testing;

TEST_CASE("a command of one's own: the answer comes back; what is not on the list is refused; who was away gets it later") {
    house h("ota_commands identify=operator,nothing=admin\n");
    auto const bundle = h.bundle("cmd-1");
    auto d = start_device(h, "python", "cmd-1", bundle);
    if (!eventually([&] { return h.online("cmd-1"); }, 30s)) FAIL(d->said());
    auto const said = h.ctl({"device", "command", "cmd-1", "identify", R"({"n":7})", "--wait", "20"});
    CHECK_MESSAGE(said.code == 0, said.text << d->said());
    CHECK_MESSAGE(said.text.find("Linux") != std::string::npos, said.text);
    CHECK_MESSAGE(said.text.find(R"(\"n\": 7)") != std::string::npos, said.text);          // the parameters were under the signature
    CHECK(h.ctl({"device", "command", "cmd-1", "format_disk"}).code == 4);                   // not on the list
    CHECK(h.ctl({"device", "command", "cmd-1", "nothing", "--wait", "20"}).text.find("rejected") != std::string::npos);
    CHECK(h.broker.control("POST", "/api/v1/commands", R"({"name":"identify","target":"model=="})").code == 400);

    d->end();
    REQUIRE(eventually([&] { return !h.online("cmd-1"); }, 30s));
    auto const later = h.ctl({"device", "command", "--target", "model==TX-100", "identify"});
    REQUIRE_MESSAGE(later.code == 0, later.text);
    auto const group = std::string(json::parse(later.text.substr(later.text.find('{'))).at("group_id").as_string());
    auto const state = [&](std::string const& g) { return std::string(h.get("/api/v1/commands/" + g).at("commands").at(0).at("status").as_string()); };
    CHECK(state(group) == "pending");
    auto const brief = h.ctl({"device", "command", "cmd-1", "identify", "--expires", "1"});
    auto const gone = std::string(json::parse(brief.text.substr(brief.text.find('{'))).at("group_id").as_string());
    CHECK(eventually([&] { return state(gone) == "expired"; }, 20s));
    d = start_device(h, "python", "cmd-1", bundle);
    CHECK_MESSAGE(eventually([&] { return state(group) == "completed"; }, 30s), d->said());
    CHECK(state(gone) == "expired");
    CHECK(h.broker.control("GET", "/api/v1/audit?limit=50").text.find("command.send") != std::string::npos);
}
