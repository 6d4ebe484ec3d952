#pragma once
// A broker with a CA, two releases, and devices that are the programs of examples/device_client.

#include "tests/support/daemon.hpp"

#include <boost/json.hpp>
#include <doctest/doctest.h>
#include <map>
#include <memory>

namespace airmail::testing {

namespace json = boost::json;
using namespace std::chrono_literals;

inline outcome must(std::vector<std::string> const& args) {
    auto o = run(args);
    if (o.code != 0) FAIL(args[0] << " " << (args.size() > 1 ? args[1] : "") << ": " << o.text);
    return o;
}

inline std::string text_of(std::string const& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

/// A program in a process group of its own: a device restarts itself, and a shell has children.
class device_process {
public:
    device_process(std::vector<std::string> const& args, std::string output) : output_(std::move(output)) {
        std::vector<std::string> all{"setsid", "-w"};
        all.insert(all.end(), args.begin(), args.end());
        int const fd = ::open(output_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        pid_ = spawn(all, fd);
        ::close(fd);
    }
    ~device_process() { end(); }
    device_process(device_process const&) = delete;
    std::string said() const { return text_of(output_); }
    /// Power cut: the whole group at once.
    void end() {
        if (pid_ < 0) return;
        // setsid forks only when it leads a group already; either way the session is its child's or its own.
        auto const children = text_of("/proc/" + std::to_string(pid_) + "/task/" + std::to_string(pid_) + "/children");
        if (auto const child = std::atoi(children.c_str()); child > 0) ::kill(-child, SIGKILL);
        ::kill(-pid_, SIGKILL), ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }

private:
    std::string output_;
    pid_t pid_ = -1;
};

constexpr char const* house_configuration = R"(per_listener_settings true
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
ota_probation 1s
ota_probation_heartbeats 2
ota_rollback_grace 5s
listener {tls} 127.0.0.1
device_listener true
cafile {dir}/ca/ca.crt
certfile {dir}/ca/server.crt
keyfile {dir}/ca/server.key
require_certificate true
)";

class house {
public:
    /// @param without  a line of the configuration that shall not stand
    explicit house(std::string more = {}, std::string const& without = {}) : broker(configured(std::move(more), without)) {
        auto const ca = broker.dir() / "ca";
        must({AIRMAILCTL, "ca", "init", "--dir", ca});
        must({"cp", ca + "/keys/keys.json", broker.dir() / "live.json"});
        must({AIRMAILCTL, "ca", "server", "--dir", ca, "--san", "localhost", "--san", "127.0.0.1"});
        auto const why = broker.start();
        if (!why.empty()) FAIL(why);
    }
    static std::string configured(std::string more, std::string const& without) {
        std::string text = house_configuration;
        if (auto const at = text.find(without); !without.empty() && at != text.npos) text.erase(at, without.size());
        return text + more;
    }
    std::string path(std::string const& name) const { return broker.dir() / name; }
    outcome ctl(std::vector<std::string> args) const {
        std::vector<std::string> all{AIRMAILCTL, "--socket", path("control.sock"), "--json"};
        all.insert(all.end(), args.begin(), args.end());
        return run(all);
    }
    json::object get(std::string const& where) const {
        auto const o = broker.control("GET", where);
        boost::system::error_code ec;
        auto v = json::parse(o.text, ec);
        return o.code == 200 && !ec && v.is_object() ? v.as_object() : json::object{};
    }
    /// Signs and stores an image of so many bytes. @return firmware_id
    std::string upload(std::string const& version, int counter = 0, std::size_t bytes = 300'000, std::string const& model = "TX-100", std::string const& key = "release") {
        std::ofstream image(path("image-" + version), std::ios::binary);
        for (std::size_t i = 0; i < bytes; ++i) image.put(static_cast<char>((i * 2654435761u + version.size() * 7 + static_cast<unsigned char>(version.back())) >> 13));
        image.close();
        must({AIRMAILCTL, "firmware", "sign", path("image-" + version), "--key", path("ca/keys/" + key + ".pem"), "--version", version, "--model", model, "--security-counter",
              std::to_string(counter), "-o", path("release-" + version)});
        auto const said = ctl({"firmware", "upload", path("release-" + version)});
        REQUIRE_MESSAGE(said.code == 0, said.text);
        return json::parse(said.text.substr(said.text.find('{'))).at("firmware_id").as_string().c_str();
    }
    std::string bundle(std::string const& serial) const {
        auto const made = ctl({"device", "add", serial, "--model", "TX-100", "--bundle", path(serial + ".pem"), "--ca-dir", path("ca"), "--port", std::to_string(broker.tls_port())});
        REQUIRE_MESSAGE(made.code == 0, made.text);
        return path(serial + ".pem");
    }
    bool online(std::string const& serial) const {
        auto const d = get("/api/v1/devices/" + serial);
        auto const* s = d.if_contains("status");
        return s && *s == "online" && d.at("ever_seen") == true;
    }
    void campaign(std::string const& id, std::string const& firmware, std::string const& serial) const {
        auto const made = broker.control("POST", "/api/v1/campaigns", R"({"campaign_id":")" + id + R"(","name":"n","phases":"none","start":true,"firmware_id":")" + firmware +
                                         R"(","target_criteria":{"devices":[")" + serial + R"("]}})");
        REQUIRE_MESSAGE(made.code == 201, made.text);
    }
    std::string row(std::string const& campaign, std::string const& serial, char const* member) const {
        auto const o = get("/api/v1/campaigns/" + campaign + "/devices/" + serial);
        auto const* v = o.if_contains(member);
        return v && v->is_string() ? std::string(v->as_string()) : "";
    }

    broker_process broker;
};

/// The programs that are here, by language.
inline std::map<std::string, std::vector<std::string>> devices() {
    std::map<std::string, std::vector<std::string>> out{{"python", {"/usr/bin/env", "/usr/bin/python3", EXAMPLES "/python/device.py"}}, {"shell", {EXAMPLES "/shell/device.sh"}}};
#ifdef DEVICE_C
    out["c"] = {DEVICE_C};
#else
    MESSAGE("left out: the device in C (libmosquitto-dev, libcurl4-openssl-dev, libcjson-dev)");
#endif
#ifdef DEVICE_CPP
    out["cpp"] = {DEVICE_CPP};
#else
    MESSAGE("left out: the device in C++ (libmosquitto-dev, libcurl4-openssl-dev)");
#endif
    return out;
}

/// Starts one with its bundle in a directory of its own.
inline std::unique_ptr<device_process> start_device(house const& h, std::string const& language, std::string const& serial, std::string const& bundle, std::string const& self_test = "true") {
    ::setenv("HEARTBEAT_S", "1", 1), ::setenv("INSTALL_S", "0.3", 1), ::setenv("SELF_TEST", self_test.c_str(), 1);
    auto args = devices().at(language);
    auto const dir = h.path(serial);
    if (language == "python") args.insert(args.end(), {bundle, "--dir", dir, "--model", "TX-100", "--version", "v1.0.0", "--heartbeat", "1", "--install-seconds", "0.3", "--self-test", self_test});
    else args.insert(args.end(), {bundle, dir, "TX-100", "v1.0.0"});
    return std::make_unique<device_process>(args, h.path(serial + ".log"));
}

}
