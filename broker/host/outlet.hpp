#pragma once
// What leaves a lane towards the broker. broker.cpp implements it; tests write it down. Called on lane threads, after the
// commit of the batch that asked, in order per lane; several lanes may call at once. Must not block.

#include "plugins/sdk/plugin.hpp"

#include <cstdint>
#include <functional>
#include <string_view>

namespace airmail::host {

/// Views die with the call.
struct outgoing {
    std::string_view plugin;               // who speaks, for logs and metrics
    std::string_view topic, payload, content_type, response_topic, correlation_data, traceparent;
    std::uint32_t expiry_s = 0;            // Message Expiry Interval, 0 = none
    std::uint8_t qos = 0;
    bool retain = false;
};

class outlet {
public:
    virtual ~outlet() = default;
    /// To all subscribers, as if the broker had received it: stored when it has durable receivers.
    virtual void publish(outgoing const& m) = 0;
    /// Closes every HTTP transfer that carries the token.
    virtual void revoke(std::string_view token) = 0;
    /// Ends all sessions' connections of that identity with this reason code.
    virtual void disconnect(std::string_view identity, std::uint8_t reason) = 0;
    /// Small values in the hot store (storage::put_state). `plugin` is a number that never changes for a plugin's id.
    virtual void state_put(std::uint32_t plugin, std::uint64_t key, std::string_view value) = 0;
    virtual void state_scan(std::uint32_t plugin, std::function<bool(std::uint64_t, std::string_view)> const& f) = 0;
    /// One line of a plugin, or of the host about one. The default hands it to broker/log. Any thread.
    virtual void log(sdk::level l, std::string_view plugin, std::string_view text, std::string_view fields_json);
};

}
