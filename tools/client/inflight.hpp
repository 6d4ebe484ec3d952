#pragma once
// Requests that wait for an answer, oldest first, and the packet ids they hold. No I/O, no clock.

#include "broker/codec/bytes.hpp"

#include <cstdint>
#include <list>

namespace airmail::client {

/// Owned by: one client. Ids are given in a circle, so that an id is free unless its turn of 65,535 ago is unanswered.
class inflight {
public:
    enum class state : std::uint8_t {
        held,      // a PUBLISH waiting for the server's Receive Maximum [MQTT-4.9.0-2]
        sent,      // a PUBLISH waiting for PUBACK or PUBREC
        released,  // QoS 2: PUBREL sent, waiting for PUBCOMP
        request,   // SUBSCRIBE or UNSUBSCRIBE
    };
    struct entry {
        std::uint64_t turn = 0;
        bytes packet;  // a PUBLISH to send (again); empty once it cannot be needed
        std::uint16_t id = 0;
        state now = state::request;
        std::uint8_t qos = 0;
    };
    using iterator = std::list<entry>::iterator;

    /// True when an id is free.
    bool has_id() const { return entries_.empty() || turn_ - entries_.front().turn < 65535; }
    /// The id that the next add() takes. [MQTT-2.2.1-3]
    std::uint16_t next_id() const { return static_cast<std::uint16_t>(turn_ % 65535 + 1); }
    /// Remembers a request under next_id().
    entry& add(state s, std::uint8_t qos) {
        auto const id = next_id();
        return entries_.emplace_back(entry{turn_++, {}, id, s, qos});
    }

    /// The entry that holds `id`, or end(). Answers come in order, so it is near the front.
    iterator find(std::uint16_t id) {
        auto it = entries_.begin();
        while (it != entries_.end() && it->id != id) ++it;
        return it;
    }
    /// The request is answered; its id is free. Returns the one after it.
    iterator erase(iterator it) { return entries_.erase(it); }

    iterator begin() { return entries_.begin(); }
    iterator end() { return entries_.end(); }
    std::size_t size() const { return entries_.size(); }

private:
    std::list<entry> entries_;
    std::uint64_t turn_ = 0;
};

}
