#include "plugins/targets/rsql.hpp"

#include <doctest/doctest.h>

using namespace airmail::plugins::targets;

namespace {

/// The tree in brackets, so that precedence is seen.
std::string shown(expression const& e) {
    if (e.what == expression::kind::test) {
        std::string out = e.test.selector + "/" + std::to_string(static_cast<int>(e.test.what));
        for (auto const& v : e.test.values) out += "/" + v.text();
        return out;
    }
    std::string out = e.what == expression::kind::all ? "all(" : "any(";
    for (std::size_t i = 0; i < e.parts.size(); ++i) out += (i ? " " : "") + shown(e.parts[i]);
    return out + ")";
}

std::string tree(std::string_view text) {
    auto e = parse_rsql(text);
    return e ? shown(*e) : e.error().sentence(text);
}

}

TEST_CASE("and binds tighter than or; signs and words mean the same; brackets come first") {
    CHECK(tree("a==1") == "a/0/1");
    CHECK(tree("a==1;b!=2,c=lt=3") == "any(all(a/0/1 b/1/2) c/2/3)");
    CHECK(tree("a==1 and b!=2 OR c < 3") == "any(all(a/0/1 b/1/2) c/2/3)");
    CHECK(tree("a==1;(b!=2,c>=3)") == "all(a/0/1 any(b/1/2 c/5/3))");
    CHECK(tree("  ( a == 1 )  ") == "a/0/1");
    CHECK(tree("a==1 and(b==2)") == "all(a/0/1 b/0/2)");
    CHECK(tree("order==and;android==or") == "all(order/0/and android/0/or)");
}

TEST_CASE("values: bare, quoted with either mark, lists, wildcards and what takes their meaning away") {
    CHECK(tree(R"(a=="x; y' *")") == "a/0/x; y' *");
    CHECK(tree(R"(a=='x\'y')") == "a/0/x'y");
    CHECK(tree("a=in=(1, \"2,3\" ,4)") == "a/6/1/2,3/4");
    CHECK(tree("a=OUT=(1)") == "a/7/1");
    CHECK(tree("a=is=null") == "a/8/null");
    CHECK(tree("a==\"\"") == "a/0/");
    auto wild = parse_rsql(R"(a==T*\*X*)");
    REQUIRE(wild.has_value());
    CHECK(wild->test.values[0].pieces == std::vector<std::string>{"T", "*X", ""});
    CHECK(tree("a==v1.2.3-rc.1+b5") == "a/0/v1.2.3-rc.1+b5");
    CHECK(tree("last_seen=gt=2026-11-24T10:00:00Z") == "last_seen/4/2026-11-24T10:00:00Z");
}

TEST_CASE("a mistake names its place and what was expected") {
    CHECK(tree("") == "at character 1, at the end: the filter ends where a field is expected");
    CHECK(tree("model") == "at character 6, at the end: expected an operator: == != =lt= =le= =gt= =ge= < <= > >= =in= =out= =is= =not=");
    CHECK(tree("model=TX").starts_with("at character 6, before \"=TX\": expected an operator"));
    CHECK(tree("a==1;").starts_with("at character 6, at the end"));
    CHECK(tree("a==1 b==2") == "at character 6, before \"b==2\": expected ';', ',', 'and' or 'or'");
    CHECK(tree("(a==1") == "at character 6, at the end: expected ')' for the bracket at character 1");
    CHECK(tree("a==1)") == "at character 5, before \")\": this bracket closes nothing");
    CHECK(tree("a=='x").starts_with("at character 4, before \"'x\": this quotation mark is never closed"));
    CHECK(tree("a=in=1").starts_with("at character 6, before \"1\": expected '(' and a list"));
    CHECK(tree("a=in=(1;2)").starts_with("at character 8, before \";2)\": expected ',' or ')'"));
    CHECK(tree("a==").starts_with("at character 4, at the end: expected a value"));
    CHECK(tree("a==\\").starts_with("at character 4"));
    CHECK(tree(std::string("a==1\0", 5)).ends_with("a control character"));
}

TEST_CASE("every bound is a mistake, not a crash") {
    CHECK(tree(std::string(17, '(') + "a==1" + std::string(17, ')')).ends_with("brackets nested deeper than 16"));
    CHECK(tree(std::string(16, '(') + "a==1" + std::string(16, ')')) == "a/0/1");
    CHECK(tree("a==" + std::string(5000, 'x')).ends_with("the filter is longer than 4,096 bytes"));
    std::string many = "a==1", list = "a=in=(1";
    for (int i = 0; i < 100; ++i) many += ",a==1";
    for (int i = 0; i < 1001; ++i) list += ",1";
    CHECK(tree(many).ends_with("more than 100 comparisons"));
    CHECK(tree(list + ")").ends_with("more than 1,000 values"));
}
