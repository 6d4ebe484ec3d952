// kill -9 at random moments of a campaign. Afterwards three ledgers agree about every device: its slots on disk, the registry's rows, and the
// events that a durable MQTT session saw; every command_id is one the campaign gave, and no slot was begun twice for one of them.
//
// The default run is short (24 devices, 3 kills). AIRMAIL_LONG=1: 200 devices, 10 kills, at least 3 of them with 50 or more downloads
// under way. AIRMAIL_SEED=n repeats a run.

#include "storage/firmware/ids.hpp"
#include "storage/sqlite/db.hpp"
#include "tests/support/daemon.hpp"

#include <boost/json.hpp>
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <set>
#include <sys/stat.h>

namespace json = boost::json;
namespace sqlite = airmail::storage::sqlite;
using namespace airmail::testing;
using namespace std::chrono_literals;

namespace {

struct size_of_run {
    int devices, kills, crowded_kills, crowd;
    unsigned spread_ms;                  // of the other kills
    std::size_t image_bytes;
    char const* transfer_rate;
};

size_of_run chosen() {
    // A download lasts longer than all kills together, so that each of them meets some.
    if (std::getenv("AIRMAIL_LONG")) return {200, 10, 4, 50, 3'000, 2 << 20, "64KiB"};
    return {24, 3, 1, 8, 1'000, 512 << 10, "96KiB"};
}

unsigned seed() {
    auto const* given = std::getenv("AIRMAIL_SEED");
    return given ? static_cast<unsigned>(std::atol(given)) : std::random_device{}();
}

outcome must(std::vector<std::string> const& args) {
    auto o = run(args);
    if (o.code != 0) FAIL(args[0] << " " << args[1] << ": " << o.text);
    return o;
}

/// A program that runs beside, ended by SIGTERM.
class beside {
public:
    beside(std::vector<std::string> const& args, std::string const& output) {
        int const fd = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        pid_ = spawn(args, fd);
        ::close(fd);
    }
    ~beside() { end(); }
    void signal(int n) const { ::kill(pid_, n); }
    void end() {
        if (pid_ < 0) return;
        signal(SIGTERM);
        int status = 0;
        if (!eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }, 10s)) signal(SIGKILL), ::waitpid(pid_, &status, 0);
        pid_ = -1;
    }

private:
    pid_t pid_ = -1;
};

std::string text_of(std::string const& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

constexpr char const* configuration = R"(per_listener_settings true
http_bind 127.0.0.1
http_port {https}
http_certfile {dir}/ca/server.crt
http_keyfile {dir}/ca/server.key
ota_url_base https://localhost:{https}
ota_url_keys {dir}/ca/keys/url_keys.json
ota_command_key {dir}/ca/keys/command.pem
ota_release_keys {dir}/ca/keys/release.pem.pub
ota_ack_timeout 5s
ota_start_timeout 10s
ota_stall_timeout 60s
ota_install_timeout 2m
ota_probation 1s
ota_probation_heartbeats 2
ota_rollback_grace 10s
ota_retry_backoff 2s
listener {tls} 127.0.0.1
device_listener true
cafile {dir}/ca/ca.crt
certfile {dir}/ca/server.crt
keyfile {dir}/ca/server.key
require_certificate true
listener {plain} 127.0.0.1
allow_anonymous true
acl_file {dir}/operators.acl
max_queued_messages 0
)";

class story {
public:
    explicit story(size_of_run const& n) : n_(n), broker_(configuration + std::string{"ota_transfer_rate "} + n.transfer_rate + "\n") {
        auto const ca = broker_.dir() / "ca";
        must({AIRMAILCTL, "ca", "init", "--dir", ca});
        must({AIRMAILCTL, "ca", "server", "--dir", ca, "--san", "localhost", "--san", "127.0.0.1"});
        std::ofstream(broker_.dir() / "operators.acl") << "topic read $ota/#\n";
        ::chmod((broker_.dir() / "operators.acl").c_str(), 0600);
        auto const why = broker_.start();
        if (!why.empty()) FAIL(why);
        watch_ = std::make_unique<beside>(std::vector<std::string>{"mosquitto_sub", "-h", "127.0.0.1", "-p", std::to_string(broker_.port()), "-V", "mqttv5", "-i", "watcher", "-c",
                                                                   "-x", "3600", "-q", "1", "-t", "$ota/campaign/+/events", "-F", "%p"}, events());
    }

