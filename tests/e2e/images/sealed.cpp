// Images encrypted on the disk: what a device gets is the image, what lies there is not.

#include "storage/firmware/files.hpp"
#include "tests/e2e/images/listener.hpp"

#include <sys/stat.h>

using namespace airmail::testing;
namespace fw = airmail::storage::firmware;

namespace {

struct keys {
    temp_dir dir;
    keys() {
        (void)fw::write_new_file(dir / "one", std::string(64, '1') + "\n", 0600);
        (void)fw::write_new_file(dir / "two", std::string(64, '2') + "\n", 0600);
    }
    std::string line(char const* name) const { return "ota_firmware_key " + (dir / name) + "\n"; }
};

std::string stored_file(house const& h) {
    auto const found = must({"find", h.path("data/firmware"), "-type", "f", "-size", "+100k"}).text;
    return found.substr(0, found.find('\n'));
}

std::string url_for(house const& h, std::string const& campaign, std::string const& firmware, std::string const& serial) {
    listener const device(h, serial);
    h.campaign(campaign, firmware, serial);
    return device.url(h);
}

outcome get(house const& h, std::string const& url, std::vector<std::string> more = {}) {
    std::vector<std::string> args{"-o", h.path("got"), "--cacert", h.path("ca/ca.crt"), url};
    must({"rm", "-f", h.path("got")});
    args.insert(args.end(), more.begin(), more.end());
    return broker_process::curl(args);
}

}

TEST_CASE("encrypted at rest: whole, by range, by If-Range and resumed, the device gets the image; the disk has none of it") {
    keys k;
    house h(k.line("one"));
    auto const firmware = h.upload("v1.1.0", 0, 500'000);
    auto const image = text_of(h.path("release-v1.1.0")), stored = text_of(stored_file(h));
    CHECK(stored_file(h).ends_with(".sealed"));
    for (std::size_t at = 0; at + 32 < image.size(); at += 8192) CHECK(stored.find(image.substr(at, 32)) == stored.npos);
    CHECK(run({"sh", "-c", "ls -A " + h.path("data/firmware") + " | grep -c upload"}).text == "0\n");
    auto const url = url_for(h, "one", firmware, "dev-1");
    CHECK(get(h, url).code == 200);
    CHECK(text_of(h.path("got")) == image);
    CHECK(get(h, url, {"-r", "65530-65549"}).code == 206);
    CHECK(text_of(h.path("got")) == image.substr(65'530, 20));
    auto const etag = url.substr(url.find("/fw/") + 4, 64);
    CHECK(get(h, url, {"-H", "Range: bytes=400000-", "-H", "If-Range: \"" + etag + "\""}).code == 206);
    CHECK(text_of(h.path("got")) == image.substr(400'000));
    CHECK(get(h, url, {"-H", "Range: bytes=400000-", "-H", "If-Range: \"another\""}).code == 200);
    CHECK(get(h, url, {"-r", std::to_string(image.size()) + "-"}).code == 416);
    CHECK(broker_process::curl({"-I", "--cacert", h.path("ca/ca.crt"), url}).text.find("Content-Length: " + std::to_string(image.size())) != std::string::npos);
    // A device of ours, from command to probation.
    auto const device = start_device(h, "python", "dev-2", h.bundle("dev-2"));
    REQUIRE_MESSAGE(eventually([&] { return h.online("dev-2"); }), device->said());
    h.campaign("two", firmware, "dev-2");
    CHECK_MESSAGE(eventually([&] { return h.row("two", "dev-2", "status") == "completed"; }, 60s), device->said());
}

TEST_CASE("encrypted at rest: a flipped byte ends the download before it, a cut file opens nothing") {
    keys k;
    house h(k.line("one"));
    auto const firmware = h.upload("v1.1.0", 0, 500'000);
    auto const image = text_of(h.path("release-v1.1.0"));
    auto const url = url_for(h, "one", firmware, "dev-1");
    must({"sh", "-c", "chmod u+w \"$1\"; printf x | dd of=\"$1\" bs=1 seek=200000 conv=notrunc 2>/dev/null", "damage", stored_file(h)});
    get(h, url);
    auto const got = text_of(h.path("got"));
    CHECK(got.size() < image.size());
    CHECK(image.starts_with(got));
    CHECK(h.broker.says("an encrypted image cannot be read at"));
    must({"truncate", "-s", "150000", stored_file(h)});
    CHECK(get(h, url).code == 500);
}

TEST_CASE("encrypted at rest: keys rotate, plain images stay, and a missing key is told by name and makes the broker not ready") {
    keys k;
    house h;
    auto const plain = h.upload("v1.0.1");
    auto const restart = [&](std::string const& lines) {
        h.broker.stop();
        h.broker.configure(std::string(house::configured("", "")) + lines);
        return h.broker.start();
    };
    REQUIRE(restart(k.line("one")) == "");
    auto const first = h.upload("v1.1.0");
    REQUIRE(restart(k.line("two") + k.line("one")) == "");
    auto const second = h.upload("v1.2.0");
    int n = 0;
    for (auto const& [firmware, file] : {std::pair{plain, "release-v1.0.1"}, {first, "release-v1.1.0"}, {second, "release-v1.2.0"}}) {
        auto const name = "r" + std::to_string(++n);
        CHECK(get(h, url_for(h, name, firmware, "dev-" + name)).code == 200);
        CHECK(text_of(h.path("got")) == text_of(h.path(file)));
    }
    h.broker.stop();
    h.broker.configure(std::string(house::configured("", "")) + k.line("two"));
    h.broker.launch_unwatched();
    CHECK(eventually([&] { return h.broker.get("/readyz").text.find("ota_firmware_key does not name") != std::string::npos; }, 20s));
    CHECK(h.broker.ready() == 503);
}

TEST_CASE("encrypted at rest: a key file that others may read is refused at the start") {
    keys k;
    ::chmod((k.dir / "one").c_str(), 0644);
    broker_process b(house::configured(k.line("one"), ""));
    must({AIRMAILCTL, "ca", "init", "--dir", b.dir() / "ca"});
    must({AIRMAILCTL, "ca", "server", "--dir", b.dir() / "ca", "--san", "localhost"});
    auto const o = b.try_start();
    CHECK(o.code == 78);
    CHECK_MESSAGE(o.text.find("ota_firmware_key") != std::string::npos, o.text);
}
