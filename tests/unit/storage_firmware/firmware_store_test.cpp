#include "storage/firmware/firmware_store.hpp"

#include "storage/firmware/files.hpp"
#include "tests/support/results.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace airmail::storage::firmware;
using airmail::testing::temp_dir;
namespace fs = std::filesystem;

namespace {
std::size_t files_in(std::string const& path) {
    std::size_t n = 0;
    for (auto const& e : fs::recursive_directory_iterator(path)) n += e.is_regular_file();
    return n;
}
}

TEST_CASE("an upload becomes a file named by its hash, private and read-only") {
    temp_dir dir;
    auto store = firmware_store::open(dir / "firmware").value();
    auto u = store.begin().value();
    REQUIRE(u.write(as_bytes("hello ")));
    REQUIRE(u.write(as_bytes("world")));
    auto hex = to_hex(sha256_of("hello world"));
    auto made = u.finish().value();
    CHECK(to_hex(made.sha256) == hex);
    CHECK(made.size == 11);
    CHECK_FALSE(made.already);
    CHECK(store.path_of(made.sha256) == (dir / "firmware") + "/" + hex.substr(0, 2) + "/" + hex);
    struct stat st {};
    REQUIRE(::stat(store.path_of(made.sha256).c_str(), &st) == 0);
    CHECK((st.st_mode & 0777) == 0400);
    int fd = store.open_image(made.sha256).value();
    char text[16] = {};
    CHECK(::read(fd, text, sizeof text) == 11);
    ::close(fd);
    CHECK(std::string(text) == "hello world");
    CHECK(store.size(made.sha256).value() == 11);
    CHECK(store.check(made.sha256));
    CHECK(files_in(dir / "firmware") == 1);
}

TEST_CASE("the same image twice is one file") {
    temp_dir dir;
    auto store = firmware_store::open(dir / "firmware").value();
    auto a = store.begin().value(), b = store.begin().value();      // at the same time
    REQUIRE(a.write(as_bytes("same")));
    REQUIRE(b.write(as_bytes("same")));
    CHECK_FALSE(a.finish()->already);
    {
        auto done = std::move(b);
        CHECK(done.finish()->already);
    }
    CHECK(files_in(dir / "firmware") == 1);
    CHECK(store.list()->size() == 1);
}

TEST_CASE("an upload that is abandoned, too large or not what was announced leaves nothing") {
    temp_dir dir;
    auto store = firmware_store::open(dir / "firmware").value();
    { auto u = store.begin().value(); REQUIRE(u.write(as_bytes("x"))); }
    {
        auto u = store.begin(3).value();
        REQUIRE(u.write(as_bytes("abc")));
        CHECK(u.write(as_bytes("d")).error() == errc::too_large);
    }
    {
        auto u = store.begin().value();
        REQUIRE(u.write(as_bytes("abc")));
        auto other = sha256_of("abd");
        CHECK(u.finish(&other).error() == errc::mismatch);
    }
    {
        auto u = store.begin().value();
        CHECK(u.finish().error() == errc::bad_format);               // an empty image is a mistake
    }
    CHECK(files_in(dir / "firmware") == 0);
}

TEST_CASE("what a crash left behind is removed at the next start, images stay") {
    temp_dir dir;
    digest256 kept;
    {
        auto store = firmware_store::open(dir / "firmware").value();
        auto u = store.begin().value();
        REQUIRE(u.write(as_bytes("image")));
        kept = u.finish()->sha256;
    }
    std::ofstream((dir / "firmware") + "/.upload-000000") << "half";
    std::ofstream((dir / "firmware") + "/README") << "an operator's note";
    auto store = firmware_store::open(dir / "firmware").value();
    CHECK_FALSE(fs::exists((dir / "firmware") + "/.upload-000000"));
    CHECK(fs::exists((dir / "firmware") + "/README"));
    REQUIRE(store.list()->size() == 1);
    CHECK(store.list()->at(0).sha256 == kept);
}

TEST_CASE("a file is adopted by copying, and its bytes are checked") {
    temp_dir dir;
    auto store = firmware_store::open(dir / "firmware").value();
    std::string big(1'000'000, 'b');
    REQUIRE(write_new_file(dir / "up", big, 0600));
    auto expected = sha256_of(big), wrong = sha256_of("x");
    CHECK(store.adopt(dir / "up", &wrong).error() == errc::mismatch);
    CHECK(store.adopt(dir / "up", &expected, 999'999).error() == errc::too_large);
    CHECK(store.adopt(dir / "up", &expected)->size == big.size());
    CHECK(fs::exists(dir / "up"));
    fs::create_symlink(dir / "up", dir / "link");
    CHECK(store.adopt(dir / "link").error() == errc::unsafe_file);
    CHECK(store.adopt(dir / "none").error() == errc::not_found);
}

TEST_CASE("what is not there, was changed on disk or is a link is not served") {
    temp_dir dir;
    auto store = firmware_store::open(dir / "firmware").value();
    auto d = sha256_of("never");
    CHECK(store.open_image(d).error() == errc::not_found);
    CHECK_FALSE(store.contains(d));
    CHECK(store.remove(d).error() == errc::not_found);
    auto u = store.begin().value();
    REQUIRE(u.write(as_bytes("image")));
    auto made = u.finish()->sha256;
    REQUIRE(::chmod(store.path_of(made).c_str(), 0600) == 0);
    std::ofstream(store.path_of(made)) << "imagE";
    CHECK(store.check(made).error() == errc::mismatch);
    auto folder = (dir / "firmware") + "/" + to_hex(d).substr(0, 2);
    fs::create_directories(folder);
    fs::create_symlink("/etc/passwd", folder + "/" + to_hex(d));
    CHECK(store.open_image(d).error() == errc::unsafe_file);
    CHECK_FALSE(store.contains(d));
}

TEST_CASE("a removed image stays readable for whoever has it open") {
    temp_dir dir;
    auto store = firmware_store::open(dir / "firmware").value();
    auto u = store.begin().value();
    REQUIRE(u.write(as_bytes("image")));
    auto made = u.finish()->sha256;
    int fd = store.open_image(made).value();
    REQUIRE(store.remove(made));
    CHECK_FALSE(store.contains(made));
    char text[8] = {};
    CHECK(::read(fd, text, sizeof text) == 5);
    ::close(fd);
}
