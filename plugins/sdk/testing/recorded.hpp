#pragma once
// What a bench hands in and what it writes down. Plain owned values, so tests can build them with designated initializers.

#include "plugins/sdk/plugin.hpp"

#include <string>
#include <vector>

namespace airmail::sdk::testing {

/// A message for the plugins. `lsn` 0 = the bench numbers it when a matching topic is durable and qos > 0.
struct incoming {
    std::string topic, payload, identity = "dev-1", client_id, content_type = "application/json", response_topic, correlation_data, traceparent;
    int qos = 1;
    bool retain = false;
    std::uint64_t lsn = 0;
    std::uint32_t tenant = 0;
};

/// What a plugin published, in order, after its commit.
struct sent {
    std::string plugin, topic, payload, content_type, response_topic, correlation_data, traceparent;
    std::uint32_t expiry_s = 0;
    int qos = 0;
    bool retain = false;
};

/// The answer of a method. status 0: not answered (yet).
struct answer {
    int status = 0;
    std::string json;
};

/// Who calls.
struct caller {
    std::string name = "tester", role = "admin", request_id = "req-1", traceparent;
};

struct request {
    std::string verb = "GET", path, query, body, headers, body_file, body_sha256;
    std::uint64_t body_size = 0;
    std::string caller = "tester", role = "admin", request_id = "req-1", peer = "127.0.0.1";
};

/// status 0: not answered (yet).
struct response {
    int status = 0;
    std::string content_type, headers, body, file_path, etag, revoke_token;
    std::uint64_t rate_bytes_s = 0, byte_budget = 0, file_bytes = 0;
};

struct connect_answer {
    verdict what = verdict::defer;
    std::string role;
};

struct log_line {
    level severity = level::info;
    std::string plugin, text, fields;
};

/// An item that failed and was set aside, as the host would.
struct dead_letter {
    std::string plugin, kind, topic, why, payload;
    std::uint64_t lsn = 0;
};

struct cut_off {
    std::string identity;
    int reason = 0;
};

/// Does an MQTT filter match this topic? {id} in the filter counts as one level, whatever it is.
inline bool matches(std::string_view filter, std::string_view topic) {
    if (!topic.empty() && topic[0] == '$' && !filter.empty() && (filter[0] == '+' || filter[0] == '#')) return false;   // [MQTT-4.7.2-1]
    for (;;) {
        auto fe = filter.find('/'), te = topic.find('/');
        auto f = filter.substr(0, fe), t = topic.substr(0, te);
        if (f == "#") return true;                                                                                  // [MQTT-4.7.1-2]
        if (f != "+" && f != "{id}" && f != t) return false;
        if (fe == filter.npos && te == topic.npos) return true;
        if (te == topic.npos) return filter.substr(fe + 1) == "#";
        if (fe == filter.npos) return false;
        filter.remove_prefix(fe + 1), topic.remove_prefix(te + 1);
    }
}

/// "devices/{id}/command" for "dev-1" -> "devices/dev-1/command".
inline std::string fill_id(std::string filter, std::string_view id) {
    if (auto at = filter.find("{id}"); at != filter.npos) filter.replace(at, 4, id);
    return filter;
}

}
