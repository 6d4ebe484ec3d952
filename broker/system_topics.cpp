#include "broker/system_topics.hpp"

#include "broker/handlers/metrics.hpp"
#include "broker/handlers/mqtt.hpp"
#include "broker/handlers/operate.hpp"
#include "broker/log/log.hpp"
#include "broker/net/counters.hpp"
#include "broker/router/metrics.hpp"
#include "broker/version.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>
#include <fstream>
#include <unistd.h>

namespace airmail {
namespace {

namespace hm = handlers::metric;
namespace rm = router::metric;
namespace nc = net::count;

double sum(auto const&... m) { return (static_cast<double>(m.value()) + ...); }

double received() { return sum(hm::received_qos0, hm::received_qos1, hm::received_qos2); }
double sent() { return sum(rm::sent_qos0, rm::sent_qos1, rm::sent_qos2); }
double dropped() {
    return sum(rm::dropped_offline, rm::dropped_slow, rm::dropped_too_large, rm::dropped_queue_full, rm::dropped_not_allowed, rm::dropped_no_member,
               rm::expired, rm::lost_records);
}
double connects() { return sum(hm::accepted, hm::refused_login, hm::refused_will, hm::refused_other); }

/// Private memory of this process in bytes. The allocator's own sums walk every free block, which a shard has no time for.
double heap() {
    std::ifstream statm{"/proc/self/statm"};
    double size = 0, resident = 0, shared = 0;
    statm >> size >> resident >> shared;
    return (resident - shared) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

}

bool moving_average::add(double per_minute, double seconds) {
    auto const keep = std::exp(-seconds / (60 * minutes_));
    value_ = per_minute + keep * (value_ - per_minute);
    if (std::abs(value_ - told_) < 0.01) return false;
    told_ = value_;
    return true;
}

system_topics::system_topics(handlers::world& w, std::chrono::seconds interval, std::function<std::int64_t()> wall, storage::disk_watch const* disk)
    : world_{w}, interval_{interval}, wall_{std::move(wall)}, disk_{disk} {
    using f = std::function<double()>;
    for (auto& [topic, total] : std::vector<std::pair<char const*, f>>{
             {"messages/received", [] { return sum(nc::packets_in); }},
             {"messages/sent", [] { return sum(nc::packets_out); }},
             {"publish/dropped", dropped},
             {"publish/received", received},
             {"publish/sent", sent},
             {"bytes/received", [] { return sum(nc::bytes_in); }},
             {"bytes/sent", [] { return sum(nc::bytes_out); }},
             {"sockets", [] { return sum(nc::accepted); }},
             {"connections", connects}})
        loads_.push_back({topic, total, total()});
}

void system_topics::start() {
    if (interval_.count() <= 0) return;
    began_ = last_ = wall_();
    say("version", fmt::format("airmail {} (mosquitto 2.1 compatible)", version));
    update();
    arm();
}

void system_topics::arm() {
    auto const step = std::int64_t{interval_.count()} * 1000;
    alarm_.in(world_.shards.front()->on().timers(), step - wall_() % step, [this] {
        update();
        arm();
    });
}

void system_topics::update() {
    auto const now = wall_();
    if (now > last_) measure_loads(static_cast<double>(now - last_) / 1000);
    last_ = now;
    say("uptime", fmt::format("{} seconds", (now - began_) / 1000));

    auto const total = sum(hm::sessions), connected = sum(hm::connected);
    clients_most_ = std::max(clients_most_, total);
    say("clients/total", total);
    say("clients/maximum", clients_most_);
    for (auto const* name : {"clients/connected", "clients/active"}) say(name, connected);
    for (auto const* name : {"clients/disconnected", "clients/inactive"}) say(name, total - connected);
    say("clients/expired", sum(hm::expired));

    auto const stored = sum(rm::owed_messages, rm::retained_messages);
    for (auto const* name : {"messages/stored", "store/messages/count"}) say(name, stored);
    auto trouble = world_.store->trouble();
    if (disk_ && trouble.empty()) trouble = disk_->trouble();
    if (disk_) say("store/disk/room", static_cast<double>(disk_->now().room));
    say("store/state", trouble.empty() ? std::string{"ok"} : "refusing: " + trouble);
    say("store/messages/bytes", sum(rm::owed_bytes, rm::retained_bytes));
    say("subscriptions/count", sum(rm::subscriptions));
    say("shared_subscriptions/count", sum(rm::shared_subscriptions));
    say("retained messages/count", sum(rm::retained_messages));

    auto const used = heap();
    heap_most_ = std::max(heap_most_, used);
    say("heap/current", used);
    say("heap/maximum", heap_most_);

    say("messages/received", sum(nc::packets_in));
    say("messages/sent", sum(nc::packets_out));
    say("bytes/received", sum(nc::bytes_in));
    say("bytes/sent", sum(nc::bytes_out));
    say("publish/messages/received", received());
    say("publish/messages/sent", sent());
    say("publish/messages/dropped", dropped());
    say("publish/bytes/received", sum(hm::received_payload));
    say("publish/bytes/sent", sum(rm::sent_payload));
    say("connections/socket/count", sum(nc::connections, nc::newcomers));
}

void system_topics::measure_loads(double seconds) {
    for (auto& l : loads_) {
        auto const now = l.total();
        auto const per_minute = (now - l.before) * 60 / seconds;
        l.before = now;
        static constexpr char const* names[] = {"1min", "5min", "15min"};
        for (std::size_t i = 0; i < l.over.size(); ++i)
            if (l.over[i].add(per_minute, seconds)) say(fmt::format("load/{}/{}", l.topic, names[i]), fmt::format("{:.2f}", l.over[i].value()));
    }
}

void system_topics::say(std::string_view topic, double value) { say(topic, fmt::format("{:.0f}", value)); }

void system_topics::say(std::string_view topic, std::string value) {
    auto& last = said_[std::string{topic}];
    if (last == value) return;
    last = std::move(value);
    auto const whole = fmt::format("$SYS/broker/{}", topic);
    storage::message_fields f;
    f.qos = 2, f.retain = true;
    f.topic = whole;
    f.payload = as_bytes(last);
    f.received_at_ms = world_.store->now_ms();
    handlers::publish(world_, storage::message::make(f), {}, false);
}

}
