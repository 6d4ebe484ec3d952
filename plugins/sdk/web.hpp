#pragma once
// A web service that is compiled in beside the plugins (the dashboard): what the broker's HTTP server gives it, and asks of it. It is
// no plugin, because it must not share the lane of the devices' reports: it brings its own threads and its own read-only
// connections, and changes things only through the method table. C++ only; not part of the ABI.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::sdk {

/// Who asks. `kind`: user, key, control; empty role = nobody.
struct web_who { std::string name, role, kind, scope; };

/// `headers`: "name: value\n" lines, names in lower case, without Authorization and Cookie.
struct web_request {
    std::string verb, path, query, headers, cookie, body, peer, request_id;
    web_who who;
};

/// `headers`: whole lines, each ending in \r\n. `lasting` set: the body, valid for ever, instead of `body`.
struct web_reply {
    int status = 200;
    std::string content_type = "application/json", headers, body;
    std::string_view lasting;
};

/// What stands at a verb and a path. `role` "" = the service checks by itself; only ever on the admin doors.
struct web_match {
    bool found = false, socket = false;
    std::string name, role, verbs;         // verbs: not found, but these would be
};

/// One WebSocket, owned by the HTTP thread; every method from any thread.
class web_socket {
public:
    virtual ~web_socket() = default;
    /// Queues one text message; nothing once closed.
    virtual void send(std::string text) = 0;
    /// Sends a close frame behind what is queued.
    virtual void close(int code, std::string reason) = 0;
    /// Bytes queued and not yet with the kernel.
    virtual std::size_t unsent() const = 0;
};

/// The service's side of one WebSocket; called on the HTTP thread.
class web_session {
public:
    virtual ~web_session() = default;
    virtual void message(std::string_view text) = 0;
    virtual void closed() = 0;
};

struct web_method { std::string name, role, verb, path, doc; };
struct web_listener { std::string name, address; int port = 0; };
struct web_certificate { std::string name, subject; std::int64_t not_after = 0; };   // unix seconds
struct web_setting { std::string key, value, unit, doc; bool written = false; };
using web_answer = std::function<void(int status, std::string json)>;

/// The broker, as the service sees it; outlives it. Every method from any thread; `done` exactly once, on any thread.
class web_house {
public:
    virtual ~web_house() = default;
    /// A method of the one table, by name; `who`'s role is checked there.
    virtual void call(std::string_view method, std::string params, web_who const& who, std::string const& request_id, web_answer done) = 0;
    /// A REST path of the house (sessions, keys, ACL, audit) as `who`; its role is checked.
    virtual void rest(std::string verb, std::string path, std::string query, std::string body, web_who const& who, std::string const& request_id, web_answer done) = 0;
    /// Whose API key this is; HTTP thread.
    virtual std::optional<web_who> key(std::string const& token) = 0;
    virtual std::vector<web_method> methods() const = 0;
    /// Runs a slow computation on the crypto threads; false when too many wait.
    virtual bool compute(std::function<void()> job) = 0;
    /// The Prometheus exposition.
    virtual std::string metrics() = 0;
    /// One reason a line; empty = ready.
    virtual std::string not_ready() = 0;
    virtual std::string version() const = 0;
    virtual std::string directory() const = 0;       // of the data; registry.db lies in it
    virtual std::vector<web_listener> listeners() const = 0;
    virtual std::vector<web_certificate> certificates() const = 0;
    /// Directives in force, secrets left out.
    virtual std::vector<web_setting> settings() const = 0;
    /// The value in force of a count, a size (bytes) or a duration (whole seconds); `otherwise` for what is none of these.
    virtual std::int64_t number(std::string_view key, std::int64_t otherwise) const = 0;
    virtual std::string address_of_page() const = 0; // https://localhost:8443
    virtual void log(int level, std::string const& text) = 0;   // 0 debug .. 3 error
};

/// The service. start() and stop() on the broker's thread; the rest on the HTTP thread, answering from any.
class web_service {
public:
    virtual ~web_service() = default;
    virtual void start(web_house& house) = 0;
    virtual void stop() = 0;
    virtual web_match match(std::string_view verb, std::string_view path) = 0;
    virtual void serve(web_request r, std::function<void(web_reply)> done) = 0;
    /// A bearer token that is no API key.
    virtual std::optional<web_who> authenticate(std::string_view token) = 0;
    /// A WebSocket is asked for; null with `refusal`. The session lives until closed().
    virtual std::shared_ptr<web_session> open(web_request const& r, std::shared_ptr<web_socket> socket, web_reply& refusal) = 0;
    /// Its page of the exposition (its own counters).
    virtual std::string metrics() = 0;
};

}
