// Debian's swupdate takes an update, resumes a download that was cut, refuses a damaged image, and is stopped by a cancel.

#include "tests/e2e/device_client/house.hpp"

using namespace airmail::testing;

namespace {

bool here() {
    bool const is = run({"sh", "-c", "command -v swupdate && command -v cpio"}).code == 0;
    if (!is) MESSAGE("left out: swupdate or cpio is not installed (tools/setup --test)");
    return is;
}

/// An image as swupdate wants it: a cpio of sw-description, its CMS signature and the payload.
void make_image(house const& h, std::string const& version, std::size_t bytes) {
    auto const dir = h.path("swu-" + version);
    must({"sh", "-c", R"sh(set -e
dir=$1; version=$2; bytes=$3; target=$4; mkdir -p "$dir"; cd "$dir"
[ -e ../swu.key ] || openssl req -x509 -newkey rsa:2048 -nodes -keyout ../swu.key -out ../swu.crt -days 3650 -subj /CN=swu -addext extendedKeyUsage=emailProtection 2>/dev/null
openssl enc -aes-128-ctr -K 00000000000000000000000000000001 -iv 00000000000000000000000000000000 -in /dev/zero 2>/dev/null | head -c "$bytes" > rootfs.img
cat > sw-description <<END
software = { version = "$version"; hardware-compatibility: [ "1.0" ]; images: ( { filename = "rootfs.img"; device = "$target"; type = "raw"; sha256 = "$(sha256sum < rootfs.img | cut -c1-64)"; } ); }
END
openssl cms -sign -in sw-description -out sw-description.sig -signer ../swu.crt -inkey ../swu.key -outform DER -nosmimecap -binary
printf 'sw-description\nsw-description.sig\nrootfs.img\n' | cpio -o -H crc 2>/dev/null > ../$version.swu)sh",
          "make", dir, version, std::to_string(bytes), h.path("target")});
}

class ddi_house : public house {
public:
    /// A release signed by our own key, as every device's: its manifest says more than the 512 bytes that swupdate bears behind an archive.
    ddi_house(std::string const& more, std::size_t bytes) : house("ota_ddi true\nota_ddi_poll 1s\n" + more) {
        make_image(*this, "v1.1.0", bytes);
        std::vector<std::string> sign{AIRMAILCTL, "firmware", "sign", path("v1.1.0.swu"), "--key", path("ca/keys/release.pem"), "--version", "v1.1.0", "--model", "SW-1", "-o", path("release.swu")};
        for (int i = 0; i < 200; ++i) sign.insert(sign.end(), {"--model", "another-model-of-the-same-house-" + std::to_string(i)});
        must(sign);
        REQUIRE(text_of(path("release.swu")).size() > text_of(path("v1.1.0.swu")).size() + 8000);
        CHECK(ctl({"firmware", "upload", path("v1.1.0.swu"), "--version", "v1.1.0", "--model", "SW-1"}).code != 0);      // unsigned: refused
        auto const said = ctl({"firmware", "upload", path("release.swu")});
        REQUIRE_MESSAGE(said.code == 0, said.text);
        firmware = json::parse(said.text.substr(said.text.find('{'))).at("firmware_id").as_string().c_str();
    }
    std::string root(std::string const& serial) const { return "https://localhost:" + std::to_string(broker.https_port()) + "/DEFAULT/controller/v1/" + serial; }
    /// Registers it with a token, tells model and version as a device does, and writes swupdate's configuration.
    void device(std::string const& serial) {
        REQUIRE(ctl({"device", "add", serial, "--model", "SW-1"}).code == 0);
        auto const made = broker.control("POST", "/api/v1/devices/" + serial + "/ddi-token", "{}");
        REQUIRE_MESSAGE(made.code == 201, made.text);
        token[serial] = json::parse(made.text).at("token").as_string().c_str();
        auto const told = broker_process::curl({"--cacert", path("ca/ca.crt"), "-X", "PUT", "-H", "Authorization: TargetToken " + token[serial], "-H", "Content-Type: application/json", "-d",
                                                R"({"mode":"merge","data":{"model":"SW-1","version":"v1.0.0"}})", root(serial) + "/configData"});
        REQUIRE_MESSAGE(told.code == 200, told.text);
        std::ofstream(path(serial + ".cfg")) << "globals: { verbose = true; loglevel = 5; public-key-file = \"" << path("swu.crt") << "\"; };\nsuricatta: { tenant = \"DEFAULT\"; id = \"" << serial
            << "\"; url = \"https://localhost:" << broker.https_port() << "\"; polldelay = 1; retry = 20; retrywait = 1; cafile = \"" << path("ca/ca.crt") << "\"; targettoken = \"" << token[serial] << "\"; };\n";
        std::ofstream(path("target"));
    }
    std::unique_ptr<device_process> swupdate(std::string const& serial, std::string const& confirm = {}) const {
        auto const tmp = path(serial + ".tmp" + confirm);
        must({"mkdir", "-p", tmp});
        std::vector<std::string> args{"env", "TMPDIR=" + tmp, "swupdate", "-f", path(serial + ".cfg"), "-l", "5", "-H", "board:1.0", "-k", path("swu.crt"), "-u", confirm.empty() ? "-p 1" : "-p 1 -c " + confirm};
        return std::make_unique<device_process>(args, path(serial + ".log"));
    }
    bool installed() const { return text_of(path("target")) == text_of(path("swu-v1.1.0/rootfs.img")); }

