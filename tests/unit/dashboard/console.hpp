#pragma once
// The dashboard's GraphQL on a known store: what is asked goes through parser, limits, roles and resolvers, as over HTTP.

#include "known_fleet.hpp"

#include "plugins/dashboard/api/engine.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <ctime>
#include <doctest/doctest.h>

namespace known {

namespace dash = airmail::dashboard;
namespace json = boost::json;

/// A broker that is asked nothing: lists are read from the store.
struct no_house final : airmail::sdk::web_house {
    explicit no_house(string d) : where(std::move(d)) {}
    void call(std::string_view, string, airmail::sdk::web_who const&, string const&, airmail::sdk::web_answer done) override { done(404, "{}"); }
    void rest(string, string, string, string, airmail::sdk::web_who const&, string const&, airmail::sdk::web_answer done) override { done(404, "{}"); }
    std::optional<airmail::sdk::web_who> key(string const&) override { return std::nullopt; }
    std::vector<airmail::sdk::web_method> methods() const override { return {}; }
    bool compute(std::function<void()>) override { return false; }
    string metrics() override { return {}; }
    string not_ready() override { return {}; }
    string version() const override { return "test"; }
    string directory() const override { return where; }
    std::vector<airmail::sdk::web_listener> listeners() const override { return {}; }
    std::vector<airmail::sdk::web_certificate> certificates() const override { return {}; }
    std::vector<airmail::sdk::web_setting> settings() const override { return {}; }
    std::int64_t number(std::string_view, std::int64_t otherwise) const override { return otherwise; }
    string address_of_page() const override { return {}; }
    void log(int, string const&) override {}
    string where;
};

struct console {
    store s;
    no_house nobody{s.dir.path()};
    dash::people people{s.dir.path(), [] { return wall; }};
    dash::cache kept;
    dash::shared common{nobody, people, kept, wall / 1000, [] { return wall; }};
    dash::engine engine{common, {}};
    dash::reader db{s.dir / "registry.db", [] { return wall; }};
    airmail::sdk::web_who who{"ada", "admin", "user", ""};

    static console& get() {
        static console one;
        return one;
    }
    json::value ask(string const& query, json::object const& variables = {}) {
        INFO(query << " " << json::serialize(variables));
        dash::prepared p;
        auto const wrong = engine.prepare(query, "", variables, who, p);
        REQUIRE_MESSAGE(wrong.empty(), wrong[0].message);
        dash::resolvers house(common, db, who, "r", "p");
        auto const r = engine.execute(p, house);
        REQUIRE_MESSAGE(!r.body.contains("errors"), json::serialize(r.body));
        return r.body.at("data");
    }
};

inline string upper(string s) {
    for (auto& c : s)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    return s;
}
inline string moment(int64_t ms) {
    std::time_t const t = ms / 1000;
    char text[32];
    std::tm tm{};
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
    return text;
}
inline json::value or_null(maybe_number const& n) { return n ? json::value(*n) : json::value(nullptr); }
inline json::value or_null(maybe_text const& t) { return t ? json::value(*t) : json::value(nullptr); }

/// "" when they are the same, else the first difference.
inline string difference(json::array const& want, json::array const& got) {
    for (std::size_t i = 0; i < std::max(want.size(), got.size()); ++i) {
        if (i >= want.size()) return "row " + std::to_string(i) + " of " + std::to_string(want.size()) + " is too much: " + json::serialize(got[i]);
        if (i >= got.size()) return "row " + std::to_string(i) + " of " + std::to_string(want.size()) + " is missing: " + json::serialize(want[i]);
        if (want[i] != got[i]) return "row " + std::to_string(i) + " is " + json::serialize(got[i]) + ", not " + json::serialize(want[i]);
    }
    return {};
}
#define SAME(want, got, about) CHECK_MESSAGE(difference(want, got).empty(), about << ": " << difference(want, got))

}
