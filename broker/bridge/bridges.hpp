#pragma once
// All bridges of a configuration: made at start, changed at reload, ended at stop.

#include "broker/config/config.hpp"
#include "broker/handlers/peer.hpp"
#include "broker/handlers/world.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace airmail::bridge {

class link;

/// Owned by the broker; members are for its main thread. Each bridge lives on the shard of its local session.
class bridges {
public:
    /// @param rules  limits of the bridges' local sessions: the queue that keeps what the other side cannot take yet
    bridges(handlers::world& w, std::shared_ptr<handlers::listener_rules const> rules);
    ~bridges();

    /// Brings what runs to what `c` wants: new ones start, missing ones end (their local session too), changed ones begin
    /// again: at once with bridge_reload_type immediate, otherwise at their next connection. @return a line for each change
    std::vector<std::string> apply(config::config const& c);
    /// Waits until the local session of each is there: what clients publish before would not be kept for it. False when one is
    /// not after `most`; the shards have to run.
    bool wait_heard(std::chrono::milliseconds most) const;
    /// Ends the connections; sessions and their queues stay.
    void stop();

private:
    handlers::world& world_;
    std::shared_ptr<handlers::listener_rules const> rules_;
    std::vector<std::shared_ptr<link>> links_;
};

/// Rules for the local session of a bridge, from the configuration's defaults for Mosquitto listeners.
std::shared_ptr<handlers::listener_rules const> rules_of(config::config const& c);

}
