#include "storage/firmware/sigv4.hpp"

#include "storage/firmware/files.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

using namespace airmail::storage::firmware;

namespace {

// AWS's documented example keys.
object_keys const documented{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
constexpr std::int64_t documented_time = 1'369'353'600;        // 20130524T000000Z
constexpr char empty_sha256[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

object_place documented_place() {
    auto p = object_place::parse("https://s3.amazonaws.com").value();
    p.bucket = "examplebucket", p.bucket_in_host = true;
    return p;
}

std::string header(signed_request const& r, std::string_view name) {
    for (auto const& [n, v] : r.headers)
        if (n == name) return v;
    return {};
}

}

TEST_CASE("the pre-signed GET of AWS's documentation, byte for byte") {
    CHECK(presign_get(documented_place(), documented, "test.txt", "", documented_time, 86'400) ==
          "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
          "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

TEST_CASE("the signed headers of AWS's documentation: GET object with a range, PUT object, GET bucket lifecycle") {
    auto const where = documented_place();
    auto const signature = [](signed_request const& r) {
        auto const a = header(r, "authorization");
        return a.substr(a.find("Signature=") + 10);
    };
    CHECK(signature(sign_request(where, documented, {"GET", "test.txt", {}, {{"range", "bytes=0-9"}}, empty_sha256}, documented_time)) ==
          "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    CHECK(signature(sign_request(where, documented, {"PUT", "test$file.text", {}, {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                                                     "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"}, documented_time)) ==
          "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    auto const lifecycle = sign_request(where, documented, {"GET", "", {{"lifecycle", ""}}, {}, empty_sha256}, documented_time);
    CHECK(lifecycle.target == "/?lifecycle=");
    CHECK(signature(lifecycle) == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST_CASE("every command has a URL of its own, and its id is under the signature") {
    auto const where = documented_place();
    auto const one = presign_get(where, documented, "a", "cmd-1", documented_time, 900), two = presign_get(where, documented, "a", "cmd-2", documented_time, 900);
    CHECK(one.find("&x-command-id=cmd-1&") != one.npos);
    auto const sum = [](std::string const& url) { return url.substr(url.find("X-Amz-Signature=")); };
    CHECK(sum(one) != sum(two));
    auto sts = documented;
    sts.session_token = "to/ken";
    CHECK(presign_get(where, sts, "a", "cmd-1", documented_time, 900).find("&X-Amz-Security-Token=to%2Fken&") != std::string::npos);
}

TEST_CASE("a port is part of the signed host, a CDN's name is not; the life stays within a week") {
    auto p = object_place::parse("http://127.0.0.1:9000/").value();
    p.bucket = "images", p.prefix = "fw/";
    auto const direct = presign_get(p, documented, "aa", "c", documented_time, 10);
    CHECK(direct.starts_with("http://127.0.0.1:9000/images/fw/aa?"));
    auto other_port = p;
    other_port.port = "9001";
    auto const sum = [](std::string const& url) { return url.substr(url.find("X-Amz-Signature=")); };
    CHECK(sum(presign_get(other_port, documented, "aa", "c", documented_time, 10)) != sum(direct));
    p.base_url = "https://cdn.example";
    auto const cdn = presign_get(p, documented, "aa", "c", documented_time, 10);
    CHECK(cdn.starts_with("https://cdn.example/images/fw/aa?"));
    CHECK(sum(cdn) == sum(direct));
    CHECK(presign_get(p, documented, "aa", "c", documented_time, 10'000'000).find("X-Amz-Expires=604800&") != std::string::npos);
}

TEST_CASE("an endpoint is scheme, host and perhaps a port, nothing more") {
    for (auto const* bad : {"", "s3.example", "ftp://s3.example", "https://", "https://user@s3.example", "https://s3.example/path", "https://s3.example:", "https://s3.example:x", "https://s3.example:999999"})
        CHECK_MESSAGE(!object_place::parse(bad), bad);
    CHECK(object_place::parse("https://s3.example:443")->authority() == "s3.example");
    CHECK(object_place::parse("http://[::1]:8080")->authority() == "[::1]:8080");
}

TEST_CASE("keys come from a file that only we may read, in AWS's own format") {
    airmail::testing::temp_dir dir;
    auto const file = dir / "keys";
    REQUIRE(write_new_file(file, "# ours\n[default]\naws_access_key_id = AK\naws_secret_access_key=S/K=\n", 0600));
    auto const keys = read_object_keys(file);
    REQUIRE(keys.has_value());
    CHECK(keys->access_key == "AK");
    CHECK(keys->secret_key == "S/K=");
    REQUIRE(write_new_file(dir / "open", "aws_access_key_id = AK\naws_secret_access_key = SK\n", 0644));
    CHECK(read_object_keys(dir / "open").error() == errc::unsafe_file);
    REQUIRE(write_new_file(dir / "two", "[a]\naws_access_key_id = AK\n[b]\naws_secret_access_key = SK\n", 0600));
    CHECK(read_object_keys(dir / "two").error() == errc::bad_format);
    REQUIRE(write_new_file(dir / "half", "aws_access_key_id = AK\n", 0600));
    CHECK(read_object_keys(dir / "half").error() == errc::bad_format);
}
