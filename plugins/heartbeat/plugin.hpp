#pragma once
// ota.heartbeat: devices/+/heartbeat. Almost all of them say nothing new and end in a slot; the rest goes to the registry
// (new, other version or model) and to the campaign (evidence).

#include "plugins/heartbeat/slots.hpp"
#include "plugins/sdk/plugin.hpp"

#include <deque>

namespace airmail::plugins {

/// Owned by: the registry lane.
class heartbeat_plugin final : public sdk::plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "ota.heartbeat"; }
    static sdk::declaration declare();

    void configure() override;
    void start() override;
    void stop() override;
    sdk::verdict message(sdk::message_view const& m) override;
    void session(sdk::session_view const& s) override;
    void tick(std::uint64_t timer, sdk::instant now) override;
    void method(sdk::call_view const& c) override;
    void committed() override;

private:
    struct beat;
    enum timer_id : std::uint64_t { checkpoint_timer = 1, flush_timer = 2, offline_timer = 3 };

    sdk::verdict impostor(std::string_view id, std::string_view claimed);
    bool tell_registry(std::string_view payload);
    void evidence(heartbeat::slot& s, beat const& b, char const* boot, bool changed);
    void learn(heartbeat::slot& s, std::int64_t at);
    void checkpoint();
    std::size_t flush_last_seen(std::size_t most);
    void offline_rate();

    heartbeat::slot_table slots_;
    std::deque<std::string> dirty_;                // serials whose last_seen waits; at most one entry per slot
    std::int64_t checkpoint_ms_ = 30'000, flush_ms_ = 30'000, offline_percent_ = 5;
    std::uint64_t received_ = 0, unchanged_ = 0;
};

}
