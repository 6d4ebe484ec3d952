#pragma once
// What a lane is given besides messages, as owned values: they outlive the thread that posted them, and stay until the
// batch that holds them has committed (a batch that could not commit is run again).

#include "broker/host/method_table.hpp"
#include "plugins/sdk/plugin.hpp"
#include "storage/message.hpp"
#include "storage/store.hpp"

#include <atomic>
#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace airmail::host {

/// Called once, on a lane's thread (or on the caller's when the answer is known at once). `json` is moved in.
using method_done = std::function<void(int status, std::string json)>;

/// Who calls a method or asks over HTTP.
struct caller {
    std::string name, role, request_id, traceparent;
    std::uint32_t tenant = 0;
};

struct http_request {
    std::string verb, path, query, body, headers;    // headers: "name: value\n", names in lower case
    std::string body_file, body_sha256;              // for routes with body "file"
    std::uint64_t body_size = 0;
    caller who;
    std::string peer;                                // address, and the certificate's identity after a space
};

/// `file_path` set: a file; the HTTP server opens it and answers Range, If-Range and HEAD itself.
struct http_answer {
    int status = 0;
    std::string content_type, headers, body, file_path, etag, revoke_token;
    std::uint64_t rate_bytes_s = 0, byte_budget = 0, file_bytes = 0;
};
using http_done = std::function<void(http_answer)>;

/// One login that plugins decide. `done` runs exactly once, on the first of answer and deadline, on any thread.
struct login {
    std::string identity, user, password, peer;
    std::function<void(sdk::verdict, std::string role)> done;
    std::int64_t deadline_ms = 0;                    // steady clock
    std::atomic<bool> answered{false};
    std::vector<instance*> remaining;                // plugins still to be asked, last first

    void answer(sdk::verdict v, std::string role) {
        if (!answered.exchange(true)) done(v, std::move(role));
    }
};

struct message_item {
    storage::lsn at = 0;
    storage::message_ptr body;
};
struct session_event {
    sdk::session_change change = sdk::session_change::ready;
    std::string identity, client_id, topic, note;
    std::uint64_t connection = 0;
    std::int64_t at_ms = 0;
};
/// A receiver has acknowledged what a plugin published; the message is the plugin's own.
struct delivery_event {
    instance* who = nullptr;
    std::string identity;
    storage::message_ptr body;
};
struct call_event {
    method const* what = nullptr;
    std::string params;
    caller who;
    method_done done;
};
struct http_event {
    raw_route const* what = nullptr;
    http_request request;
    http_done done;
};
struct connect_event {
    std::shared_ptr<login> who;
    instance* ask = nullptr;
};
/// The answer of a call that this lane asked of another, or of itself earlier.
struct answer_event {
    std::uint64_t asked = 0;
    int status = 0;
    std::string json;
};
struct timer_event {
    instance* who = nullptr;
    std::uint64_t id = 0;
    std::int64_t due_ms = 0;
    bool fired = false;      // false: set from outside the lane
};
using event = std::variant<session_event, delivery_event, call_event, http_event, connect_event, answer_event, timer_event>;

}
