#include "storage/firmware/signed_url.hpp"

#include "storage/firmware/files.hpp"
#include "tests/support/results.hpp"
#include "tests/support/temp_dir.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace airmail::storage::firmware;
using airmail::testing::temp_dir;

namespace {

url_key key(char const* kid, std::uint8_t fill) {
    url_key k;
    k.kid = kid;
    k.secret.fill(fill);
    return k;
}

struct fixture {
    url_key_ring ring = url_key_ring::with({key("aabbccdd", 1)});
    url_grant grant{sha256_of("image"), "TX-0001", "0123456789abcdef", 2000, {}};
    std::string url = sign_url(ring, grant).value();

    boost::system::error_code judge(std::string_view target, std::string_view method = "GET", std::int64_t now = 1000) const {
        auto g = verify_url(ring, method, target, now);
        return g ? boost::system::error_code() : g.error();
    }
    std::string part(char name) const {
        auto at = url.find(std::string(url.find(std::string("?") + name + "=") != url.npos ? "?" : "&") + name + "=") + 1;
        return url.substr(at, url.find('&', at) - at);
    }
};

}

TEST_CASE("a URL we signed opens its image for its device until it expires") {
    fixture f;
    auto g = verify_url(f.ring, "GET", f.url, 1999).value();
    CHECK(g.image == f.grant.image);
    CHECK(g.device == "TX-0001");
    CHECK(g.command_id == "0123456789abcdef");
    CHECK(g.expires == 2000);
    CHECK(g.kid == "aabbccdd");
    CHECK(f.judge(f.url, "HEAD") == boost::system::error_code());
    CHECK(f.judge(f.url, "GET", 2000) == errc::expired);
    for (auto m : {"POST", "PUT", "get", "", "DELETE"}) CHECK(f.judge(f.url, m) == errc::refused);
}

TEST_CASE("the signed bytes are those of the design, as any HMAC tool computes them") {
    fixture f;
    std::string path = "/fw/" + to_hex(f.grant.image);
    CHECK(f.url.starts_with(path + "?c=0123456789abcdef&d=TX-0001&e=2000&k=aabbccdd&s="));
    temp_dir dir;
    REQUIRE(write_new_file(dir / "text", "OTAURL1\nGET\n" + path + "\nc=0123456789abcdef&d=TX-0001&e=2000&k=aabbccdd", 0600));
    std::string secret;
    for (int i = 0; i < 32; ++i) secret += "01";
    REQUIRE(std::system(("openssl dgst -sha256 -mac HMAC -macopt hexkey:" + secret + " -binary -out " + (dir / "mac") + " " + (dir / "text")).c_str()) == 0);
    CHECK(f.part('s') == "s=" + to_base64url(as_bytes(read_small_file(dir / "mac", secrecy::anyone).value())));
}

TEST_CASE("a changed byte anywhere in a URL refuses it") {
    fixture f;
    int accepted = 0;
    for (std::size_t i = 0; i < f.url.size(); ++i) {
        for (int flip = 1; flip < 256; ++flip) {
            auto bad = f.url;
            bad[i] = char(bad[i] ^ flip);
            if (!f.judge(bad)) ++accepted;
        }
        if (!f.judge(f.url.substr(0, i))) ++accepted;
    }
    CHECK(accepted == 0);
}

TEST_CASE("changing any one parameter refuses the URL") {
    fixture f;
    auto with = [&](char name, std::string const& value) {
        auto bad = f.url;
        auto old = f.part(name);
        return f.judge(bad.replace(bad.find(old), old.size(), std::string(1, name) + "=" + value));
    };
    CHECK(with('c', "0123456789abcdee") == errc::bad_signature);
    CHECK(with('d', "TX-0002") == errc::bad_signature);
    CHECK(with('e', "9999") == errc::bad_signature);
    CHECK(with('k', "aabbccde") == errc::unknown_key);
    CHECK(with('s', std::string(43, 'A')) == errc::bad_signature);
    auto other = f.url;
    CHECK(f.judge(other.replace(4, 64, to_hex(sha256_of("other")))) == errc::bad_signature);
}

TEST_CASE("a parameter more, twice, missing, empty or escaped refuses the URL") {
    fixture f;
    for (auto more : {"&x=1", "&d=TX-0001", "&", "&=", "&e=2000", "&s=", "&D=1"}) CHECK_MESSAGE(f.judge(f.url + more) == errc::refused, more);
    for (char name : {'c', 'd', 'e', 'k', 's'}) {
        auto gone = f.url, empty = f.url;
        auto p = f.part(name);
        auto at = gone.find(p);
        name == 's' ? gone.erase(at - 1) : gone.erase(at, p.size() + 1);
        CHECK_MESSAGE(f.judge(gone) == errc::refused, gone);
        empty.replace(at, p.size(), std::string(1, name) + "=");
        CHECK_MESSAGE(f.judge(empty) == errc::refused, empty);
    }
    CHECK(f.judge(f.url + "#top") == errc::bad_signature);
    auto escaped = f.url;
    escaped.replace(escaped.find("TX-0001"), 2, "%54X");
    CHECK(f.judge(escaped) == errc::refused);
    for (auto e : {"02000", "+2000", "-2000", "2000 ", "0x7d0", "99999999999999999999"}) {
        auto bad = f.url;
        CHECK_MESSAGE(f.judge(bad.replace(bad.find("e=2000"), 6, std::string("e=") + e)) == errc::refused, e);
    }
}

