#include "plugins/dashboard/graphql/execute.hpp"
#include "plugins/dashboard/graphql/limits.hpp"
#include "plugins/dashboard/graphql/schema_text.hpp"
#include "plugins/dashboard/graphql/validate.hpp"
#include "plugins/dashboard/graphql/values.hpp"

#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>
#include <map>

using namespace airmail::dashboard::graphql;
namespace json = boost::json;

namespace {

schema const& ours() {
    static schema const s{schema_text()};
    return s;
}

/// Answers from a table of values by "Type.field"; anything else is a member of the parent.
struct table final : resolver {
    std::map<std::string, json::value> values;
    std::map<std::string, json::object> arguments;
    json::value resolve(field_call const& f) override {
        auto key = f.on.name + "." + f.field.name;
        arguments[key] = f.arguments;
        if (auto at = values.find(key); at != values.end()) {
            if (at->second == "throw") throw field_error{"test.failed", "it failed"};
            return at->second;
        }
        auto const* o = f.parent.if_object();
        auto const* m = o ? o->if_contains(f.field.name) : nullptr;
        return m ? *m : json::value(nullptr);
    }
};

std::string run(table& t, std::string_view text, json::object variables = {}) {
    auto parsed = parse(text);
    if (auto* e = std::get_if<request_error>(&parsed)) return "syntax: " + e->message;
    auto const& d = std::get<document>(parsed);
    auto errors = validate(ours(), d);
    if (!errors.empty()) return "invalid: " + errors[0].message;
    std::vector<request_error> wrong;
    auto coerced = coerce_variables(ours(), d.operations[0], variables, wrong);
    if (!coerced) return "variables: " + wrong[0].message;
    auto out = execute(ours(), d, d.operations[0], *coerced, t);
    json::object all{{"data", out.data}};
    if (!out.errors.empty()) all["errors"] = out.errors;
    return json::serialize(all);
}

json::value device(char const* serial) {
    return json::object{{"device_id", "d-1"}, {"serial_no", serial}, {"model", "TX-100"}, {"current_firmware", "v1.0.2"}, {"last_seen", 1699878900}, {"status", "online"}};
}

measure measured(std::string_view text) {
    auto parsed = parse(text);
    auto const& d = std::get<document>(parsed);
    return measure_of(ours(), d, d.operations[0], nullptr);
}

}

TEST_CASE("the architecture document's own query is answered in its shape") {
    table t;
    t.values["Query.device"] = device("12345");
    CHECK(run(t, "query Q($id: ID!) { device(id: $id) { serial_no status last_seen __typename } }", {{"id", 12345}}) ==
          R"({"data":{"device":{"serial_no":"12345","status":"ONLINE","last_seen":"2023-11-13T12:35:00Z","__typename":"Device"}}})");
    CHECK(t.arguments["Query.device"] == json::object{{"id", "12345"}});
}

TEST_CASE("aliases, fragments and directives shape the answer, in the order asked") {
    table t;
    t.values["Query.device"] = device("a");
    CHECK(run(t, "query($no: Boolean = false) { two: device(id: 2) { ...F ... on Device { model } m: model @skip(if: true) } one: device(id: 1) @include(if: $no) { model } } "
                 "fragment F on Device { serial_no x: serial_no }") == R"({"data":{"two":{"serial_no":"a","x":"a","model":"TX-100"}}})");
}

TEST_CASE("an error in a nullable field leaves null and a path; in a required one the null travels up") {
    table t;
    t.values["Query.devices"] = json::array{device("a"), device("b")};
    t.values["Device.update_status"] = "throw";
    CHECK(run(t, "{ devices { serial_no u: update_status } }") ==
          R"({"data":{"devices":[{"serial_no":"a","u":null},{"serial_no":"b","u":null}]},"errors":[)"
          R"({"message":"it failed","locations":[{"line":1,"column":23}],"path":["devices",0,"u"],"extensions":{"code":"test.failed"}},)"
          R"({"message":"it failed","locations":[{"line":1,"column":23}],"path":["devices",1,"u"],"extensions":{"code":"test.failed"}}]})");
    t.values["Device.model"] = json::value(nullptr);
    auto text = run(t, "{ devices { model } }");
    CHECK(text.starts_with(R"({"data":null,"errors":[{"message":"Cannot return null for non-nullable field model.")"));
}

TEST_CASE("a leaf that does not fit its type is an error of that field") {
    table t;
    t.values["Query.device"] = json::object{{"keys_version", std::int64_t{1} << 40}, {"security_counter", 5}};
    auto text = run(t, "{ device(id: 1) { keys_version security_counter } }");
    CHECK(text.find(R"("keys_version":null,"security_counter":5)") != text.npos);
    CHECK(text.find("is no Int") != text.npos);
}

TEST_CASE("variables are coerced and refused by name") {
    table t;
    t.values["Query.devices"] = json::array{};
    CHECK(run(t, "query($n: Int!) { devices(limit: $n) { model } }") == "variables: Variable \"$n\" of required type \"Int!\" was not provided.");
    CHECK(run(t, "query($n: Int!) { devices(limit: $n) { model } }", {{"n", "5"}}).starts_with("variables: Variable \"$n\" got invalid value: Int cannot represent"));
    CHECK(run(t, "query($s: DeviceStatus) { devices(status: $s) { model } }", {{"s", "ONLINE"}}) == R"({"data":{"devices":[]}})");
    CHECK(t.arguments["Query.devices"] == json::object{{"status", "ONLINE"}, {"limit", 50}});
    CHECK(run(t, "query($s: DeviceStatus) { devices(status: $s) { model } }", {{"s", "online"}}).starts_with("variables:"));
}

