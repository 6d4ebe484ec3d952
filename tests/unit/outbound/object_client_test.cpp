#include "plugins/outbound/object_client.hpp"

#include "storage/firmware/digest.hpp"
#include "storage/firmware/files.hpp"
#include "tests/support/http_script.hpp"
#include "tests/support/temp_dir.hpp"

#include <cstring>
#include <doctest/doctest.h>

using namespace airmail;
using namespace airmail::plugins::outbound;
namespace fw = airmail::storage::firmware;

namespace {

struct ground {
    testing::temp_dir dir;
    ground() { REQUIRE(fw::write_new_file(dir / "keys", "aws_access_key_id = AK\naws_secret_access_key = SECRETSECRET\n", 0600)); }
    object_options options(testing::http_script const& s) const {
        object_options o;
        o.place = fw::object_place::parse(s.address()).value();
        o.place.bucket = "images", o.place.prefix = "fw/", o.keys_file = dir / "keys", o.part_bytes = 1000, o.patience = std::chrono::seconds(10);
        return o;
    }
};

object_source image_of(std::string const& text) {
    return {text.size(), [&text](std::uint64_t at, std::span<std::uint8_t> piece) { return std::memcpy(piece.data(), text.data() + at, piece.size()), true; }};
}
std::int64_t now() { return 1'700'000'000; }
std::string const small(900, 's'), large(2500, 'L');

}

TEST_CASE("a small image goes up in one signed PUT with the hash of its bytes") {
    ground g;
    testing::http_script store([](auto const&) { return testing::said{200}; });
    auto o = g.options(store);
    o.sse = "aws:kms", o.kms_key = "key-1";
    object_client c(o, now);
    CHECK(c.put("aa", image_of(small)) == "");
    auto const r = store.requests();
    REQUIRE(r.size() == 1);
    CHECK(r[0].verb == "PUT");
    CHECK(r[0].target == "/images/fw/aa");
    CHECK(r[0].body == small);
    CHECK(r[0].header("x-amz-content-sha256") == fw::to_hex(fw::sha256_of(small)));
    CHECK(r[0].header("x-amz-server-side-encryption") == "aws:kms");
    CHECK(r[0].header("authorization").find("x-amz-server-side-encryption;x-amz-server-side-encryption-aws-kms-key-id") != std::string::npos);
}

TEST_CASE("a large image goes up in parts, which are named with their tags at the end; encryption is asked for once") {
    ground g;
    testing::http_script store([](testing::heard const& h) -> testing::said {
        if (h.target.ends_with("?uploads=")) return {200, "<X><UploadId>u&amp;1</UploadId></X>"};
        if (h.verb == "PUT") return {200, "", "ETag: \"tag" + std::to_string(h.body.size()) + "\"\r\n"};
        return {200, "<CompleteMultipartUploadResult/>"};
    });
    auto o = g.options(store);
    o.sse = "AES256";
    object_client c(o, now);
    CHECK(c.put("aa", image_of(large)) == "");
    auto const r = store.requests();
    REQUIRE(r.size() == 5);
    CHECK(r[0].header("x-amz-server-side-encryption") == "AES256");
    CHECK(r[1].target == "/images/fw/aa?partNumber=1&uploadId=u%261");
    CHECK(r[1].header("x-amz-server-side-encryption") == "");
    CHECK(r[1].body + r[2].body + r[3].body == large);
    CHECK(r[4].body == "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"tag1000\"</ETag></Part><Part><PartNumber>2</PartNumber><ETag>\"tag1000\"</ETag></Part>"
                       "<Part><PartNumber>3</PartNumber><ETag>\"tag500\"</ETag></Part></CompleteMultipartUpload>");
}

TEST_CASE("a part that is refused takes the whole upload back, and the sentence says which and why, not with what") {
    ground g;
    testing::http_script store([](testing::heard const& h) -> testing::said {
        if (h.verb == "POST") return {200, "<X><UploadId>u1</UploadId></X>"};
        if (h.verb == "DELETE") return {204};
        return h.target.find("partNumber=2") == h.target.npos ? testing::said{200} : testing::said{403, "<Error><Code>AccessDenied</Code><Message>No &lt;way&gt;</Message></Error>"};
    });
    object_client c(g.options(store), now);
    auto const why = c.put("aa", image_of(large));
    CHECK(why == "part 2: the object store answers 403 AccessDenied: No <way>");
    auto const r = store.requests();
    CHECK(r.back().verb == "DELETE");
    CHECK(r.back().target == "/images/fw/aa?uploadId=u1");
}

TEST_CASE("a 200 that carries an error is an error: S3 answers before the parts are joined") {
    ground g;
    testing::http_script store([](testing::heard const& h) -> testing::said {
        if (h.target.ends_with("uploads=")) return {200, "<X><UploadId>u1</UploadId></X>"};
        if (h.verb == "POST") return {200, "<Error><Code>InternalError</Code></Error>"};
        return {200};
    });
    object_client c(g.options(store), now);
    CHECK(c.put("aa", image_of(large)) == "the object store answers 200 InternalError");
}

TEST_CASE("a store that is busy is asked again; one that refuses is not") {
    ground g;
    int left = 1;
    testing::http_script busy([&](auto const&) { return testing::said{left-- > 0 ? 503 : 200}; });
    object_client again(g.options(busy), now);
    CHECK(again.put("aa", image_of(small)) == "");
    CHECK(busy.requests().size() == 2);
    testing::http_script strict([](auto const&) { return testing::said{403}; });
    object_client once(g.options(strict), now);
    CHECK(once.put("aa", image_of(small)) == "the object store answers 403");
    CHECK(strict.requests().size() == 1);
}

TEST_CASE("an image that cannot be read is not half uploaded, and removing what is not there is well") {
    ground g;
    testing::http_script store([](auto const&) { return testing::said{404}; });
    object_client c(g.options(store), now);
    CHECK(c.put("aa", {2500, [](std::uint64_t, std::span<std::uint8_t>) { return false; }}).find("answers 404") != std::string::npos);
    CHECK(c.put("aa", {900, [](std::uint64_t, std::span<std::uint8_t>) { return false; }}) == "the image cannot be read");
    CHECK(c.remove("aa") == "");
}

TEST_CASE("whoever stops it does not wait for a store that says nothing") {
    ground g;
    std::atomic<bool> asked{false}, over{false};
    testing::http_script silent([&](auto const&) {
        asked = true;
        while (!over) ::poll(nullptr, 0, 5);
        return testing::said{200};
    });
    object_client c(g.options(silent), now);
    std::string why;
    std::thread t([&] { why = c.put("aa", image_of(small)); });
    while (!asked) ::poll(nullptr, 0, 5);
    c.stop();
    t.join();
    over = true;
    CHECK(why == "stopped");
}

TEST_CASE("addresses that only insiders reach are known as such") {
    for (auto const* a : {"127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "nonsense"})
        CHECK_MESSAGE(is_inside(a), a);
    for (auto const* a : {"8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:4860:4860::8888"}) CHECK_MESSAGE(!is_inside(a), a);
}
