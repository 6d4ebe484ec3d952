#pragma once
// Packet identifiers of what we send to one client. Ids are handed out in a circle, so that one comes back as late as
// possible; the caller says which are taken. [MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1]

#include <cstdint>

namespace airmail::session {

/// Two bytes of state. Owned by: the session.
class packet_ids {
public:
    /// The next free id, 1..65535. `taken(id)` is asked until it says no; callers keep fewer than 65,535 in use, so it ends.
    template <class Taken> std::uint16_t next(Taken&& taken) {
        do {
            if (++last_ == 0) last_ = 1;
        } while (taken(last_));
        return last_;
    }
    /// Continues after `id` (a session read back from the store).
    void resume_after(std::uint16_t id) { last_ = id; }

private:
    std::uint16_t last_ = 0;
};

}
