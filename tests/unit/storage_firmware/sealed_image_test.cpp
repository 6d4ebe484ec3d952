#include "storage/firmware/sealed_image.hpp"

#include "storage/firmware/files.hpp"
#include "storage/firmware/firmware_store.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <functional>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

using namespace airmail::storage::firmware;

namespace {

std::string text_of(std::string const& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

struct ground {
    airmail::testing::temp_dir dir;
    std::string which;

    std::string key_file(std::string const& name, char digit) {
        auto const path = dir / name;
        if (!std::filesystem::exists(path)) REQUIRE(write_new_file(path, std::string(64, digit) + "\n", 0600));
        return path;
    }
    image_keys keys(std::vector<std::string> const& files) { return image_keys::load(files, which).value(); }
    image_keys one() { return keys({key_file("one", '1')}); }
    firmware_store store(image_keys k = {}) { return firmware_store::open(dir / "firmware", std::move(k)).value(); }
};

std::string image_of(std::size_t bytes) {
    std::string out;
    for (std::size_t i = 0; i < bytes; ++i) out += static_cast<char>((i * 2654435761u) >> 11);
    return out;
}

digest256 keep(firmware_store& s, std::string const& image) {
    auto u = s.begin().value();
    for (std::size_t at = 0; at < image.size(); at += 50'001) REQUIRE(u.write(as_bytes(std::string_view(image).substr(at, 50'001))));
    return u.finish().value().sha256;
}

std::string read(image_reader& r, std::uint64_t at, std::size_t n) {
    std::string out(n, 0);
    REQUIRE(r.read(at, {reinterpret_cast<std::uint8_t*>(out.data()), n}));
    return out;
}

void change(std::string const& path, std::function<void(std::string&)> how) {
    auto text = text_of(path);
    how(text);
    ::chmod(path.c_str(), 0600);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

}

