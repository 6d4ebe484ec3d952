#include "broker/codec/topic.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace airmail::codec;

TEST_CASE("topic names have no wildcard, are not empty and end at 65,535 bytes [MQTT-4.7.0-1] [MQTT-4.7.3-1] [MQTT-4.7.3-3]") {
    for (auto good : {"a", "/", "a/b", "a//b", " ", "$SYS/x", "/a/"}) CHECK(valid_topic_name(good));
    for (auto bad : {"", "+", "#", "a/+", "a+b", "a/#"}) CHECK_FALSE(valid_topic_name(bad));
    CHECK(valid_topic_name(std::string(65535, 'a')));
    CHECK_FALSE(valid_topic_name(std::string(65536, 'a')));
}

TEST_CASE("wildcards fill a level, and # is last [MQTT-4.7.1-1] [MQTT-4.7.1-2]") {
    for (auto good : {"#", "+", "+/+", "/+", "+/", "a/#", "a/+/b", "+/#", "a//#", "$SYS/#"}) CHECK(valid_topic_filter(good));
    for (auto bad : {"", "a#", "a/#/b", "#/a", "a+", "+a", "a/b+/c", "##", "++", "a/+#"}) CHECK_FALSE(valid_topic_filter(bad));
}

TEST_CASE("shared filters are taken apart [MQTT-4.8.2-1] [MQTT-4.8.2-2]") {
    auto const parts = split_filter("$share/group/devices/+/status");
    REQUIRE(parts.has_value());
    CHECK(parts->group == "group");
    CHECK(parts->filter == "devices/+/status");
    CHECK(split_filter("$share/g//a")->filter == "/a");
    CHECK(split_filter("$share")->shared() == false);
    CHECK(split_filter("a/$share/b")->shared() == false);
    for (auto bad : {"$share/", "$share/g", "$share/g/", "$share//a", "$share/g+/a", "$share/#/a", "$share/g/a/#/b"})
        CHECK(split_filter(bad).error() == reason::topic_filter_invalid);
}

TEST_CASE("levels are walked, empty ones too") {
    auto const walk = [](std::string_view topic) {
        std::vector<std::string> out;
        for (std::string_view rest = topic, level; next_level(rest, level);) out.emplace_back(level);
        return out;
    };
    CHECK(walk("a/b") == std::vector<std::string>{"a", "b"});
    CHECK(walk("/a//") == std::vector<std::string>{"", "a", "", ""});
    CHECK(walk("/a//").size() == level_count("/a//"));
}

TEST_CASE("filters match names level by level, character by character [MQTT-4.7.2-1] [MQTT-4.7.3-4]") {
    struct { std::string_view filter, name; bool yes; } const rows[] = {
        {"a/b", "a/b", true},        {"a/b", "a/B", false},    {"a/+", "a/b", true},       {"a/+", "a", false},
        {"a/+", "a/", true},         {"a/+", "a/b/c", false},  {"a/#", "a", true},         {"a/#", "a/b/c", true},
        {"#", "a/b", true},          {"#", "$SYS/x", false},   {"+/x", "$SYS/x", false},   {"$SYS/#", "$SYS/x", true},
        {"+/+", "/a", true},         {"/+", "/a", true},       {"+", "/a", false},         {"a", "a/", false},
        {"sport/tennis/#", "sport/tennis", true}, {"a/b/c", "a/b", false}, {"+/b/#", "x/b", true}, {"a/+/c", "a//c", true},
    };
    for (auto const& r : rows) {
        CAPTURE(r.filter);
        CAPTURE(r.name);
        CHECK(topic_matches(r.filter, r.name) == r.yes);
    }
}
