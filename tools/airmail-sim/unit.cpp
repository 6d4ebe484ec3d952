#include "tools/airmail-sim/unit.hpp"

#include <algorithm>
#include <charconv>

namespace airmail::sim {

using std::chrono::milliseconds;

namespace {
constexpr milliseconds backoff_first{500}, backoff_most{60'000};
constexpr std::uint32_t session_life_s = 3600;

}

unit::unit(surroundings& around, device_plan plan, std::string const& directory, std::shared_ptr<client::tls_context const> tls, std::shared_ptr<client::handlers const> h, std::uint64_t tag)
    : around_(around), disk_(directory, plan.model, around.set.firmware), device_(plan, disk_, around.who, *this), tls_(std::move(tls)),
      mqtt_(client::client::make(around.io, std::move(h))), base_("devices/" + plan.serial + "/"), dice_(plan.seed ^ 0x5eed) {
    mqtt_->tag = tag;
}

void unit::power_on() {
    wanted_ = true;
    connect();
}

void unit::power_off() {
    wanted_ = false;
    ++beating_;
    stop_fetch();
    mqtt_->disconnect();
}

void unit::connect() {
    if (!wanted_ || restarting_ || !mqtt_->idle()) return;
    ++around_.connects;
    client::connect_options o;
    o.host = around_.set.host;
    o.port = around_.set.port;
    o.tls = tls_;
    o.protocol = around_.set.v311 ? codec::version::v311 : codec::version::v5;
    o.client_id = device_.plan().serial;
    o.clean_start = false;                       // commands published while we are away wait for us
    o.session_expiry = session_life_s;
    o.keep_alive = std::chrono::seconds(60);
    o.timeout = std::chrono::seconds(20);
    o.receive_maximum = 16;
    o.own_timer = false;
    if (auto const ec = mqtt_->connect(o)) gone({.error = ec});
}

void unit::connect_later(milliseconds wait) {
    around_.later.after(wait, [this] { connect(); });
}

void unit::connack(codec::connack_view const& a) {
    if (codec::failed(a.code)) {
        ++around_.refused;
        return;
    }
    auto const filter = base_ + "command";
    client::subscription const wish{.filter = filter, .qos = 1};
    if (!mqtt_->subscribe({&wish, 1})) ++around_.subscribe_failures;
}

void unit::ack(client::ack_event const& e) {
    if (e.type != codec::packet_type::suback) return;
    if (e.codes.empty() || codec::failed(e.codes[0])) {
        ++around_.subscribe_failures;
        return;
    }
    subscribed_ = true;
    failures_ = 0;
    device_.connected();
    auto const first = milliseconds(dice_.below(static_cast<std::uint64_t>(around_.set.heartbeat.count()) + 1));
    around_.later.after(first, [this, generation = ++beating_] { beat(generation); });
}

void unit::beat(int generation) {
    if (generation != beating_ || !online()) return;
    device_.heartbeat();
    auto const wait = around_.set.heartbeat;
    around_.later.after(wait * 9 / 10 + milliseconds(dice_.below(static_cast<std::uint64_t>(wait.count()) / 5 + 1)), [this, generation] { beat(generation); });
}

void unit::message(codec::publish_view const& p) {
    if (p.topic == base_ + "command") device_.command_came({reinterpret_cast<char const*>(p.payload.data()), p.payload.size()});
}

void unit::gone(client::close_info const& why) {
    ++around_.closed;
    ++beating_;
    subscribed_ = false;
    device_.lost();
    if (restarting_ || !wanted_) return;
    // Doubling, with a random half, so that a broker that comes back is not run over; later still when it said so or is going down.
    auto wait = std::min(backoff_first * (1 << std::min(failures_++, 8)), backoff_most);
    if (why.code == codec::reason::server_shutting_down || why.code == codec::reason::server_busy) wait = std::max<milliseconds>(wait, std::chrono::seconds(2));
    wait = wait / 2 + milliseconds(dice_.below(static_cast<std::uint64_t>(wait.count()) / 2 + 1));
    connect_later(std::max<milliseconds>(wait, why.retry_after));
}

void unit::tick(client::client::clock::time_point now) {
    if (!mqtt_->idle()) mqtt_->tick(now);
    if (auto const d = download_) d->tick(now, std::chrono::seconds(30));
}

bool unit::publish(char const* leaf, std::string const& payload, int qos) {
    if (!online()) return false;
    auto const topic = base_ + leaf;
    auto const sent = mqtt_->publish({.topic = topic, .payload = payload, .qos = static_cast<std::uint8_t>(qos)});
    if (!sent) ++around_.publish_failures;
    return sent.has_value();
}

void unit::fetch(std::string const& url, std::uint64_t from, std::uint64_t size) {
    stop_fetch();
    download_ = download::start(around_.io, around_.https, url, from, size, [this](storage::firmware::byte_view piece) { return device_.data(piece); },
                                [this](fetch_end how) {
                                    download_.reset();
                                    device_.fetch_ended(how);
                                });
}

void unit::stop_fetch() {
    if (auto const d = std::exchange(download_, nullptr)) d->stop();
}

void unit::restart(bool orderly, milliseconds down) {
    stop_fetch();
    ++beating_;
    restarting_ = true;
    static client::user_property const why[] = {{"ota", "reboot"}};   // so that the broker knows a planned restart from a crash
    if (orderly) mqtt_->disconnect(codec::reason::success, why);
    else mqtt_->drop();
    if (!orderly) subscribed_ = false;
    around_.later.after(down, [this] {
        if (!mqtt_->idle()) mqtt_->drop();
        subscribed_ = false;
        restarting_ = false;
        device_.booted();
        connect();
    });
}

void unit::after(milliseconds wait, int token) {
    around_.later.after(wait, [this, token] { device_.timer(token); });
}

std::int64_t unit::now() { return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

}
