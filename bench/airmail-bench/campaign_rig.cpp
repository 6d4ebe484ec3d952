// airmaild's control socket, keys and configuration, and a fleet that has said hello.
#include "bench/airmail-bench/campaign_rig.hpp"

#include "bench/airmail-bench/failure.hpp"
#include "bench/airmail-bench/meter.hpp"
#include "storage/firmware/release_manifest.hpp"
#include "storage/firmware/signature.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <fstream>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace airmail::bench {

namespace fw = storage::firmware;
namespace json = boost::json;

control::control(std::string const& path, std::string_view verb, std::string_view target, std::string_view body, std::string_view type) {
    sockaddr_un a{};
    a.sun_family = AF_UNIX;
    path.copy(a.sun_path, sizeof a.sun_path - 1);
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd_, reinterpret_cast<sockaddr const*>(&a), sizeof a) != 0) throw failure("no control socket at " + path + ": this scenario is for airmaild");
    auto text = fmt::format("{} {} HTTP/1.1\r\nHost: airmail\r\nConnection: close\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n", verb, target, type, body.size());
    text += body;
    for (std::size_t sent = 0; sent < text.size();) {
        auto const n = ::write(fd_, text.data() + sent, text.size() - sent);
        if (n <= 0) throw failure("the control socket takes nothing");
        sent += static_cast<std::size_t>(n);
    }
}

control::~control() { ::close(fd_); }

bool control::ready() const {
    pollfd p{fd_, POLLIN, 0};
    return ::poll(&p, 1, 0) > 0;
}

json::value control::answer() {
    std::string all;
    char piece[16384];
    for (ssize_t n; (n = ::read(fd_, piece, sizeof piece)) > 0;) all.append(piece, static_cast<std::size_t>(n));
    auto const head = all.find("\r\n\r\n");
    if (head == all.npos || all.size() < 12 || all[9] != '2') throw failure("control socket: " + all);
    return json::parse(all.substr(head + 4));
}

std::string upload(bench_run& r, std::size_t image_bytes) {
    auto const& dir = r.broker.place().dir;
    std::ofstream(dir + "/image") << std::string(image_bytes, 'x');
    fw::release_manifest m;
    m.model = {"bench"}, m.version = "2.0.0";
    auto const key = fw::private_key::load(dir + "/release.key");
    if (!key) throw failure("release.key: " + key.error().message());
    std::vector<fw::private_key> const keys{*key};
    if (auto const done = fw::sign_release_file(dir + "/image", dir + "/release", m, keys); !done) throw failure("cannot sign: " + done.error().message());
    std::ifstream in(dir + "/release", std::ios::binary);
    std::string const body{std::istreambuf_iterator<char>(in), {}};
    return std::string{control(control_socket(r), "POST", "/api/v1/firmware", body, "application/octet-stream").answer().at("firmware_id").as_string().c_str()};
}

void register_all(bench_run& r, swarm& s) {
    auto const n = r.sizes.commanded;
    std::size_t waiting = 0;
    s.on_puback = [&](peer&, std::uint16_t) { --waiting; };
    for (std::size_t i = 0; i < n; ++i) {
        connect_options o;
        o.port = r.broker.place().port;
        o.client_id = o.user_name = device_name(i);
        auto& p = s.open(o);
        s.settle_if_over(64);
        s.subscribe(p, fmt::format("devices/{}/command", device_name(i)), 1);
    }
    s.settle();
    for (std::size_t i = 0; i < n; ++i) {
        auto const beat = fmt::format(R"({{"serial_no":"{}","model":"bench","current_firmware":"1.0.0","timestamp":1795000000}})", device_name(i));
        s.publish(s.at(i), fmt::format("devices/{}/heartbeat", device_name(i)), {reinterpret_cast<std::uint8_t const*>(beat.data()), beat.size()}, 1);
        for (++waiting; waiting > 500;) s.turn(std::chrono::milliseconds(50));
    }
    for (auto const until = now_ns() + 120'000'000'000; now_ns() < until;) {
        s.turn(std::chrono::milliseconds(200));
        auto const fleet = control(control_socket(r), "GET", "/api/v1/fleet", "").answer();
        if (fleet.at("total").to_number<std::size_t>() == n && fleet.at("online").to_number<std::size_t>() == n) return;
    }
    throw failure("the registry does not know all devices after two minutes");
}

std::string campaign_config(std::string const& dir) {
    for (auto const* name : {"release", "command"}) {
        auto const key = fw::private_key::generate();
        if (!key || !key->save_new(dir + "/" + name + ".key")) throw failure("cannot make keys in " + dir);
        std::ofstream(dir + "/" + name + ".pub") << key->public_part().pem();
    }
    return fmt::format("control_socket {0}/control.sock\nota_command_key {0}/command.key\nota_release_keys {0}/release.pub\nota_url_base https://localhost:8443\nairmail_plugin ota\n", dir);
}

}