    void upload() {
        std::ofstream image(broker_.dir() / "image", std::ios::binary);
        std::mt19937 bytes{1};
        for (std::size_t i = 0; i < n_.image_bytes; i += 4) {
            auto const word = static_cast<std::uint32_t>(bytes());
            image.write(reinterpret_cast<char const*>(&word), 4);
        }
        image.close();
        must({AIRMAILCTL, "firmware", "sign", broker_.dir() / "image", "--key", broker_.dir() / "ca/keys/release.pem", "--version", "v1.1.0", "--model", "TX-100", "-o", release()});
        auto const said = must({AIRMAILCTL, "--socket", broker_.dir() / "control.sock", "--json", "firmware", "upload", release()}).text;
        firmware_ = json::parse(said.substr(said.find('{'))).at("firmware_id").as_string().c_str();
    }
    void people() {
        auto const ca = broker_.dir() / "ca";
        fleet_ = std::make_unique<beside>(std::vector<std::string>{AIRMAIL_SIM, "--dir", broker_.dir() / "devices", "--devices", std::to_string(n_.devices), "--model", "TX-100",
            "--firmware", "v1.0.0", "--host", "localhost", "--port", std::to_string(broker_.tls_port()), "--ca-dir", ca, "--command-key", ca + "/keys/command.pem.pub", "--release-key",
            ca + "/keys/release.pem.pub", "--heartbeat", "1s", "--install", "200ms", "--reboot", "500ms", "--confirm", "1s", "--connect-rate", "200", "--report", report()},
            broker_.dir() / "sim.log");
        bool const all = eventually([this] { return number(get("/api/v1/fleet"), "online") == n_.devices; }, 120s);
        if (!all) FAIL("the fleet is not complete: " << json::serialize(get("/api/v1/fleet")));
    }
    void campaign() {
        auto const made = broker_.control("POST", "/api/v1/campaigns", R"({"campaign_id":"killed","name":"killed","phases":"none","start":true,"firmware_id":")" + firmware_ + "\"}");
        REQUIRE_MESSAGE(made.code == 201, made.text);
    }
    json::object get(std::string const& path) const {
        auto const o = broker_.control("GET", path);
        boost::system::error_code ec;
        auto v = json::parse(o.text, ec);
        return o.code == 200 && !ec && v.is_object() ? v.as_object() : json::object{};
    }
    static std::int64_t number(json::object const& o, char const* key) {
        auto const* v = o.if_contains(key);
        return v && v->is_int64() ? v->as_int64() : -1;
    }
    std::int64_t counter(char const* key) const {
        auto const c = get("/api/v1/campaigns/killed");
        auto const* n = c.if_contains("counters");
        return n ? number(n->as_object(), key) : -1;
    }
    /// Waits for the moment, then takes the power away and gives it back. @return downloads under way at that moment; -1: too late
    std::int64_t kill(bool crowded, std::chrono::milliseconds after) {
        if (crowded && !eventually([this] { return over() || counter("downloading") >= n_.crowd; }, 60s)) return -1;
        ::poll(nullptr, 0, static_cast<int>(after.count()));
        if (over()) return -1;
        auto const downloads = counter("downloading");
        broker_.kill();
        auto const why = broker_.start_again();
        if (!why.empty()) FAIL(why);
        return downloads;
    }
    bool over() const {
        auto const c = get("/api/v1/campaigns/killed");
        auto const* s = c.if_contains("status");
        return s && *s == "completed";
    }
    void judge();

private:
    std::string events() const { return broker_.dir() / "events"; }
    std::string report() const { return broker_.dir() / "report.json"; }
    std::string release() const { return broker_.dir() / "release"; }
    struct heard { std::map<std::string, std::string> last; std::set<std::int64_t> seqs; bool finished = false; std::map<std::string, std::set<std::string>> ids; };
    heard hear() const;

    size_of_run n_;
    broker_process broker_;
    std::unique_ptr<beside> watch_, fleet_;
    std::string firmware_;
};

/// What the watcher saw; the same seq may come twice and means the same.
story::heard story::hear() const {
    heard out;
    std::map<std::string, std::int64_t> at;
    std::istringstream lines(text_of(events()));
    for (std::string line; std::getline(lines, line);) {
        boost::system::error_code ec;
        auto v = json::parse(line, ec);
        if (ec || !v.is_object()) continue;                      // the line that is being written
        auto const& e = v.as_object();
        auto const seq = e.at("seq").as_int64();
        out.seqs.insert(seq);
        if (e.at("event") == "campaign") {
            out.finished |= e.at("status") == "completed";
            continue;
        }
        std::string const serial = e.at("serial_no").as_string().c_str();
        if (auto const* id = e.if_contains("command_id"); id && id->is_string() && !id->as_string().empty()) out.ids[serial].insert(id->as_string().c_str());
        if (seq > at[serial]) at[serial] = seq, out.last[serial] = e.at("to").as_string().c_str();
    }
    return out;
}

