#pragma once
// Who a peer is. Made once, at login, from its certificate (device listeners) or its user name; copied into the session.

#include <cstdint>
#include <string>

namespace airmail::acl {

/// How the identity was proven.
enum class proof : std::uint8_t { anonymous, password, certificate, psk, local_socket, plugin, bridge /* a bridge of our own configuration */ };

/// Owned by the connection, then by its session. Strings are validated: no control characters, no NUL, no `+ # /`
/// where they become a topic level.
struct identity {
    std::uint32_t tenant = 0;
    std::string name;            // {id}: serial_no of a device, or the user name; empty = anonymous
    std::string client_id;
    std::string role;            // "device" on device listeners, else "" or what the login said
    proof how = proof::anonymous;
    std::uint16_t listener = 0;       // port it came in by: rules may be the listener's own; 0 = a unix socket, or unknown
    // Copied out of the certificate at the handshake: the chain itself is not kept (reference: memory per connection).
    std::string certificate_serial;   // hex
    std::string issuer;               // one-line name
    std::int64_t not_after = 0;       // unix seconds, 0 = none
};

}
