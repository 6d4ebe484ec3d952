#include "tools/migrate/dynsec.hpp"

#include <doctest/doctest.h>

using namespace airmail::migrate;

namespace {

struct converted {
    explicit converted(std::string const& json) {
        auto made = convert_dynsec(json, "d.json", say, why);
        if (made) out = *made;
    }
    bool says(report::kind k, std::string_view text) const {
        for (auto const& l : say.lines)
            if (l.what == k && l.text.find(text) != std::string::npos) return true;
        return false;
    }
    report say;
    std::string why;
    dynsec out;
};

std::string const hash = "\"password\":\"" + std::string(86, 'B') + "==\",\"salt\":\"AAAAAAAAAAAAAAAA\",\"iterations\":101";

}

TEST_CASE("roles become rules under each user that has them, the client's own before its groups'") {
    converted const c{R"({"clients":[{"username":"bob","roles":[{"rolename":"a"}],"groups":[{"groupname":"g"}],)" + hash + R"(}],
        "groups":[{"groupname":"g","roles":[{"rolename":"b"}],"clients":[]}],
        "roles":[{"rolename":"a","acls":[{"acltype":"publishClientSend","topic":"x/%u","allow":true}]},
                 {"rolename":"b","acls":[{"acltype":"subscribePattern","topic":"y/#","allow":true},{"acltype":"publishClientReceive","topic":"y/z","allow":false}]}]})"};
    CHECK(c.why == "");
    CHECK(c.out.rules.find("user bob\n# role a\nallow publish x/%u\n# role b\nallow subscribe y/#\ndeny receive y/z\n") != std::string::npos);
    CHECK(c.out.rules.find("everybody\nallow receive #\n") != std::string::npos);
    CHECK(c.out.passwords == "bob:$7$101$AAAAAAAAAAAAAAAA$" + std::string(86, 'B') + "==\n");
    CHECK(c.says(report::kind::maps, "role a: 1 rules"));
    CHECK(c.says(report::kind::changed, "a deny that matches always wins"));
}

TEST_CASE("what cannot be said is refused, and never opens anything") {
    converted const c{R"({"clients":[{"username":"bound","clientid":"x",)" + hash + R"(},{"username":"off","disabled":true,)" + hash + R"(},{"username":"none"},{"username":"a\nb"}],
        "roles":[{"rolename":"r","acls":[{"acltype":"publishClientSend","topic":"a/#/b","allow":false}]}]})"};
    CHECK(c.out.passwords == "");
    CHECK(c.says(report::kind::refused, "client bound may log in as client id x only"));
    CHECK(c.says(report::kind::changed, "client off is disabled"));
    CHECK(c.says(report::kind::refused, "client none has no password"));
    CHECK(c.says(report::kind::refused, "cannot stand in a password file"));
    CHECK(c.says(report::kind::refused, "role r: publishClientSend \"a/#/b\" cannot be said"));
    CHECK(c.out.rules.find("a\nb") == std::string::npos);
}

TEST_CASE("text that is no such document is refused") {
    CHECK(converted{"[]"}.why == "d.json: expected a JSON object");
    CHECK(converted{"{"}.why.starts_with("d.json: "));
}
