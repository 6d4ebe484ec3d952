#include "plugins/sdk/declare.hpp"

#include "tests/unit/sdk/sample.hpp"

#include <boost/json.hpp>
#include <cstddef>
#include <doctest/doctest.h>

using namespace airmail::sdk;

TEST_CASE("a declaration becomes a JSON document that another library reads") {
    auto v = boost::json::parse(to_json(test::sample::declare()));
    CHECK(v.at("topics").at(0).at("filter") == "devices/{id}/say");
    CHECK(v.at("topics").at(1).at("durable") == false);
    CHECK(v.at("tables").at(0).at("migrations").as_array().size() == 1);
    CHECK(v.at("methods").at(1).at("audit") == true);
    CHECK(v.at("metrics").at(0).at("help") == "Messages \"said\".\n");
    CHECK(v.at("ready_topic") == "devices/{id}/command");
    CHECK(v.at("after").as_array().empty());
}

TEST_CASE("an empty declaration is a valid document too") { CHECK(boost::json::parse(to_json({})).is_object()); }

TEST_CASE("a class that lacks something is not well formed") {
    struct no_id : plugin {
        using plugin::plugin;
        static declaration declare() { return {}; }
    };
    struct no_declaration : plugin {
        using plugin::plugin;
        static std::string_view id() { return "x.y"; }
    };
    struct stranger {
        static std::string_view id() { return "x.y"; }
        static declaration declare() { return {}; }
    };
    static_assert(well_formed<test::sample>);
    static_assert(!well_formed<no_id> && !well_formed<no_declaration> && !well_formed<stranger>);
}

TEST_CASE("hooks that are not overridden stay null, so nothing is queued for them") {
    auto const* sample = make_descriptor<test::sample>();
    auto const* asker = make_descriptor<test::asker>();
    CHECK((sample->on_connect != nullptr));
    CHECK((sample->on_timer != nullptr));
    CHECK((asker->on_connect == nullptr));
    CHECK((asker->on_session == nullptr));
    CHECK((asker->on_message != nullptr));
    CHECK((asker->on_method != nullptr));
}

TEST_CASE("the layout of version 1 never changes: fields are only added at the end") {
    static_assert(offsetof(airmail_host, now_ms) == 16 && offsetof(airmail_host, sql) == 56);
    static_assert(offsetof(airmail_host, last_error) == 168 && offsetof(airmail_host, fail) == 176);
    static_assert(offsetof(airmail_plugin_v1_t, declare) == 24 && offsetof(airmail_plugin_v1_t, on_committed) == 120);
    static_assert(sizeof(airmail_message) == 160 && sizeof(airmail_publish) == 112 && sizeof(airmail_value) == 40);
}
