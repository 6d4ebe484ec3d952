#include "tools/airmail-sim/fleet.hpp"

#include "storage/firmware/signature.hpp"
#include "tools/airmailctl/ca.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <stdexcept>
#include <unistd.h>

namespace airmail::sim {

namespace fs = std::filesystem;
namespace fw = storage::firmware;
using std::chrono::milliseconds;

namespace {

constexpr int seen_ms = 4000;            // how long an offline device shows itself with --offline-seen

fw::signers load_keys(std::vector<std::string> const& files) {
    fw::signers s;
    for (auto const& f : files) {
        auto key = fw::public_key::load(f);
        if (!key) throw std::runtime_error("key " + f + ": " + key.error().message());
        s.keys.push_back(std::move(*key));
    }
    return s;
}

std::shared_ptr<client::tls_context const> tls_of(client::tls_options const& o, std::string const& what) {
    auto made = client::tls_context::make(o);
    if (!made) throw std::runtime_error(what + ": " + made.error().message());
    return *made;
}

}

fleet::fleet(options o) : set_(std::move(o)), terminal_(::isatty(STDERR_FILENO) != 0) {
    trust_.commands = load_keys(set_.command_keys);
    trust_.releases = load_keys(set_.release_keys);
    https_ = tls_of({.ca = set_.http_ca_file}, set_.http_ca_file);
    around_ = std::make_unique<surroundings>(surroundings{io_, set_, later_, trust_, *https_});
    make_units();
}

void fleet::make_units() {
    auto const fates = draw_victims(set_.seed, set_.devices, set_.victims);
    if (!fates) throw std::runtime_error("more victims than devices");
    std::unique_ptr<ctl::certificate_authority> ca;
    auto const handlers = make_handlers();
    auto const width = std::max<std::size_t>(4, std::to_string(set_.devices).size());
    dice seeds(set_.seed ^ 0xa1b2c3);
    for (std::size_t i = 0; i < set_.devices; ++i) {
        device_plan p;
        p.serial = fmt::format("{}{:0{}}", set_.prefix, i + 1, width);
        p.model = set_.model, p.hw = set_.hw;
        p.fate = (*fates)[i];
        p.seed = seeds.roll();
        p.install = set_.install, p.reboot = set_.reboot, p.confirm = set_.confirm;
        auto const home = set_.dir + "/" + p.serial;
        auto stem = home + "/device";
        if (!set_.certs_dir.empty()) stem = set_.certs_dir + "/" + p.serial;
        else if (!fs::exists(stem + ".crt")) {
            fs::create_directories(home);
            if (!ca) ca = std::make_unique<ctl::certificate_authority>(ctl::certificate_authority::open(set_.ca_dir));
            ctl::write_issued(ca->issue_device(p.serial), stem);
        }
        auto tls = tls_of({.ca = set_.ca_file, .certificate = stem + ".crt", .key = stem + ".key"}, stem + ".crt");
        units_.push_back(std::make_unique<unit>(*around_, std::move(p), home, std::move(tls), handlers, i));
    }
}

std::shared_ptr<client::handlers const> fleet::make_handlers() {
    auto h = std::make_shared<client::handlers>();
    h->on_connack = [this](client::client& c, codec::connack_view const& a) { units_[c.tag]->connack(a); };
    h->on_message = [this](client::client& c, codec::publish_view const& p) { units_[c.tag]->message(p); };
    h->on_ack = [this](client::client& c, client::ack_event const& e) { units_[c.tag]->ack(e); };
    h->on_closed = [this](client::client& c, client::close_info const& why) {
        if (why.error && !finishing_ && around_->closed < 3) fmt::print(stderr, "airmail-sim: {}: connection ended: {} {}\n", units_[c.tag]->machine().plan().serial, why.error.message(), why.detail);
        units_[c.tag]->gone(why);
    };
    return h;
}

int fleet::run() {
    began_ = agenda::clock::now();
    start();
    for (int s : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2}) signals_.add(s);
    wait_signal();
    read_controls();
    tick();
    io_.run();
    if (terminal_ && !set_.json) fmt::print(stderr, "\n");
    write_report();
    return code_;
}