void story::judge() {
    bool const told = eventually([this] { return hear().finished; }, 60s);
    CHECK_MESSAGE(told, "the watcher never heard of the end");
    fleet_->signal(SIGUSR2);
    REQUIRE(eventually([this] { return ::access(report().c_str(), R_OK) == 0; }, 30s));
    auto const said = hear();
    auto const audit = get("/api/v1/campaigns/killed/audit");
    CHECK(number(audit, "drift") == 0);

    sqlite::db registry(broker_.dir() / "data/registry.db", {.create = false, .read_only = true});
    auto const newest = registry.integer("SELECT seq FROM campaigns WHERE campaign_id = 'killed'");
    std::string missed;
    for (std::int64_t seq = 1; seq <= newest; ++seq)
        if (!said.seqs.contains(seq)) missed += std::to_string(seq) + " ";
    CHECK_MESSAGE(static_cast<std::int64_t>(said.seqs.size()) == newest, "missed: " << missed);
    CHECK(registry.integer("SELECT count(*) FROM airmail_dead_letters") == 0);
    CHECK(registry.integer("SELECT n_completed FROM campaigns") == n_.devices);
    CHECK(registry.integer("SELECT count(*) FROM campaign_devices WHERE status = 'completed'") == n_.devices);

    auto const image = must({"sha256sum", release()}).text.substr(0, 64);
    int devices = 0, again = 0;
    auto const sim = json::parse(text_of(report()));
    for (auto const& v : sim.at("devices").as_array()) {
        auto const& d = v.as_object();
        std::string const serial = d.at("serial_no").as_string().c_str();
        CAPTURE(serial);
        ++devices;
        CHECK(std::string{d.at("active_sha256").as_string().c_str()} == image);
        CHECK(std::string{d.at("version").as_string().c_str()} == "v1.1.0");
        auto const row = registry.exec("SELECT c.status, c.attempt, c.device_id, d.current_firmware FROM campaign_devices c JOIN devices d USING(device_id) WHERE c.serial_no = ?", {serial});
        REQUIRE(row.size() == 1);
        CHECK(std::get<std::string>(row[0][0]) == said.last.at(serial));
        CHECK(std::get<std::string>(row[0][3]) == "v1.1.0");
        // Every id the device was given is the one of an attempt, in order, and no attempt has two.
        auto const attempts = std::get<std::int64_t>(row[0][1]);
        std::set<std::string> possible;
        for (std::uint32_t a = 1; a <= attempts; ++a)
            possible.insert(airmail::storage::firmware::command_id("killed", std::get<std::string>(row[0][2]), a));
        std::set<std::string> given;
        for (auto const& id : d.at("command_ids").as_array()) {
            CHECK(given.insert(id.as_string().c_str()).second);
            CHECK(possible.contains(id.as_string().c_str()));
        }
        CHECK(!given.empty());
        for (auto const& id : said.ids.at(serial)) CHECK(possible.contains(id));
        for (auto const& w : d.at("slot_writes").as_object()) CHECK_MESSAGE(w.value().to_number<int>() <= 1, std::string{w.key()});
        again += static_cast<int>(d.at("duplicates").to_number<int>());
    }
    CHECK(devices == n_.devices);
    MESSAGE(devices << " devices, " << said.seqs.size() << " events, " << again << " commands given again under the same id, " << sim.at("resumes").to_number<int>()
                    << " downloads resumed, drift 0");
}

}

TEST_CASE("killed in the middle of a campaign: each command_id once or again, no slot written twice, counts right") {
    auto const n = chosen();
    auto const drawn = seed();
    std::mt19937 rng{drawn};
    MESSAGE("AIRMAIL_SEED=" << drawn << ": " << n.devices << " devices, " << n.kills << " kills");
    CAPTURE(drawn);
    story s(n);
    s.upload();
    s.people();
    s.campaign();
    int kills = 0, crowded = 0;
    for (int i = 0; i < n.kills; ++i) {
        bool const wanted = i < n.crowded_kills;
        auto const after = std::chrono::milliseconds(rng() % (wanted ? 500 : n.spread_ms));
        auto const downloads = s.kill(wanted, after);
        if (downloads < 0) break;
        ++kills, crowded += downloads >= n.crowd;
        MESSAGE("kill " << kills << " with " << downloads << " downloads under way");
    }
    CHECK(kills == n.kills);
    CHECK(crowded >= std::max(1, n.crowded_kills - 1));
    REQUIRE(eventually([&] { return s.over(); }, 600s));
    s.judge();
}
