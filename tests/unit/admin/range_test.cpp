#include "broker/admin/range.hpp"

#include <doctest/doctest.h>

using namespace airmail::admin;
using kind = byte_range::kind;

static byte_range ask(std::string_view range, std::string_view if_range = {}, std::uint64_t size = 1000) {
    return choose_range(range, if_range, "\"abc\"", size);
}

TEST_CASE("without a Range header the whole file is sent") { CHECK(ask("").what == kind::whole); }

TEST_CASE("one range of bytes is answered with exactly those bytes [RFC 9110, 14.1.2]") {
    auto r = ask("bytes=10-19");
    CHECK(r.what == kind::part);
    CHECK(r.first == 10);
    CHECK(r.size() == 10);
    CHECK(ask("bytes=990-").size() == 10);
    CHECK(ask("bytes=-5").first == 995);
    CHECK(ask("bytes=-5000").first == 0);
    CHECK(ask("bytes=990-5000").last == 999);
}

TEST_CASE("a range that starts behind the end is unsatisfiable, not an error and not the whole file") {
    CHECK(ask("bytes=1000-").what == kind::unsatisfiable);
    CHECK(ask("bytes=-0").what == kind::unsatisfiable);
}

TEST_CASE("what cannot be understood is ignored: the whole file is always a right answer") {
    for (auto bad : {"bytes=5-2", "bytes=a-b", "lines=1-2", "bytes=1-2,5-6", "bytes=", "bytes=--", "bytes=99999999999999999999-"})
        CHECK_MESSAGE(ask(bad).what == kind::whole, bad);
}

TEST_CASE("If-Range keeps a resumed download from mixing two images [RFC 9110, 13.1.5]") {
    CHECK(ask("bytes=10-", "\"abc\"").what == kind::part);
    CHECK(ask("bytes=10-", "\"other\"").what == kind::whole);
    CHECK(ask("bytes=10-", "Wed, 21 Oct 2015 07:28:00 GMT").what == kind::whole);
}
