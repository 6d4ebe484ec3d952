#include "acl/pattern.hpp"

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace airmail::acl;

namespace {

names const nobody{};
names const dev1{"dev-1", "c-1"};

std::vector<std::string> grow(std::vector<std::string> const& shorter, std::vector<std::string> const& words) {
    std::vector<std::string> out;
    for (auto const& s : shorter)
        for (auto const& w : words) out.push_back(s + '/' + w);
    return out;
}

/// Every topic of one to four levels over a small alphabet, `$s` in the first level only.
std::vector<std::string> all_topics() {
    std::vector<std::string> out, layer{"a", "b", "", "$s", "z"};
    for (int depth = 1; depth <= 4; ++depth) {
        for (auto const& t : layer)
            if (!t.empty()) out.push_back(t);
        layer = grow(layer, {"a", "b", "", "z"});
    }
    return out;
}

/// Every filter of one to three levels.
std::vector<std::string> all_filters() {
    std::vector<std::string> out, layer{"a", "+", "", "$s"};
    for (int depth = 1; depth <= 3; ++depth) {
        for (auto const& f : layer) {
            if (!f.empty()) out.push_back(f);
            out.push_back(f.empty() && depth == 1 ? "#" : f + "/#");
        }
        layer = grow(layer, {"a", "+", "b"});
    }
    return out;
}

}

TEST_CASE("a topic matches as the specification's examples say [MQTT-4.7.1-2] [MQTT-4.7.2-1]") {
    CHECK(matches("sport/tennis/player1/#", "sport/tennis/player1", nobody));
    CHECK(matches("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", nobody));
    CHECK(matches("sport/#", "sport", nobody));
    CHECK(matches("#", "a/b", nobody));
    CHECK(matches("sport/tennis/+", "sport/tennis/player1", nobody));
    CHECK(!matches("sport/tennis/+", "sport/tennis/player1/ranking", nobody));
    CHECK(!matches("sport/+", "sport", nobody));
    CHECK(matches("sport/+", "sport/", nobody));
    CHECK(matches("+/+", "/finance", nobody));
    CHECK(matches("/+", "/finance", nobody));
    CHECK(!matches("+", "/finance", nobody));
    CHECK(!matches("#", "$SYS/x", nobody));
    CHECK(!matches("+/monitor/Clients", "$SYS/monitor/Clients", nobody));
    CHECK(matches("$SYS/#", "$SYS/x", nobody));
    CHECK(!matches("a/b", "a", nobody));
    CHECK(!matches("a", "", nobody));
}

TEST_CASE("a placeholder is one whole level and is compared, not substituted") {
    for (auto const* p : {"devices/%u/x", "devices/{id}/x", "devices/{device_id}/x", "devices/{user}/x"}) {
        CHECK(matches(p, "devices/dev-1/x", dev1));
        CHECK(!matches(p, "devices/dev-2/x", dev1));
        CHECK(!matches(p, "devices/dev-1/x", nobody));
    }
    CHECK(matches("c/%c", "c/c-1", dev1));
    CHECK(matches("c/{client_id}/#", "c/c-1/y", dev1));
    CHECK(!matches("pre-%u", "pre-dev-1", dev1));
    CHECK(matches("pre-%u", "pre-%u", dev1));
    CHECK(matches("a/%u", "a/%u", {"dev-1", "", true}));
    CHECK(!matches("a/%u", "a/dev-1", {"dev-1", "", true}));
}

TEST_CASE("a name cannot bring in wildcards, levels or dollars (CVE-2017-7650)") {
    for (std::string_view const name : {std::string_view{"+"}, std::string_view{"#"}, std::string_view{"a/b"}, std::string_view{"a\0b", 3}}) {
        names const who{name, name};
        CHECK(!matches("d/%u/#", "d/x/y", who));
        CHECK(!contains("d/%u/#", "d/+/y", who));
        CHECK(!contains("d/%u/#", "d/#", who));
        CHECK(!overlaps("d/%u/#", "d/#", who));
        CHECK(!matches("%c/#", "a/b/c", who));
    }
    CHECK(!matches("%u/#", "$SYS/x", {"$SYS", ""}));
}

TEST_CASE("containment, matching and overlap agree with enumeration") {
    auto const topics = all_topics();
    auto const filters = all_filters();
    std::size_t pairs = 0, contained = 0, overlapping = 0;
    for (auto const& outer : filters) {
        for (auto const& inner : filters) {
            bool all = true, any = false;
            for (auto const& t : topics) {
                bool const i = matches(inner, t, nobody);
                bool const o = matches(outer, t, nobody);
                all = all && (!i || o);
                any = any || (i && o);
            }
            CAPTURE(outer);
            CAPTURE(inner);
            if (contains(outer, inner, nobody) != all) REQUIRE(contains(outer, inner, nobody) == all);
            if (overlaps(outer, inner, nobody) != any) REQUIRE(overlaps(outer, inner, nobody) == any);
            ++pairs;
            contained += all;
            overlapping += any;
        }
    }
    CHECK(pairs > 5000);
    CHECK(contained > 100);
    CHECK(overlapping > contained);
}

TEST_CASE("what is a filter [MQTT-4.7.1-1] [MQTT-4.7.3-1]") {
    for (std::string_view const good : {"a", "/", "a//b", "+", "#", "+/#", "a/+/b", "$SYS/#", "a b"}) CHECK_MESSAGE(valid_filter(good), good);
    for (std::string_view const bad : {"", "a#", "#/a", "a+/b", "a/+b", "##"}) CHECK_MESSAGE(!valid_filter(bad), bad);
    CHECK(!valid_filter(std::string_view{"a\0b", 3}));
    CHECK(!valid_filter(std::string(65536, 'a')));
}
