#include "broker/config/directives.hpp"
#include "broker/config/parse.hpp"
#include "broker/config/value.hpp"

#include <doctest/doctest.h>
#include <set>

using namespace airmail;
using namespace std::chrono_literals;

TEST_CASE("every row has a sentence, a unique name and defaults that are good values") {
    std::set<std::string_view> names;
    for (auto const& d : config::directives()) {
        CAPTURE(d.name);
        CHECK(names.insert(d.name).second);
        CHECK(d.doc.ends_with('.'));
        CHECK(config::find(d.name) != nullptr);
        for (bool const device : {true, false})
            if (auto const v = d.standard_for(device); !v.empty()) CHECK(config::complaint(d, v) == "");
        if (d.kind == config::type::choice) CHECK(!d.choices.empty());
    }
}

TEST_CASE("the sample file has every directive, and no line of it is active") {
    auto const text = config::sample();
    for (auto const& d : config::directives()) {
        CAPTURE(d.name);
        auto const at = text.find("\n#" + std::string{d.name});
        REQUIRE(at != text.npos);
    }
    CHECK(config::parse_text(text).findings().empty());
}

TEST_CASE("every known directive of the sample parses with its own default") {
    for (auto const& d : config::directives()) {
        if (d.standard.empty() || d.where == config::scope::block || d.where == config::scope::plugin || d.where == config::scope::bridge) continue;
        auto const c = config::parse_text("listener 1 ::1\n" + std::string{d.name} + ' ' + std::string{d.standard} + '\n');
        bool const own_rule = d.name == "require_certificate" || d.name == "per_listener_settings";   // need other lines, or to come first
        CHECK_MESSAGE((c.ok() || own_rule), d.name);
    }
}

TEST_CASE("values carry units") {
    CHECK(config::to_size("4MiB") == 4u << 20);
    CHECK(config::to_size("64GiB") == 64ull << 30);
    CHECK(config::to_size("256KiB/s") == 256u << 10);
    CHECK(config::to_size("1.5K") == 1536);
    CHECK(config::to_size("2MB") == 2'000'000);
    CHECK(config::to_size("65536") == 65536);
    CHECK(!config::to_size("-1"));
    CHECK(!config::to_size("4 MiBs"));
    CHECK(!config::to_size("nan"));
    CHECK(!config::to_size("1e30"));
    auto const room = [](std::string_view s) {
        auto const r = config::to_room(s);
        return r ? std::pair{r->percent, r->bytes} : std::pair{-1.0, std::uint64_t{0}};
    };
    using share_and_size = std::pair<double, std::uint64_t>;
    CHECK(room("10%") == share_and_size{10, 0});
    CHECK(room("0") == share_and_size{0, 0});
    CHECK(room("2.5") == share_and_size{2.5, 0});
    CHECK(room("1GiB") == share_and_size{0, 1u << 30});
    CHECK(room("10%  1GiB") == share_and_size{10, 1u << 30});
    CHECK(room("64MiB 3%") == share_and_size{3, 64u << 20});
    for (auto const* bad : {"", "101%", "65536", "10% 20%", "1GiB 2GiB", "10%,1GiB", "much", "-1", "10% 1GiB 1"}) {
        CAPTURE(bad);
        CHECK(!config::to_room(bad));
    }
    CHECK(!config::to_size(""));
    CHECK(config::to_duration("500ms") == 500ms);
    CHECK(config::to_duration("15m") == 15min);
    CHECK(config::to_duration("1.5h") == 90min);
    CHECK(config::to_duration("10") == 10s);
    CHECK(config::to_duration("7d") == 168h);
    CHECK(!config::to_duration("900000d"));
    CHECK(config::to_expiry("2m") == 60 * 24h);
    CHECK(config::to_expiry("1y") == 365 * 24h);
    CHECK(config::to_percent("95%") == 95.0);
    CHECK(!config::to_percent("101"));
    CHECK(config::to_count("1M") == 1'000'000);
    CHECK(config::to_count("-1") == -1);
    CHECK(!config::to_count("9223372036854775807k"));
    CHECK(!config::to_count("+1"));
    CHECK(config::to_phases("1, 10,100%") == std::vector<double>{1, 10, 100});
    CHECK(config::to_phases("none") == std::vector<double>{});
    CHECK(!config::to_phases("1,10"));
    CHECK(!config::to_phases(""));
    CHECK(config::to_flag("1") == true);
}

TEST_CASE("a name nearly right is recognised") {
    CHECK(config::nearest("acl_fiel") == "acl_file");
    CHECK(config::nearest("alow_anonymous") == "allow_anonymous");
    CHECK(config::nearest("qqqqqqqqq") == "");
    CHECK(config::nearest(std::string(1000, 'a')) == "");
}
