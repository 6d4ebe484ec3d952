#pragma once
// All built-in plugins on the pretend broker, an image in the store, and devices that say what the contract prints.

#include "plugins/alert/plugin.hpp"
#include "plugins/campaign/plugin.hpp"
#include "plugins/config_notify/plugin.hpp"
#include "plugins/firmware/plugin.hpp"
#include "plugins/heartbeat/plugin.hpp"
#include "plugins/registry/plugin.hpp"
#include "plugins/sdk/testing.hpp"
#include "plugins/status/plugin.hpp"
#include "plugins/watch/plugin.hpp"
#include "storage/firmware/digest.hpp"
#include "storage/firmware/release_manifest.hpp"
#include "storage/firmware/signature.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/json.hpp>
#include <doctest/doctest.h>
#include <fstream>
#include <string>

namespace fleet {

using namespace airmail;
namespace fw = storage::firmware;
using bench_type = sdk::testing::bench<plugins::registry_plugin, plugins::firmware_plugin, plugins::campaign_plugin, plugins::heartbeat_plugin,
                                       plugins::status_plugin, plugins::config_plugin, plugins::alert_plugin, plugins::watch_plugin>;

using opts = sdk::testing::options;

inline std::string member(std::string const& json, char const* key) {
    auto v = boost::json::parse(json).at(key);
    return v.is_string() ? std::string{v.as_string().c_str()} : boost::json::serialize(v);
}

/// Keys and folders, before the bench that reads them.
struct ground {
    testing::temp_dir dir;
    fw::private_key release = *fw::private_key::generate(), command = *fw::private_key::generate();

    std::string at(char const* name) const { return dir / name; }
    sdk::testing::options options(sdk::testing::options more) {
        if (std::ifstream{at("command.key")}.fail()) {
            (void)command.save_new(at("command.key"));
            std::ofstream{at("release.pub")} << release.public_part().pem();
        }
        sdk::testing::options o{{"ota_firmware_dir", at("firmware")}, {"ota_url_keys", at("url.keys")}, {"ota_command_key", at("command.key")},
                                {"ota_release_keys", at("release.pub")}, {"ota_url_base", "https://fw.example:8443"}};
        for (auto& [k, v] : more) o[k] = v;
        return o;
    }
};

struct house : ground {
    bench_type b;
    std::string firmware_id, checksum;

    explicit house(sdk::testing::options more = {}) : b(options(std::move(more))) {}

    /// A signed image, as `airmailctl firmware sign` makes it.
    std::string image(std::string const& version, std::string const& model = "TX-100") {
        std::ofstream{at("raw")} << "image of " << version << std::string(1000, 'x');
        fw::release_manifest m;
        m.model = {model}, m.version = version, m.security_counter = 3, m.created = 1'700'000'000;
        std::remove(at("signed").c_str());
        std::vector<fw::private_key> keys{release};
        auto r = fw::sign_release_file(at("raw"), at("signed"), m, keys);
        REQUIRE(r.has_value());
        return at("signed");
    }
    sdk::testing::response post(std::string const& file, std::string const& query = {}) {
        std::ifstream in{file, std::ios::binary | std::ios::ate};
        auto size = static_cast<std::uint64_t>(in.tellg());
        return b.http({.verb = "POST", .path = "/api/v1/firmware", .query = query, .body_file = file, .body_sha256 = fw::to_hex(*fw::hash_file(file)), .body_size = size});
    }
    void upload(std::string const& version = "v1.1.0") {
        auto r = post(image(version));
        REQUIRE(r.status == 201);
        firmware_id = member(r.body, "firmware_id"), checksum = member(r.body, "checksum");
    }

    sdk::verdict heartbeat(std::string const& id, std::string const& version = "v1.0.2", std::string const& more = {}) {
        return b.message({.topic = "devices/" + id + "/heartbeat", .payload = R"({"serial_no": ")" + id + R"(", "model": "TX-100", "current_firmware": ")" + version +
                          R"(", "timestamp": 1699878900)" + more + "}", .identity = id});
    }
    /// Connects, subscribes, says hello.
    void device(std::string const& id, std::string const& version = "v1.0.2", std::string const& more = {}) {
        b.session_ready(id);
        heartbeat(id, version, more);
    }
    void status(std::string const& id, std::string const& campaign, std::string const& word, std::string const& more = {}) {
        b.message({.topic = "devices/" + id + "/status", .payload = R"({"campaign_id": ")" + campaign + R"(", "status": ")" + word + "\"" + more + "}", .identity = id});
    }
    /// Created and started for all, unless `more` says otherwise.
    std::string campaign(std::string const& more = R"(,"phases":"none")", std::string const& id = "camp_789") {
        auto a = b.call("campaign.create", R"({"campaign_id":")" + id + R"(","name":"spring","firmware_id":")" + firmware_id + R"(","start":true)" + more + "}");
        INFO(a.json);
        REQUIRE(a.status == 201);
        b.advance(0);
        return id;
    }
    std::vector<sdk::testing::sent> commands(std::string const& id) { return b.published_to("devices/" + id + "/command"); }
    std::string row(std::string const& id, char const* column, std::string const& campaign = "camp_789") {
        return b.text(std::string{"SELECT "} + column + " || '' FROM campaign_devices WHERE serial_no = ? AND campaign_id = ?", {id, campaign});
    }
    std::string stage(std::string const& id) { return row(id, "stage"); }
    std::string state(std::string const& id = "camp_789") { return b.text("SELECT status || '/' || stage FROM campaigns WHERE campaign_id = ?", {id}); }
    std::int64_t drift(std::string const& id = "camp_789") {
        return std::stoll(member(b.call("campaign.audit", R"({"id":")" + id + "\"}").json, "drift"));
    }
    /// The way of a good device, after its command.
    void updates(std::string const& id, std::string const& campaign = "camp_789", std::string const& to = "v1.1.0") {
        status(id, campaign, "downloading");
        status(id, campaign, "installing");
        b.session_gone(id);
        device(id, to);
    }
};

}
