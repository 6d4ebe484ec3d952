#pragma once
// $SYS: what Mosquitto's tools and dashboards read, under its names and with its meanings. Retained, QoS 2, in memory only,
// published when a value has changed. Who may read it is for the rules to say, as with any topic; nobody but the broker may
// publish there. Source: reference of the survey, 2.7.

#include "broker/handlers/world.hpp"
#include "broker/shard/timer_wheel.hpp"
#include "storage/disk_watch.hpp"

#include <array>
#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace airmail {

/// An average that forgets: what happened per minute, over about the last `minutes`.
class moving_average {
public:
    explicit moving_average(double minutes) : minutes_{minutes} {}
    /// @param per_minute the rate since the last call  @param seconds how long that was
    /// @return whether it moved by 0.01 or more
    bool add(double per_minute, double seconds);
    double value() const { return value_; }

private:
    double minutes_, value_ = 0, told_ = 0;
};

/// Owned by: the broker; runs on the first shard's thread between start() and the shards' stop.
class system_topics {
public:
    /// @param interval of sys_interval; zero = $SYS is off  @param wall unix milliseconds: updates fall on multiples of the interval
    /// @param disk may be null
    system_topics(handlers::world& w, std::chrono::seconds interval, std::function<std::int64_t()> wall, storage::disk_watch const* disk);
    /// On the first shard, before it runs.
    void start();

private:
    struct load {
        std::string topic;
        std::function<double()> total;
        double before = 0;
        std::array<moving_average, 3> over{moving_average{1}, moving_average{5}, moving_average{15}};
    };
    void arm();
    void update();
    void measure_loads(double seconds);
    void say(std::string_view topic, std::string value);
    void say(std::string_view topic, double value);

    handlers::world& world_;
    std::chrono::seconds interval_;
    std::function<std::int64_t()> wall_;
    storage::disk_watch const* disk_;   // null: level memory
    std::int64_t began_ = 0, last_ = 0;
    double clients_most_ = 0, heap_most_ = 0;
    std::map<std::string, std::string, std::less<>> said_;   // topic below $SYS/broker/ -> value
    std::vector<load> loads_;
    shard::reminder alarm_;
};

}