TEST_CASE("what is no GraphQL is a syntax error with its place") {
    for (auto text : {"", "{", "{ a(", "query { a } }", "{ a: }", "{ \"x\" }", "{ a(b: \"\\q\") }", "{ a(n: 01) }", "{ a(n: 1.) }", "{ a(n: 1x) }", "{}", "fragment on on X { a }", "{ a ? }", "\xff"}) {
        CAPTURE(text);
        CHECK(std::holds_alternative<request_error>(parse(text)));
    }
}

TEST_CASE("strings: escapes, surrogate pairs, and blocks with common indentation") {
    auto parsed = parse("{ a(x: \"\\u00e9\\uD83D\\uDE00\\u{1F600}\\n\" y: \"\"\"\n    first\n      second \\\"\"\"\n    \"\"\") }");
    auto const& a = std::get<document>(parsed).operations[0].set[0].arguments;
    CHECK(a[0].value.text == "\u00e9\U0001F600\U0001F600\n");
    CHECK(a[1].value.text == "first\n  second \"\"\"");
}

TEST_CASE("validation refuses by rule") {
    table t;
    for (auto text : {"{ nope }", "{ device { model } }", "{ device(id: 1) }", "{ device(id: 1) { model { x } } }", "{ device(id: 1, x: 2) { model } }", "query A { tags } query A { tags }",
                      "{ tags } query A { tags }", "{ ...F }", "{ tags } fragment F on Query { tags }", "{ ...F } fragment F on Query { ...F }", "{ ...F } fragment F on Device { model }",
                      "query($x: Int) { tags }", "{ device(id: $x) { model } }", "query($x: Device) { device(id: $x) { model } }", "query($x: Int) { device(id: $x) { model } }",
                      "{ tags @skip }", "{ tags @nope }", "query @skip(if: true) { tags }", "{ tags @skip(if: true) @skip(if: true) }", "{ device(id: 1) { a: model a: serial_no } }",
                      "{ a: device(id: 1) { model } a: device(id: 2) { model } }", "subscription { overview { at } alertRaised { kind } }", "subscription { __typename }", "type X { a: Int }",
                      "mutation { createCampaign(input: {name: \"x\"}) { name } }", "mutation { createCampaign(input: {name: \"x\", firmware_id: 1, name: \"y\"}) { name } }", "{ devices(status: NOPE) { model } }"}) {
        CAPTURE(text);
        CHECK(run(t, text).starts_with("invalid:"));
    }
}

TEST_CASE("measures: depth, aliases, cost, page [J01]") {
    auto m = measured("{ devicesConnection(first: 200) { totalCount nodes { model updates(first: 10) { status } } } }");
    CHECK(m.depth == 4);
    CHECK(m.page == 200);
    CHECK(m.cost == 1 + 200 * (1 + 1 * (1 + 10 * 0)));
    std::string deep = "{ device(id: 1) ", close = "}";
    for (int i = 0; i < 50; ++i) deep += "{ current_update { device ", close += "}}";
    CHECK(over({}, measured(deep.substr(0, 8) + "(id: 1) { current_update { device { current_update { device { current_update { device { current_update { status } } } } } } } } }"), true).code == "graphql.too_deep");
    std::string many = "{";
    for (int i = 0; i < 1000; ++i) many += " a" + std::to_string(i) + ": tags";
    CHECK(over({}, measured(many + " }"), true).code == "graphql.too_many_aliases");
    CHECK(over({}, measured("{ devices(limit: 100000) { model } }"), false).code == "graphql.page_too_large");
    CHECK(over({}, measured("{ devicesConnection(first: 200) { nodes { updates(first: 200) { device { updates(first: 200) { status } } } } } }"), false).code == "graphql.too_costly");
}

TEST_CASE("fragments that multiply are measured without being expanded [J01]") {
    std::string bomb = "{ ...F0 }";
    for (int i = 0; i < 60; ++i) bomb += " fragment F" + std::to_string(i) + " on Query { ...F" + std::to_string(i + 1) + " ...F" + std::to_string(i + 1) + " }";
    bomb += " fragment F60 on Query { tags }";
    CHECK(over({}, measured(bomb), true).code == "graphql.too_many_fields");
    CHECK(measured("{ ...F } fragment F on Query { ...F }").cyclic);
}

TEST_CASE("times: RFC 3339 in and out") {
    CHECK(time_text(0) == "1970-01-01T00:00:00Z");
    CHECK(time_text(1709164799) == "2024-02-28T23:59:59Z");
    CHECK(time_text(-1) == "1969-12-31T23:59:59Z");
    CHECK(parse_time("2024-02-29T00:00:00Z") == 1709164800);
    CHECK(parse_time("2024-02-29T02:00:00.5+02:00") == 1709164800);
    for (auto bad : {"", "2024-02-29", "2024-13-01T00:00:00Z", "2024-02-29T00:00:00", "2024-02-29 00:00:00Z", "2024-02-29T00:00:00.Z"}) CHECK_FALSE(parse_time(bad));
}