TEST_CASE("paths that are not exactly /fw/ and a digest are refused") {
    fixture f;
    auto query = f.url.substr(f.url.find('?'));
    auto hex = to_hex(f.grant.image);
    for (auto path : {"/fw/" + hex + "/", "//fw/" + hex, "/fw/../fw/" + hex, "/FW/" + hex, "/fw/" + hex.substr(1), "http://h/fw/" + hex, std::string("/fw/")})
        CHECK_MESSAGE(f.judge(path + query) == errc::refused, path);
    CHECK(f.judge(f.url.substr(0, f.url.find('?'))) == errc::refused);
    CHECK(f.judge(f.url + std::string(600, 'x')) == errc::refused);
}

TEST_CASE("parameters in another order are the same URL, since they are sorted before they are signed") {
    fixture f;
    std::string path = f.url.substr(0, f.url.find('?'));
    CHECK_FALSE(f.judge(path + "?" + f.part('s') + "&" + f.part('k') + "&" + f.part('e') + "&" + f.part('d') + "&" + f.part('c')));
    CHECK_FALSE(f.judge(path + "?" + f.part('d') + "&" + f.part('c') + "&" + f.part('e') + "&" + f.part('k') + "&" + f.part('s')));
    // Values may not change places.
    CHECK(f.judge(path + "?c=TX-0001&d=0123456789abcdef&" + f.part('e') + "&" + f.part('k') + "&" + f.part('s')) == errc::bad_signature);
}

TEST_CASE("names that could break out of a parameter are never signed") {
    fixture f;
    for (auto bad : {"", "a&e=9", "a=b", "a b", "a%20", "a/b", "\xc3\xa4"}) {
        auto g = f.grant;
        g.device = bad;
        CHECK(sign_url(f.ring, g).error() == errc::refused);
        g = f.grant;
        g.command_id = bad;
        CHECK(sign_url(f.ring, g).error() == errc::refused);
    }
}

TEST_CASE("two keys are honoured, the newest signs, the third pushes the first out, a restart remembers") {
    temp_dir dir;
    fixture f;
    auto ring = url_key_ring::load_or_create(dir / "url.keys", 10).value();
    auto first = sign_url(ring, f.grant).value();
    REQUIRE(ring.rotate(20));
    auto second = sign_url(ring, f.grant).value();
    CHECK(first != second);
    CHECK(verify_url(ring, "GET", first, 1000));
    REQUIRE(ring.rotate(30));
    ring = url_key_ring::load_or_create(dir / "url.keys", 40).value();
    CHECK(ring.keys().size() == 2);
    CHECK(verify_url(ring, "GET", second, 1000));
    CHECK(verify_url(ring, "GET", first, 1000).error() == errc::unknown_key);
}

TEST_CASE("a revoked key opens nothing from that moment on") {
    temp_dir dir;
    fixture f;
    auto ring = url_key_ring::load_or_create(dir / "url.keys", 10).value();
    auto url = sign_url(ring, f.grant).value();
    auto kid = ring.newest().kid;
    REQUIRE(ring.revoke(kid, 20));
    CHECK(ring.revoke(kid, 20).error() == errc::unknown_key);
    CHECK(verify_url(ring, "GET", url, 1000).error() == errc::unknown_key);
    CHECK(verify_url(ring, "GET", sign_url(ring, f.grant).value(), 1000));
    CHECK(verify_url(url_key_ring::load_or_create(dir / "url.keys", 30).value(), "GET", url, 1000).error() == errc::unknown_key);
}

TEST_CASE("a ring's file is private and whole, or it is refused") {
    temp_dir dir;
    REQUIRE(url_key_ring::load_or_create(dir / "k", 10));
    struct stat st {};
    REQUIRE(::stat((dir / "k").c_str(), &st) == 0);
    CHECK((st.st_mode & 0777) == 0600);
    REQUIRE(::chmod((dir / "k").c_str(), 0644) == 0);
    CHECK(url_key_ring::load_or_create(dir / "k", 10).error() == errc::unsafe_file);
    for (auto bad : {"", "{}", R"({"keys":[]})", R"({"keys":[{"kid":"aabbccdd","secret":"AA","created_at":1}]})"}) {
        REQUIRE(replace_file(dir / "k", bad, 0600));
        CHECK(url_key_ring::load_or_create(dir / "k", 10).error() == errc::bad_format);
    }
}

TEST_CASE("a log never shows the signature") {
    fixture f;
    auto shown = redact_url(f.url);
    CHECK(shown.ends_with("&s=-"));
    CHECK(shown.find(f.part('s')) == shown.npos);
    CHECK(redact_url("/fw/x?s=abc&d=1&cls=2") == "/fw/x?s=-&d=1&cls=2");
    CHECK(redact_url("/healthz") == "/healthz");
}
