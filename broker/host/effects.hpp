#pragma once
// What a batch asked to leave the lane. Kept in order; performed after the commit, forgotten with the rollback.

#include "broker/host/events.hpp"

#include <string>
#include <variant>

namespace airmail::host {

struct publish_effect {
    instance* who = nullptr;
    std::string topic, payload, content_type, response_topic, correlation_data, traceparent;
    std::uint32_t expiry_s = 0;
    std::uint8_t qos = 0;
    bool retain = false;
};
struct reply_effect { method_done done; int status = 0; std::string json; };
struct late_reply_effect { std::uint64_t handle = 0; int status = 0; std::string json; };
struct http_effect { std::uint64_t handle = 0; http_answer answer; };
struct revoke_effect { std::string token; };
struct disconnect_effect { std::string identity; std::uint8_t reason = 0; };
struct connect_effect { std::uint64_t handle = 0; sdk::verdict what = sdk::verdict::refuse; std::string role; };
struct timer_effect { instance* who = nullptr; std::uint64_t id = 0; std::int64_t due_ms = 0; };
struct remote_call_effect { std::uint64_t asked = 0; method const* what = nullptr; std::string params, from; };
struct state_effect { instance* who = nullptr; std::uint64_t key = 0; std::string value; };

using effect = std::variant<publish_effect, reply_effect, late_reply_effect, http_effect, revoke_effect, disconnect_effect,
                            connect_effect, timer_effect, remote_call_effect, state_effect>;

}
