// Images go up to a real object store and come down by pre-signed URLs; what cannot get there is given out by the broker.

#include "storage/firmware/digest.hpp"
#include "storage/firmware/files.hpp"
#include "storage/firmware/sigv4.hpp"
#include "tests/e2e/images/listener.hpp"

using namespace airmail::testing;
namespace fw = airmail::storage::firmware;

namespace {

/// Swift on ports of the system's choice, with an empty bucket `images`.
class swift_server {
public:
    swift_server() {
        std::vector<std::string> args{"/usr/bin/python3", ROOT "/tests/e2e/images/swift_house.py", dir_ / "swift"};
        for (auto& p : ports_) p = port_free_now(), args.push_back(std::to_string(p));
        int const log = ::open((dir_ / "log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        child_ = spawn(args, log);
        ::close(log);
        int status = 0;
        up_ = eventually([&] {
            if (::waitpid(child_, &status, WNOHANG) == child_) return child_ = -1, true;
            return make_bucket() == 200;
        }) && child_ > 0;
        missing_ = child_ < 0 && WIFEXITED(status) && WEXITSTATUS(status) == 77;
    }
    ~swift_server() {
        if (child_ > 0) ::kill(child_, SIGTERM), ::waitpid(child_, nullptr, 0);
    }
    swift_server(swift_server const&) = delete;
    bool up() const { return up_; }
    bool missing() const { return missing_; }
    std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(ports_[0]); }
    std::string said() const { return text_of(dir_ / "log") + text_of(dir_ / "swift/proxy.log"); }

private:
    int make_bucket() const {
        auto place = fw::object_place::parse(endpoint()).value();
        place.bucket = "images";
        auto const r = fw::sign_request(place, {"test:airmail", "testing", ""}, {"PUT", "", {}, {}, fw::to_hex(fw::sha256_of(std::string_view{}))}, std::time(nullptr));
        std::vector<std::string> args{"-X", "PUT", endpoint() + r.target};
        for (auto const& [name, value] : r.headers) args.insert(args.end(), {"-H", name + ": " + value});
        return broker_process::curl(args).code;
    }
    temp_dir dir_;
    std::uint16_t ports_[4] = {};
    pid_t child_ = -1;
    bool up_ = false, missing_ = false;
};

swift_server& swift() {
    static swift_server one;
    return one;
}

bool here() {
    if (swift().missing()) MESSAGE("left out: Debian's swift is not installed (tools/setup --test)");
    else REQUIRE_MESSAGE(swift().up(), swift().said());
    return !swift().missing();
}

/// The keys' file is the broker's own; it must be there before it starts.
std::string with_store(std::string const& endpoint, std::string const& keys, std::string const& more = {}) {
    (void)fw::write_new_file(keys, "[default]\naws_access_key_id = test:airmail\naws_secret_access_key = testing\n", 0600);
    return "log_type all\nota_url_life_renewable 1h\nota_object_store_url " + endpoint + "\nota_object_store_bucket images\nota_object_store_keys " + keys + "\nota_object_store_part_size 5MiB\n" + more;
}

std::string state_of(house const& h, std::string const& firmware, char const* member = "object_store") {
    auto const o = h.get("/api/v1/firmware/" + firmware);
    auto const* v = o.if_contains(member);
    return v && v->is_string() ? std::string(v->as_string()) : "";
}

/// GET into a file. @return status; the file's SHA-256 in `sum`
int get(house const& h, std::string const& url, std::string& sum, std::vector<std::string> more = {}) {
    auto const file = h.path("got");
    std::vector<std::string> args{"-o", file, "--cacert", h.path("ca/ca.crt"), url};
    args.insert(args.end(), more.begin(), more.end());
    auto const code = broker_process::curl(args).code;
    sum = fw::to_hex(fw::sha256_of(text_of(file)));
    return code;
}

void start(house const& h, std::string const& id, std::string const& firmware, std::vector<std::string> const& serials) {
    std::string list;
    for (auto const& s : serials) (list += list.empty() ? "\"" : ",\"") += s + "\"";
    auto const made = h.broker.control("POST", "/api/v1/campaigns", R"({"campaign_id":")" + id + R"(","name":"n","phases":"none","start":true,"firmware_id":")" + firmware + R"(","target_criteria":{"devices":[)" + list + "]}}");
    REQUIRE_MESSAGE(made.code == 201, made.text);
}

}

TEST_CASE("object store: a large image goes up in parts, encrypted there; every command has its own URL, and a changed or late one opens nothing") {
    if (!here()) return;
    temp_dir keys;
    house h(with_store(swift().endpoint(), keys / "keys", "ota_object_store_sse AES256\nota_url_life 6s\n"));
    auto const firmware = h.upload("v1.1.0", 0, 12'000'000);
    if (!eventually([&] { return state_of(h, firmware) == "there"; }, 60s)) FAIL(state_of(h, firmware, "object_error") << h.broker.said() << swift().said());
    auto const truth = fw::to_hex(fw::sha256_of(text_of(h.path("release-v1.1.0"))));
    listener a(h, "dev-a"), b(h, "dev-b");
    start(h, "parts", firmware, {"dev-a", "dev-b"});
    auto const first = a.url(h), second = b.url(h);
    CHECK(first != second);
    CHECK(first.starts_with(swift().endpoint() + "/images/firmware/" + truth + "?"));
    std::string sum;
    CHECK_MESSAGE(get(h, second, sum) == 200, swift().said());
    CHECK(sum == truth);
    CHECK(get(h, first, sum, {"-r", "11000000-"}) == 206);
    CHECK(text_of(h.path("got")) == text_of(h.path("release-v1.1.0")).substr(11'000'000));
    auto other = first;
    auto const id = [](std::string const& url) { return url.substr(url.find("x-command-id=") + 13, 32); };
    other.replace(other.find(id(first)), 32, id(second));
    CHECK(get(h, other, sum) == 403);
    auto turned = first;
    turned.back() = turned.back() == '0' ? '1' : '0';
    CHECK(get(h, turned, sum) == 403);
    CHECK(eventually([&] { return get(h, first, sum) == 403; }, 20s));
    // What opens an image stands in no metric and no log.
    auto const metrics = h.broker.get("/metrics").text;
    CHECK(metrics.find("X-Amz") == std::string::npos);
    CHECK(metrics.find("airmail_firmware_object_uploads_total 1") != std::string::npos);
    CHECK(h.broker.stop() == 0);   // the log is whole
    CHECK(h.broker.said().find("X-Amz-Signature") == std::string::npos);
    CHECK(h.broker.said().find("testing") == std::string::npos);
}

TEST_CASE("object store: a device updates from it; an image that is deleted goes there too") {
    if (!here()) return;
    temp_dir keys;
    house h(with_store(swift().endpoint(), keys / "keys", "ota_object_store_prefix small\n"));
    auto const firmware = h.upload("v1.1.0");
    if (!eventually([&] { return state_of(h, firmware) == "there"; }, 60s)) FAIL(state_of(h, firmware, "object_error") << h.broker.said());
    auto const device = start_device(h, "python", "dev-p", h.bundle("dev-p"));
    REQUIRE_MESSAGE(eventually([&] { return h.online("dev-p"); }), device->said());
    listener also(h, "dev-q");
    start(h, "small", firmware, {"dev-p", "dev-q"});
    if (!eventually([&] { return h.row("small", "dev-p", "status") == "completed"; }, 60s)) FAIL(h.row("small", "dev-p", "stage") << device->said() << h.broker.said());
    CHECK(h.broker.get("/metrics").text.find("airmail_firmware_downloads_total 1") == std::string::npos);      // not a byte of it came from us
    auto const url = also.url(h);
    std::string sum;
    CHECK(get(h, url, sum) == 200);
    CHECK(h.broker.control("POST", "/api/v1/campaigns/small/cancel", "{}").code == 200);
    REQUIRE(eventually([&] { return h.broker.control("DELETE", "/api/v1/firmware/" + firmware).code == 200; }, 60s));
    CHECK(eventually([&] { return get(h, url, sum) == 404; }, 20s));
}

TEST_CASE("object store: one that cannot be reached leaves the image with the broker, which says so and gives it out") {
    temp_dir keys;
    house h(with_store("http://127.0.0.1:" + std::to_string(port_free_now()), keys / "keys"));
    auto const firmware = h.upload("v1.1.0");
    REQUIRE(eventually([&] { return !state_of(h, firmware, "object_error").empty(); }, 60s));
    CHECK(state_of(h, firmware) == "waiting");
    CHECK(h.broker.says("the embedded store gives it out"));
    CHECK(h.broker.control("GET", "/api/v1/alerts").text.find("object_store") != std::string::npos);
    listener a(h, "dev-a");
    start(h, "here", firmware, {"dev-a"});
    std::string sum;
    auto const url = a.url(h);
    CHECK(url.find("/fw/") != std::string::npos);
    CHECK(get(h, url, sum) == 200);
}

TEST_CASE("object store: keys that others may read are refused at the start, with the line that names them") {
    temp_dir keys;
    (void)fw::write_new_file(keys / "open", "aws_access_key_id = a\naws_secret_access_key = b\n", 0644);
    broker_process b(house::configured(with_store("https://s3.example", keys / "open"), ""));
    must({AIRMAILCTL, "ca", "init", "--dir", b.dir() / "ca"});
    must({AIRMAILCTL, "ca", "server", "--dir", b.dir() / "ca", "--san", "localhost"});
    auto const o = b.try_start();
    CHECK(o.code == 78);
    CHECK_MESSAGE(o.text.find("ota_object_store_keys") != std::string::npos, o.text);
}
