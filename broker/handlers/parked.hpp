#pragma once
// A CONNECT that is not answered yet: it waits for a password check or for its session to be stored. What the client sends
// meanwhile is kept and handled after CONNACK.

#include "broker/handlers/mqtt.hpp"

namespace airmail::handlers {

/// What must be remembered of a CONNECT after its bytes are gone.
struct mqtt::hello {
    acl::identity who;
    codec::version protocol = codec::version::v5;
    bool bridge = false, clean_start = true, assigned = false, problem_info = true;
    bool wants_response_info = false;
    std::uint16_t keep_alive = 0, receive_maximum = 65535, topic_alias_max = 0;
    std::uint32_t expiry_s = 0, asked_expiry_s = 0, packet_bytes_max = 0;
    std::unique_ptr<session::will> will;
    std::string auth_data;                // server-final of enhanced authentication, for CONNACK; empty = none was done
};

/// Owned by: mqtt::parked_, by connection number.
struct mqtt::parked {
    peer* from = nullptr;
    std::unique_ptr<hello> greeting;      // waits for the login
    std::uint32_t session = 0;            // waits for the store: the session is this one's
    bool present = false;
    std::unique_ptr<acl::scram_exchange> proof;           // waits for the client's AUTH
    std::vector<std::pair<std::uint8_t, bytes>> frames;   // first byte, body
    std::size_t bytes_kept = 0;

    bool keep(codec::frame const& f, std::size_t most) {
        bytes_kept += f.body.size() + 64;
        if (bytes_kept > most) return false;
        frames.emplace_back(static_cast<std::uint8_t>(static_cast<unsigned>(f.type) << 4 | f.flags), bytes(f.body.begin(), f.body.end()));
        return true;
    }
};

}
