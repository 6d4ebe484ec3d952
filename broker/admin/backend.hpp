#pragma once
// What the HTTP server asks of the house behind it; the broker implements it over the plugin host and its own state.

#include "broker/admin/exchange.hpp"
#include "plugins/sdk/web.hpp"

#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace airmail::admin {

/// What stands at a path. `verbs`: the ones that would be answered there, for 405 with Allow.
struct route_match {
    enum class kind { none, wrong_verb, method, plugin_route } what = kind::none;
    std::string name, role, params, verbs;   // role "" = public; params: path parameters as a JSON object
    bool body_to_file = false;
    bool inside = false;                     // only on the admin doors, even when public there; a key that is shown is looked at
    bool socket = false;                     // a WebSocket may be opened here
    std::uint64_t ref = 0;                   // the backend's own handle for `serve`
};

/// One upload on its way to disk. What of it stays when it is destroyed without finish() is the backend's to say.
class upload {
public:
    virtual ~upload() = default;
    /// False = no room or I/O error; why() says.
    virtual bool write(std::span<std::uint8_t const> piece) = 0;
    /// Path of the synced temporary file and the hex SHA-256 of what was written; empty path on error.
    virtual std::pair<std::string, std::string> finish() = 0;
    virtual std::string why() const = 0;
    /// How a refusal is answered.
    virtual int status() const { return 507; }
    virtual std::string code() const { return "http.upload_failed"; }
};

/// Who a bearer key belongs to. `scope`: see acl::in_scope; empty = all of its role.
struct caller { std::string name, role, scope, kind = "key"; };

/// Thread-safe: called on the HTTP thread, answers may come from any thread (the server brings them home).
class backend {
public:
    virtual ~backend() = default;
    virtual route_match match(std::string_view verb, std::string_view path) = 0;
    /// Runs the method or route of `m`. `done` exactly once, from any thread.
    virtual void serve(route_match const& m, request r, responder done) = 0;
    /// Looks up an API key; nullopt = unknown, expired or revoked. `done` exactly once, from any thread.
    virtual void authenticate(std::string bearer, std::function<void(std::optional<caller>)> done) = 0;
    /// A WebSocket is asked for at a path with `socket`; null with `refusal`.
    virtual std::shared_ptr<sdk::web_session> open_socket(request const& r, std::shared_ptr<sdk::web_socket> to, response& refusal) {
        (void)to, refusal = problem(404, "http.not_found", "no WebSocket is served here", r.request_id);
        return nullptr;
    }
    /// Where the body of `r` goes; null with `refusal` when it cannot be taken now.
    virtual std::unique_ptr<upload> begin_upload(route_match const& m, request const& r, response& refusal) = 0;
    /// The Prometheus exposition of every counter.
    virtual std::string metrics() = 0;
    /// Why the broker is not ready, one reason a line; empty = ready.
    virtual std::string not_ready() = 0;
    /// What works less well than it should although the broker is ready, one reason a line.
    virtual std::string degraded() { return {}; }
};

}