    std::string firmware;
    std::map<std::string, std::string> token;
};

}

TEST_CASE("swupdate: a whole update, success told after its restart, completed after probation") {
    if (!here()) return;
    ddi_house h("", 200'000);
    h.device("sw-1");
    h.campaign("one", h.firmware, "sw-1");
    auto first = h.swupdate("sw-1");
    if (!eventually([&] { return h.installed(); }, 40s)) FAIL(first->said() << h.broker.said());
    first->end();
    auto const second = h.swupdate("sw-1", "2");
    if (!eventually([&] { return h.row("one", "sw-1", "status") == "completed"; }, 40s)) FAIL(h.row("one", "sw-1", "stage") << second->said() << h.broker.said());
    CHECK(h.get("/api/v1/devices/sw-1").at("current_firmware") == "v1.1.0");
}

TEST_CASE("swupdate: the broker dies in the middle of the download; the rest is asked for by Range") {
    if (!here()) return;
    ddi_house h("ota_transfer_rate 256KiB\n", 1'500'000);
    h.device("sw-2");
    h.campaign("cut", h.firmware, "sw-2");
    auto const d = h.swupdate("sw-2");
    if (!eventually([&] { return h.row("cut", "sw-2", "status") == "downloading"; }, 40s)) FAIL(d->said() << h.broker.said());
    ::poll(nullptr, 0, 1500);                                      // bytes flow meanwhile
    h.broker.kill();
    auto const why = h.broker.start_again();
    REQUIRE_MESSAGE(why.empty(), why);
    if (!eventually([&] { return h.installed(); }, 60s)) FAIL(d->said() << h.broker.said());
    CHECK_MESSAGE(h.broker.get("/metrics").text.find("airmail_ddi_resumed_total 1") != std::string::npos, d->said());
}

TEST_CASE("swupdate: a damaged image is refused and the row has failed; a wrong token gets nothing") {
    if (!here()) return;
    ddi_house h("ota_retry_backoff 1h\nhttp_cafile {dir}/ca/ca.crt\n", 200'000);
    h.device("sw-3");
    CHECK(broker_process::curl({"--cacert", h.path("ca/ca.crt"), "-H", "Authorization: TargetToken wrong", h.root("sw-3")}).code == 401);
    CHECK(broker_process::curl({"--cacert", h.path("ca/ca.crt"), h.root("sw-3")}).code == 401);
    // A certificate of its own is as good as a token; another device's is not.
    auto const own = h.bundle("sw-cert"), other = h.bundle("sw-other");
    CHECK(broker_process::curl({"--cacert", h.path("ca/ca.crt"), "--cert", own, "--key", own, h.root("sw-cert")}).code == 200);
    CHECK(broker_process::curl({"--cacert", h.path("ca/ca.crt"), "--cert", other, "--key", other, h.root("sw-cert")}).code == 401);
    h.campaign("bad", h.firmware, "sw-3");
    // The numbers are fixed at the first look; then the disk turns a bit.
    auto const ask = [&](std::string const& url) { return broker_process::curl({"--cacert", h.path("ca/ca.crt"), "-H", "Authorization: TargetToken " + h.token["sw-3"], url}); };
    auto const base = json::parse(ask(h.root("sw-3")).text);
    auto const deployment = ask(base.at("_links").at("deploymentBase").at("href").as_string().c_str());
    REQUIRE_MESSAGE(deployment.code == 200, deployment.text);
    CHECK(deployment.text.size() < 1100);                          // Zephyr's buffer
    // The image as its maker built it: size, hashes and bytes are the archive's, without our manifest behind it.
    auto const artifact = json::parse(deployment.text).at("deployment").at("chunks").at(0).at("artifacts").at(0);
    auto const archive = h.path("v1.1.0.swu"), got = h.path("downloaded");
    auto const sum = [&](char const* tool) { return must({"sh", "-c", std::string(tool) + " < \"$1\" | cut -d' ' -f1 | tr -d '\\n'", "sum", archive}).text; };
    CHECK(artifact.at("size").to_number<std::size_t>() == text_of(archive).size());
    CHECK(artifact.at("hashes").at("sha256") == json::value(sum("sha256sum")));
    CHECK(artifact.at("hashes").at("sha1") == json::value(sum("sha1sum")));
    CHECK(artifact.at("hashes").at("md5") == json::value(sum("md5sum")));
    auto const href = std::string(artifact.at("_links").at("download").at("href").as_string());
    CHECK(ask(href + ".MD5SUM").text.starts_with(sum("md5sum")));
    CHECK(broker_process::curl({"--cacert", h.path("ca/ca.crt"), "-H", "Authorization: TargetToken " + h.token["sw-3"], "-o", got, href}).code == 200);
    CHECK(text_of(got) == text_of(archive));
    CHECK(broker_process::curl({"--cacert", h.path("ca/ca.crt"), "-H", "Authorization: TargetToken " + h.token["sw-3"], "-r", "-100", "-o", got, href}).code == 206);
    CHECK(text_of(got) == text_of(archive).substr(text_of(archive).size() - 100));
    auto const found = must({"find", h.path("data"), "-type", "f", "-size", "+190k", "-path", "*firmware*"}).text;
    auto const file = found.substr(0, found.find('\n'));
    must({"sh", "-c", "chmod u+w \"$1\"; printf x | dd of=\"$1\" bs=1 seek=100000 conv=notrunc 2>/dev/null", "damage", file});
    auto const d = h.swupdate("sw-3");
    if (!eventually([&] { return h.row("bad", "sw-3", "status") == "failed"; }, 40s)) FAIL(h.row("bad", "sw-3", "stage") << d->said() << h.broker.said());
}

TEST_CASE("swupdate: a cancel in the middle of the download ends it") {
    if (!here()) return;
    ddi_house h("ota_transfer_rate 64KiB\n", 3'000'000);
    h.device("sw-4");
    h.campaign("off", h.firmware, "sw-4");
    auto const d = h.swupdate("sw-4");
    if (!eventually([&] { return h.row("off", "sw-4", "status") == "downloading"; }, 40s)) FAIL(d->said() << h.broker.said());
    auto const said = h.broker.control("POST", "/api/v1/campaigns/off/cancel", "{}");
    REQUIRE_MESSAGE(said.code == 200, said.text);
    if (!eventually([&] { return h.row("off", "sw-4", "reason") == "cancelled"; }, 60s)) FAIL(h.row("off", "sw-4", "stage") << d->said() << h.broker.said());
    CHECK(!h.installed());
}

TEST_CASE("a gateway's token speaks for every device: a whole update by hand, and nothing with another one") {
    temp_dir keys;
    auto const file = keys / "gateway";
    std::ofstream(file) << "gateway-token-0123456789\n";
    must({"chmod", "0600", file});
    house h("ota_ddi true\nota_ddi_poll 1s\nota_unsigned_firmware allow\nota_ddi_gateway_token " + file + "\n");
    auto const ca = h.path("ca/ca.crt");
    auto const root = [&](std::string const& serial) { return "https://localhost:" + std::to_string(h.broker.https_port()) + "/DEFAULT/controller/v1/" + serial; };
    auto const ask = [&](std::string const& url, std::vector<std::string> more = {}, std::string const& token = "gateway-token-0123456789") {
        std::vector<std::string> args{"--cacert", ca, "-H", "Authorization: GatewayToken " + token, url};
        args.insert(args.end(), more.begin(), more.end());
        return broker_process::curl(args);
    };
    auto const put = [&](std::string const& serial, std::string const& version) {
        return ask(root(serial) + "/configData", {"-X", "PUT", "-H", "Content-Type: application/json", "-d", R"({"mode":"merge","data":{"model":"SW-1","version":")" + version + "\"}}"}).code;
    };
    // Two devices behind it; neither has a token or a certificate of its own.
    for (auto const* serial : {"gw-1", "gw-2"}) {
        CHECK(put(serial, "v1.0.0") == 200);
        CHECK(ask(root(serial)).code == 200);
    }
    CHECK(ask(root("gw-1"), {}, "gateway-token-0123456780").code == 401);
    CHECK(ask(root("gw-1"), {}, "").code == 401);
    CHECK(broker_process::curl({"--cacert", ca, "-H", "Authorization: TargetToken gateway-token-0123456789", root("gw-1")}).code == 401);
    CHECK(broker_process::curl({"--cacert", ca, root("gw-1")}).code == 401);

    std::ofstream(h.path("image")) << std::string(5000, 'g');
    auto const said = h.ctl({"firmware", "upload", h.path("image"), "--version", "v1.1.0", "--model", "SW-1"});
    REQUIRE_MESSAGE(said.code == 0, said.text);
    h.campaign("gate", json::parse(said.text.substr(said.text.find('{'))).at("firmware_id").as_string().c_str(), "gw-1");
    json::value base;
    REQUIRE(eventually([&] {
        base = json::parse(ask(root("gw-1")).text);
        return base.at("_links").as_object().contains("deploymentBase");
    }, 20s));
    auto const deployment_url = std::string(base.at("_links").at("deploymentBase").at("href").as_string());
    auto const deployment = ask(deployment_url);
    REQUIRE_MESSAGE(deployment.code == 200, deployment.text);
    auto const v = json::parse(deployment.text);
    auto const href = std::string(v.at("deployment").at("chunks").at(0).at("artifacts").at(0).at("_links").at("download-http").at("href").as_string());
    CHECK(ask(href).text == std::string(5000, 'g'));
    CHECK(ask(href, {}, "gateway-token-0123456780").code == 401);
    // The other device's update is not this one's, whoever speaks for it.
    auto other = href;
    other.replace(other.find("gw-1"), 4, "gw-2");
    CHECK(ask(other).code == 404);
    auto const closed = ask(deployment_url.substr(0, deployment_url.find('?')) + "/feedback", {"-X", "POST", "-H", "Content-Type: application/json", "-d",
        R"({"id":")" + std::string(v.at("id").as_string()) + R"(","status":{"execution":"closed","result":{"finished":"success"},"details":["installed"]}})"});
    CHECK(closed.code == 200);
    CHECK(eventually([&] { return ask(root("gw-1")), h.row("gate", "gw-1", "status") == "completed"; }, 30s));
    CHECK(h.broker.said().find("gateway-token-") == std::string::npos);
}

TEST_CASE("a gateway's token that others may read, or that is short, is refused at the start") {
    temp_dir keys;
    for (auto const& [text, mode, word] : {std::tuple{"gateway-token-0123456789", "0644", "others than its owner"}, {"short", "0600", "fewer than 16"}}) {
        std::ofstream(keys / "gateway", std::ios::trunc) << text << "\n";
        must({"chmod", mode, keys / "gateway"});
        broker_process b(house::configured("ota_ddi true\nota_ddi_gateway_token " + (keys / "gateway") + "\n", ""));
        must({AIRMAILCTL, "ca", "init", "--dir", b.dir() / "ca"});
        must({AIRMAILCTL, "ca", "server", "--dir", b.dir() / "ca", "--san", "localhost"});
        auto const o = b.try_start();
        CHECK(o.code == 78);
        CHECK_MESSAGE(o.text.find(word) != std::string::npos, o.text);
    }
}
