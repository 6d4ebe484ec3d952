#include "storage/firmware/digest.hpp"

#include "storage/firmware/files.hpp"
#include "tests/support/results.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <random>
#include <sys/stat.h>

using namespace airmail::storage::firmware;
using airmail::testing::temp_dir;

TEST_CASE("SHA-256 of the empty text and of abc are the standard's [FIPS 180-4]") {
    CHECK(to_hex(sha256_of("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(to_hex(sha256_of("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("a hash in pieces is the hash of the whole, and may be looked at on the way") {
    sha256 h;
    h.update("a");
    sha256 other = h;
    CHECK(h.finish() == sha256_of("a"));
    h.update("bc");
    CHECK(h.finish() == sha256_of("abc"));
    CHECK(other.finish() == sha256_of("a"));
}

TEST_CASE("a digest is 64 lower-case hex digits, with or without its name") {
    auto d = sha256_of("x");
    CHECK(parse_digest(to_hex(d)).value() == d);
    CHECK(parse_digest(checksum_text(d)).value() == d);
    for (auto bad : {"", "sha256:", "00", "sha1:00"}) CHECK(parse_digest(bad).error() == errc::bad_format);
    auto upper = to_hex(d);
    for (auto& c : upper) c = char(std::toupper(c));
    CHECK_FALSE(parse_digest(upper));
    CHECK_FALSE(parse_digest(to_hex(d) + "00"));
}

TEST_CASE("every value has one base64 text and comes back from it") {
    std::mt19937 random(1);
    for (std::size_t n = 0; n < 70; ++n) {
        bytes b(n);
        for (auto& c : b) c = std::uint8_t(random());
        CHECK(from_base64(to_base64(b)).value() == b);
        CHECK(from_base64url(to_base64url(b)).value() == b);
        CHECK(from_hex(to_hex(b)).value() == b);
    }
    CHECK(to_base64(as_bytes("fooba")) == "Zm9vYmE=");               // RFC 4648 section 10
    for (auto bad : {"Zm9vYmE", "Zm9vYmF=", "Zm9v YmE=", "Zm9vYmE=\n", "=", "====", "Zg=", "Z===", "Zm9vYm-_"}) CHECK_FALSE(from_base64(bad));
    for (auto bad : {"Zm9vYmE=", "Zh", "Zm9vYm+/", "Z"}) CHECK_FALSE(from_base64url(bad));
    for (auto bad : {"0", "0g", "AB"}) CHECK_FALSE(from_hex(bad));
}

TEST_CASE("a file's hash, and its beginning's") {
    temp_dir dir;
    REQUIRE(write_new_file(dir / "f", "abcdef", 0644));
    CHECK(hash_file(dir / "f").value() == sha256_of("abcdef"));
    CHECK(hash_file(dir / "f", 3).value() == sha256_of("abc"));
    CHECK(hash_file(dir / "f", 6).value() == sha256_of("abcdef"));
    CHECK(hash_file(dir / "f", 7).error() == errc::mismatch);
    CHECK(hash_file(dir / "g").error() == errc::not_found);
}

TEST_CASE("a secret that others could read, or that is a link, is not read") {
    temp_dir dir;
    REQUIRE(write_new_file(dir / "key", "secret", 0600));
    CHECK(read_small_file(dir / "key", secrecy::owner_only).value() == "secret");
    for (unsigned mode : {0640u, 0604u, 0660u, 0610u}) {
        REQUIRE(::chmod((dir / "key").c_str(), mode) == 0);
        CHECK(read_small_file(dir / "key", secrecy::owner_only).error() == errc::unsafe_file);
        CHECK(read_small_file(dir / "key", secrecy::anyone));
    }
    REQUIRE(::chmod((dir / "key").c_str(), 0400) == 0);
    CHECK(read_small_file(dir / "key", secrecy::owner_only));
    std::filesystem::create_symlink(dir / "key", dir / "link");
    CHECK(read_small_file(dir / "link", secrecy::owner_only).error() == errc::unsafe_file);
    CHECK(read_small_file(dir.path(), secrecy::owner_only).error() == errc::unsafe_file);
    CHECK(read_small_file(dir / "key", secrecy::owner_only, 3).error() == errc::too_large);
}

TEST_CASE("a new file is never written over another, and a replaced one is whole") {
    temp_dir dir;
    REQUIRE(write_new_file(dir / "f", "one", 0600));
    CHECK_FALSE(write_new_file(dir / "f", "two", 0600));
    CHECK(read_small_file(dir / "f", secrecy::anyone).value() == "one");
    REQUIRE(replace_file(dir / "f", "three", 0600));
    CHECK(read_small_file(dir / "f", secrecy::owner_only).value() == "three");
    CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
    CHECK(replace_file(dir / "nowhere/f", "x", 0600).error() == errc::not_found);
}
