#pragma once
// Joins the handlers to the plugin host: topics to lanes, presence to session events, logins to on_connect. And answers
// requests to Mosquitto's control topics: $CONTROL/broker/v1 when enable_control_api asks for it, the others with a refusal.

#include "broker/control_api.hpp"
#include "broker/handlers/plugin_gate.hpp"
#include "broker/handlers/world.hpp"
#include "broker/host/plugin_host.hpp"

#include <atomic>
#include <optional>

namespace airmail {

/// Owned by the broker; every shard calls it. Never waits.
class gate final : public handlers::plugin_gate {
public:
    gate(host::plugin_host& h, handlers::world& w) : host_(h), world_(w) {}
    handlers::wanted wanted_by(std::string_view topic) const override;
    void post(storage::message_ptr const& m, std::uint32_t lanes) override { host_.post(m, lanes); }
    bool is_ready_filter(std::string_view identity, std::string_view filter) const override { return host_.is_ready_topic(identity, filter); }
    void on_delivered(storage::message_ptr const& m, std::string_view identity) override { host_.delivered(m, identity); }
    bool wants_deliveries() const override { return host_.wants_deliveries(); }
    void on_session(handlers::session_event const& e) override;
    codec::reason before_publish(session::session const& from, std::string_view topic, codec::publish_view const& p) override;
    bool authenticate(handlers::login const& l, handlers::login_done done) override;

    /// What $CONTROL/broker/v1 tells; before the shards run.
    void tells(control_api a) { control_.emplace(std::move(a)); }
    /// Whether it answers at all. Any thread.
    void serve_control(bool on) { serves_control_.store(on, std::memory_order_relaxed); }

private:
    void say(std::string_view topic, std::string_view words);

    host::plugin_host& host_;
    handlers::world& world_;
    std::optional<control_api> control_;
    std::atomic<bool> serves_control_{false};
};

}
