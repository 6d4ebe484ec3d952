#pragma once
// The world of one device, played by a test: what it says is written down, time passes when told, bytes come when told.

#include "tools/airmail-sim/device.hpp"

#include "tests/support/temp_dir.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deque>
#include <fstream>
#include <sstream>

namespace airmail::sim::test {

namespace fw = storage::firmware;
namespace json = boost::json;

/// A release of 100,000 bytes, signed, and the keys that a device believes.
struct release_of_v2 {
    release_of_v2() {
        std::ofstream(dir / "image", std::ios::binary) << std::string(100'000, 'i');
        fw::release_manifest m;
        m.model = {"TX-100"};
        m.version = "v1.1.0";
        m.security_counter = 3;
        m.components.push_back({"image", {}, 0});
        std::vector<fw::private_key> keys{release_key};
        auto made = fw::sign_release_file(dir / "image", dir / "release", m, keys).value();
        std::ostringstream text;
        text << std::ifstream(dir / "release", std::ios::binary).rdbuf();
        bytes = text.str();
        digest = fw::sha256_of(std::string_view(bytes));
        manifest_digest = made.manifest_sha256;
        manifest = fw::read_trailer(dir / "release").value().manifest.to_json();
        who.commands.keys.push_back(command_key.public_part());
        who.releases.keys.push_back(release_key.public_part());
    }
    /// An ota_update as the broker makes it.
    std::string command(std::uint64_t seq, std::string const& id = "c-1", std::string const& device = "dev-1") const {
        fw::signed_command s;
        s.device_id = device, s.seq = seq, s.issued_at = 1000, s.expires_at = 5000, s.campaign_id = "camp", s.command_id = id;
        s.version = "v1.1.0", s.sha256 = digest, s.size_bytes = bytes.size(), s.manifest_sha256 = manifest_digest;
        json::object o{{"command", "ota_update"}, {"version", s.version}, {"url", "https://h/fw/" + std::to_string(seq)}, {"checksum", fw::checksum_text(digest)},
                       {"size_bytes", s.size_bytes}, {"campaign_id", "camp"}, {"command_id", id}, {"device_id", device}, {"seq", seq}, {"issued_at", 1000}, {"expires_at", 5000}};
        o["manifest"] = json::parse(manifest);
        o["envelope"] = json::parse(fw::make_command(s, command_key).value().to_json());
        return json::serialize(o);
    }

    testing::temp_dir dir;
    fw::private_key release_key = fw::private_key::generate().value(), command_key = fw::private_key::generate().value();
    std::string bytes, manifest;
    fw::digest256 digest{}, manifest_digest{};
    trust who;
};

class rig final : public outlet {
public:
    explicit rig(release_of_v2& r, victim fate = victim::none) : release(r) {
        plan.serial = "dev-1", plan.model = "TX-100", plan.fate = fate, plan.seed = 7, plan.loops = 3;
        power_up();
    }
    /// A new process on the same disk.
    void power_up() {
        one.reset();
        disk = std::make_unique<slots>(dir / "dev-1", "TX-100", "v1.0.0");
        one = std::make_unique<device>(plan, *disk, release.who, *this);
        timers.clear(), fetching = false, online = false;
    }
    void connect() {
        online = true;
        one->connected();
    }
    /// The download's next bytes, at most `most`; ends it when all have come. False: the device wanted no more.
    bool serve(std::size_t most = SIZE_MAX) {
        while (fetching && most > 0) {
            auto const n = std::min({most, std::size_t{10'000}, release.bytes.size() - at});
            std::string_view const piece(release.bytes.data() + at, n);
            at += n, most -= n;
            if (!one->data(fw::as_bytes(piece))) return false;
            if (at == release.bytes.size()) fetching = false, one->fetch_ended(fetch_end::complete);
        }
        return true;
    }
    /// Runs what waits, shortest first, `n` times.
    void pass_time(int n = 1) {
        for (; n > 0 && !timers.empty(); --n) {
            auto const token = timers.front();
            timers.pop_front();
            one->timer(token);
        }
    }
    /// Comes up again after it went down.
    void come_back() {
        one->booted();
        connect();
    }
    /// The words of all statuses since the last call, "failed(reason)" with their reason.
    std::string words() {
        std::string out;
        for (auto const& s : std::exchange(statuses, {})) {
            auto const o = json::parse(s).as_object();
            out += (out.empty() ? "" : " ") + std::string(o.at("status").as_string());
            if (auto const* r = o.if_contains("reason")) out += "(" + std::string(r->as_string()) + ")";
        }
        return out;
    }
    json::object last_heartbeat() const { return json::parse(heartbeats.back()).as_object(); }

    // outlet
    bool publish(char const* leaf, std::string const& payload, int) override {
        if (!online) return false;
        std::string const to = leaf;
        (to == "status" ? statuses : to == "heartbeat" ? heartbeats : others).push_back(payload);
        return true;
    }
    void fetch(std::string const& u, std::uint64_t from, std::uint64_t) override { url = u, at = from, fetching = true, ++fetches; }
    void stop_fetch() override { fetching = false; }
    void restart(bool with_goodbye, std::chrono::milliseconds) override { (with_goodbye ? reboots : cuts)++, fetching = false, online = false; }
    void after(std::chrono::milliseconds, int token) override { timers.push_back(token); }
    std::int64_t now() override { return clock; }

    release_of_v2& release;
    testing::temp_dir dir;
    device_plan plan;
    std::unique_ptr<slots> disk;
    std::unique_ptr<device> one;
    std::deque<int> timers;
    std::vector<std::string> statuses, heartbeats, others;
    std::string url;
    std::size_t at = 0;
    std::int64_t clock = 2000;
    int fetches = 0, reboots = 0, cuts = 0;
    bool fetching = false, online = false;
};

}