TEST_CASE("an image of any size comes back as it went in, from any place, and its file holds none of it") {
    for (std::size_t bytes : {1u, 65'535u, 65'536u, 65'537u, 131'072u, 300'000u}) {
        ground g;
        auto s = g.store(g.one());
        auto const image = image_of(bytes);
        auto const d = keep(s, image);
        CHECK(d == sha256_of(image));
        CHECK(s.size(d).value() == bytes);
        CHECK(firmware_store::is_sealed(s.path_of(d)));
        auto const stored = text_of(s.path_of(d));
        for (std::size_t at = 0; at + 32 < image.size(); at += 4096) CHECK(stored.find(image.substr(at, 32)) == stored.npos);
        auto r = s.reader(d).value();
        CHECK(read(r, 0, bytes) == image);
        CHECK(read(r, bytes / 2, bytes - bytes / 2) == image.substr(bytes / 2));
        CHECK(read(r, bytes - 1, 1) == image.substr(bytes - 1));
        std::uint8_t beyond[2];
        CHECK(r.read(bytes - 1, beyond).error() == errc::io);
        CHECK(s.check(d));
        CHECK(s.list().value().size() == 1);
        REQUIRE(s.remove(d));
        CHECK(!s.contains(d));
    }
}

TEST_CASE("the same image twice is two different files: every file has a key of its own") {
    ground a, b;
    auto sa = a.store(a.one()), sb = b.store(b.one());
    auto const image = image_of(1000);
    CHECK(text_of(sa.path_of(keep(sa, image))) != text_of(sb.path_of(keep(sb, image))));
}

TEST_CASE("a flipped byte, a cut file, exchanged chunks or a changed header is an error, never garbage") {
    ground g;
    auto s = g.store(g.one());
    auto const d = keep(s, image_of(200'000));
    auto const path = s.path_of(d), whole = text_of(path);
    SUBCASE("a byte of the second chunk: the others are still read") {
        change(path, [](std::string& t) { t[64 + 65'552 + 100] ^= 1; });
        auto r = s.reader(d).value();
        CHECK(read(r, 0, 65'536) == image_of(200'000).substr(0, 65'536));
        std::uint8_t piece[100];
        CHECK(r.read(65'536, piece).error() == errc::mismatch);
        CHECK(s.check(d).error() == errc::mismatch);
        CHECK(read(r, 131'072, 10) == image_of(200'000).substr(131'072, 10));
    }
    SUBCASE("cut within a chunk") {
        change(path, [](std::string& t) { t.resize(t.size() - 1000); });
        CHECK(s.reader(d).error() == errc::mismatch);
    }
    SUBCASE("cut between chunks") {
        change(path, [](std::string& t) { t.resize(64 + 2 * 65'552); });
        CHECK(s.reader(d).error() == errc::mismatch);
    }
    SUBCASE("two chunks exchanged") {
        change(path, [](std::string& t) {
            auto const first = t.substr(64, 65'552);
            t.replace(64, 65'552, t.substr(64 + 65'552, 65'552)), t.replace(64 + 65'552, 65'552, first);
        });
        auto r = s.reader(d).value();
        std::uint8_t piece[10];
        CHECK(r.read(0, piece).error() == errc::mismatch);
    }
    SUBCASE("a byte of the header") {
        for (int at : {0, 8, 12, 30, 60}) {
            change(path, [&](std::string& t) { (t = whole)[at] ^= 1; });
            CHECK(s.reader(d).error() == errc::mismatch);
        }
    }
    SUBCASE("nothing left but the header") {
        change(path, [](std::string& t) { t.resize(64); });
        CHECK(s.reader(d).error() == errc::mismatch);
    }
}

TEST_CASE("keys rotate: the first seals, the older ones still open; without the right one there is a clear word") {
    ground g;
    auto const image = image_of(100'000), later = image_of(100'001);
    auto old_store = g.store(g.one());
    auto const before = keep(old_store, image);
    auto const both = g.keys({g.key_file("two", '2'), g.key_file("one", '1')});
    auto s = g.store(both);
    auto const after = keep(s, later);
    CHECK(key_of_sealed(s.path_of(before)).value() == g.one().newest().name());
    CHECK(key_of_sealed(s.path_of(after)).value() == both.newest().name());
    CHECK(s.check(before));
    CHECK(s.check(after));
    CHECK(s.missing_keys() == "");
    auto wrong = g.store(g.keys({g.key_file("two", '2')}));
    CHECK(wrong.reader(before).error() == errc::unknown_key);
    CHECK(wrong.missing_keys() == "1 images are encrypted with keys that ota_firmware_key does not name: " + g.one().newest().name() + " (1)");
    auto none = g.store();
    CHECK(none.reader(after).error() == errc::unknown_key);
    CHECK(none.missing_keys().starts_with("2 images"));
    CHECK(none.size(after).value() == later.size());
}

TEST_CASE("plain images stay readable when encryption is switched on, and are not kept a second time") {
    ground g;
    auto const image = image_of(70'000);
    auto plain = g.store();
    auto const d = keep(plain, image);
    auto s = g.store(g.one());
    CHECK(!firmware_store::is_sealed(s.path_of(d)));
    auto r = s.reader(d).value();
    CHECK(read(r, 1, 69'999) == image.substr(1));
    keep(s, image);
    CHECK(s.list().value().size() == 1);
    CHECK(!firmware_store::is_sealed(s.path_of(d)));
}

TEST_CASE("an image is taken over from a sealed file of ours as from a plain one") {
    ground g;
    auto s = g.store(g.one());
    auto const image = image_of(140'000);
    auto const d = keep(s, image);
    auto const again = s.adopt(s.path_of(d), &d).value();
    CHECK(again.sha256 == d);
    CHECK(again.already);
}

TEST_CASE("a key's file must be ours alone and hold 64 hex digits; systemd's credentials are found by name") {
    ground g;
    REQUIRE(write_new_file(g.dir / "open", std::string(64, 'a'), 0644));
    CHECK(image_keys::load({g.dir / "open"}, g.which).error() == errc::unsafe_file);
    CHECK(g.which == g.dir / "open");
    REQUIRE(write_new_file(g.dir / "short", std::string(63, 'a'), 0600));
    CHECK(image_keys::load({g.dir / "short"}, g.which).error() == errc::bad_key);
    CHECK(image_keys::load({g.dir / "none"}, g.which).error() == errc::not_found);
    ::setenv("CREDENTIALS_DIRECTORY", g.dir.path().c_str(), 1);
    g.key_file("cred", 'c');
    CHECK(image_keys::load({"credential:cred"}, g.which).has_value());
    ::unsetenv("CREDENTIALS_DIRECTORY");
    CHECK(image_keys::load({"credential:cred"}, g.which).error() == errc::not_found);
}
