#pragma once
// Mosquitto's persistence file (mosquitto.db, format 5 and 6: Mosquitto 1.6 to 2.1), read into plain structs. Pure; any bytes.
// The format: reference in README.md of this folder.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace airmail::migrate {

struct stored_message {
    std::uint64_t id = 0;
    std::int64_t expires_at = 0;      // unix seconds, 0 = never
    std::uint8_t qos = 0;
    bool retain = false;
    std::string source_id, source_user, topic;
    std::vector<std::uint8_t> payload, properties;   // properties: as on the wire, without their length
};

/// A message owed to a client, or (incoming) a QoS 2 one that it has not released yet.
struct client_message {
    std::uint64_t message = 0;
    std::string client;
    std::uint16_t packet_id = 0;
    std::uint8_t qos = 0, state = 0;  // Mosquitto's states; `queued` is 11
    bool dup = false, retain = false, incoming = false;
    std::uint32_t subscription_id = 0;
};

struct stored_client {
    std::string id, user;
    std::int64_t session_ends_at = 0; // unix seconds, 0 = not running
    std::uint32_t expiry_s = 0;       // 0xFFFFFFFF = never
    std::uint16_t listener = 0;       // port
};

struct stored_subscription {
    std::string client, filter;
    std::uint32_t id = 0;
    std::uint8_t qos = 0, options = 0;
};

/// A whole file. Bound: the file's own size.
struct mosquitto_db {
    std::uint32_t version = 0;
    bool clean_shutdown = false;
    std::vector<stored_message> messages;
    std::vector<client_message> client_messages;
    std::vector<stored_client> clients;
    std::vector<stored_subscription> subscriptions;
    std::vector<std::uint64_t> retained;             // message ids
    std::uint64_t unknown_chunks = 0;
};

/// @return nothing, with `why` ("byte 1234: a client chunk of 10 bytes is too short"), when it is not such a file
std::optional<mosquitto_db> read_mosquitto_db(std::span<std::uint8_t const> file, std::string& why);

}
