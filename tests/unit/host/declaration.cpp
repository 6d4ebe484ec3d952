#include "broker/host/declaration.hpp"

#include "tests/unit/host/plugins.hpp"

#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::host;

TEST_CASE("what the SDK writes, the host reads") {
    auto d = test::diary::declare();
    auto back = parse_declaration("test.diary", sdk::to_json(d));
    CHECK(sdk::to_json(back) == sdk::to_json(d));
}

TEST_CASE("a mistake in a declaration is named by plugin, field and rule") {
    struct row { char const *json, *says; };
    for (auto const& c : {
             row{"[]", "x.y: declaration: must be an object"},
             {R"({"topics":[{}]})", "x.y: declaration: topics[0].filter: is missing"},
             {R"({"topics":[{"filter":"a"},{"filter":"a/#/b"}]})", "x.y: declaration: topics[1].filter: # may only be the last level, alone"},
             {R"({"topics":[{"filter":"a+"}]})", "x.y: declaration: topics[0].filter: + must be a level of its own"},
             {R"({"topics":[{"filter":"{device}/a"}]})", "x.y: declaration: topics[0].filter: only {id} is known, as a level of its own"},
             {R"({"topics":[{"filter":"a","qos":3}]})", "x.y: declaration: topics[0].qos: must be a number from 0 to 2"},
             {R"({"topics":[{"filter":"a","durabel":true}]})", "x.y: declaration: topics[0].durabel: is not known to this airmaild"},
             {R"({"topics":[{"filter":"a","direction":"left"}]})", "x.y: declaration: topics[0].direction: is \"left\", must be one of \"up\", \"down\""},
             {R"({"topics":[{"filter":"a","schema":{"pattern":"x"}}]})", "x.y: declaration: topics[0].schema: keyword \"pattern\" is not supported"},
             {R"({"tables":[{"name":"a;b","primary_key":"n","migrations":["x"]}]})", "x.y: declaration: tables[0].name: must be of letters, digits and _"},
             {R"({"tables":[{"name":"airmail_x","primary_key":"n","migrations":["x"]}]})", "x.y: declaration: tables[0].name: names beginning airmail_ and sqlite_ are taken"},
             {R"({"methods":[{"name":"a","role":"root"}]})", "x.y: declaration: methods[0].role: is \"root\", must be one of \"viewer\", \"operator\", \"admin\""},
             {R"({"methods":[{"name":"a","verb":"GET"}]})", "x.y: declaration: methods[0]: verb and path go together"},
             {R"({"metrics":[{"name":"requests"}]})", "x.y: declaration: metrics[0].name: must be airmail_<plugin>_<what>_<unit>"},
             {R"({"after":[1]})", "x.y: declaration: after[0]: must be a string"},
             {"", "x.y: declaration: is empty"}}) {
        CAPTURE(c.json);
        CHECK_THROWS_WITH_AS(parse_declaration("x.y", c.json), c.says, refusal);
    }
}