void fleet::start() {
    std::size_t n = 0, changes = set_.notify;
    for (auto const& u : units_) {
        bool const away = u->machine().plan().fate == victim::offline;
        if (away && !set_.offline_seen) continue;
        auto const at = milliseconds(static_cast<std::int64_t>(1000.0 * static_cast<double>(n++) / set_.connect_rate));
        later_.after(at, [&u = *u] { u.power_on(); });
        if (away) later_.after(at + milliseconds(seen_ms), [this, &u = *u] {
            if (!offline_called_) u.power_off();
        });
        if (changes > 0) --changes, later_.after(milliseconds(5000), [&u = *u] { u.machine().change_setting("poll_interval", "300s"); });
    }
    if (set_.offline_for.count() > 0) later_.after(set_.offline_for, [this] { bring_online(); });
}

void fleet::bring_online() {
    if (std::exchange(offline_called_, true)) return;
    for (auto const& u : units_)
        if (u->machine().plan().fate == victim::offline) u->power_on();
}

/// Lines on standard input: online, report, stop. A file or /dev/null there has nothing to say.
void fleet::read_controls() {
    if (!controls_) {
        int const fd = ::dup(STDIN_FILENO);
        controls_ = std::make_unique<stdin_stream>(io_);
        boost::system::error_code ec;
        controls_->assign(fd, ec);
        if (ec) {
            if (fd >= 0) ::close(fd);
            return;
        }
    }
    controls_->async_read_some(boost::asio::buffer(control_room_), [this](boost::system::error_code ec, std::size_t n) {
        if (ec || finishing_) return;
        control_text_.append(control_room_.data(), n);
        for (auto end = control_text_.find('\n'); end != control_text_.npos; end = control_text_.find('\n')) {
            control(control_text_.substr(0, end));
            control_text_.erase(0, end + 1);
        }
        if (control_text_.size() > 1024) control_text_.clear();
        read_controls();
    });
}

void fleet::control(std::string const& line) {
    if (line == "online") bring_online();
    else if (line == "report") write_report();
    else if (line == "stop") finish(0);
    else fmt::print(stderr, "airmail-sim: unknown line \"{}\" (known: online, report, stop)\n", line.substr(0, 40));
}

void fleet::wait_signal() {
    signals_.async_wait([this](boost::system::error_code ec, int which) {
        if (ec) return;
        if (which == SIGUSR1) bring_online();
        else if (which == SIGUSR2) write_report();
        else if (finishing_) return io_.stop();      // twice means now
        else finish(0);
        wait_signal();
    });
}

bool fleet::done() const {
    for (auto const& u : units_)
        if (!u->machine().ended() || u->unanswered() > 0) return false;
    return true;
}

void fleet::tick() {
    if (finishing_) return;
    auto const now = client::client::clock::now();
    for (auto const& u : units_) u->tick(now);
    show();
    if (set_.until_done && done()) return finish(0);
    if (set_.timeout.count() > 0 && now - began_ > set_.timeout) return finish(set_.until_done ? 1 : 0);
    later_.after(milliseconds(1000), [this] { tick(); });
}

void fleet::show() {
    std::size_t online = 0, downloading = 0, busy = 0, ended = 0;
    std::uint64_t bytes = 0;
    for (auto const& u : units_) {
        online += u->online(), downloading += u->downloading(), busy += u->machine().busy(), ended += u->machine().ended();
        bytes += u->machine().counted().bytes;
    }
    if (set_.json) {
        boost::json::object o{{"devices", units_.size()}, {"online", online}, {"downloading", downloading}, {"busy", busy}, {"ended", ended}, {"bytes", bytes}};
        fmt::print("{}\n", boost::json::serialize(o));
        std::fflush(stdout);
    } else if (terminal_) {
        auto const width = 30 * ended / std::max<std::size_t>(units_.size(), 1);
        fmt::print(stderr, "\r[{:<30}] {}/{} ended, {} online, {} downloading, {} busy, {} MiB   ", std::string(width, '#'), ended, units_.size(), online, downloading, busy, bytes >> 20);
        std::fflush(stderr);
    }
}

void fleet::finish(int code) {
    if (std::exchange(finishing_, true)) return;
    code_ = code;
    later_.clear();
    for (auto const& u : units_) u->power_off();
    if (controls_) {
        boost::system::error_code ignored;
        controls_->close(ignored);
    }
    // Everybody has said goodbye, or two seconds have passed.
    later_.after(milliseconds(2000), [this] { io_.stop(); });
}

}
