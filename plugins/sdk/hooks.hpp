#pragma once
// What a plugin says, sees and can do: declaration, views, context, and the base class with its hooks. Include plugin.hpp.
// Every method runs on the plugin's lane: one thread, never two calls at once.

#include "plugins/sdk/c_api.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace airmail::sdk {

/// Milliseconds on the stored clock (context::now) or unix time (context::wall).
using instant = std::int64_t;

/// Which way a declared topic flows, seen from the peer.
enum class direction { up, down };

/// One topic of the plugin. `filter` may hold {id}: the peer's own identity. The grant it implies ("a device may publish
/// it" / "may subscribe to it") is listed at load and may be refused in the configuration.
struct topic_decl {
    std::string filter;
    direction dir = direction::up;
    int qos = 1;
    std::string role = "device";         // who is granted it
    bool durable = true;                 // acknowledged only once the log holds it; delivered at least once, in order
    std::string overflow = "spill";      // full queue: "spill" (durable only), "latest" per topic, "drop" (counted)
    std::string schema;                  // JSON Schema text, empty = any payload; violations are counted and dropped
};

/// One table: migrations run in order, each once, in a transaction. `replicated` tables get triggers that write the outbox.
/// `folded` ("last_seen" or "a,b"): columns that only grow and change often; a change of these alone leaves one row a key.
struct table_decl {
    std::string name, primary_key;
    bool replicated = true;
    std::vector<std::string> migrations;
    std::string folded;
};

/// One method of the table that REST, GraphQL, the CLI and other plugins call. `verb` and `path` ("/api/v1/campaigns/{id}")
/// may be empty: then it is only callable by name. Path parameters and query parameters join the JSON parameters.
struct method_decl {
    std::string name, role = "viewer", verb, path, doc;   // role: viewer < operator < admin
    bool audit = false;                                   // recorded in audit_log with caller and parameters
};

/// One raw HTTP route. role "" = public (the plugin checks by itself). body "file": an upload is streamed to disk first.
struct route_decl { std::string verb, path, role, body; };

struct metric_decl { std::string name, help, kind = "counter"; };   // counter | gauge; airmail_<plugin>_<what>_<unit>

/// What the plugin is; becomes JSON for the host.
struct declaration {
    std::vector<topic_decl> topics;
    std::vector<table_decl> tables;
    std::vector<method_decl> methods;
    std::vector<route_decl> routes;
    std::vector<metric_decl> metrics;
    std::string ready_topic;             // e.g. "devices/{id}/command": session events are about sessions subscribed to it
    std::vector<std::string> after;      // plugins that must be started first
};

/// A value of SQL. Text and blobs are owned.
using sql_value = std::variant<std::nullptr_t, std::int64_t, double, std::string, std::vector<std::uint8_t>>;
using sql_row = std::vector<sql_value>;

/// A received message; views die with the call.
struct message_view {
    std::string_view topic, identity, client_id, payload, content_type, response_topic, correlation_data, traceparent;
    std::uint64_t lsn = 0;
    instant received = 0;
    std::uint32_t tenant = 0;
    int qos = 0;
    bool retain = false;
};

/// A message to send; strings are copied before publish() returns.
struct publication {
    std::string_view topic, payload, content_type = "application/json", response_topic, correlation_data, traceparent;
    std::uint32_t expiry_s = 0;
    int qos = 1;
    bool retain = false;
};

enum class session_change { ready = 1, gone_clean = 2, gone_crash = 3, connect = 4 };
struct session_view {
    session_change change;
    std::string_view identity, client_id, topic, note;
    std::uint64_t connection = 0;
    instant at = 0;
};

/// A publication of this plugin at QoS 1 was acknowledged. A hint: a crash or a full queue may swallow one.
struct delivery_view {
    std::string_view identity, topic, correlation_data;
};

/// A method call. Answer with reply(status, json): HTTP-like status; on errors {"code":"campaign.not_found","detail":"..."}.
struct call_view {
    std::string_view method, params, caller, role, request_id, traceparent;
    std::uint64_t handle = 0;
};

struct http_view {
    std::string_view verb, path, query, body, headers, body_file, body_sha256, caller, role, request_id, peer;
    std::uint64_t body_size = 0, handle = 0;
};

struct http_reply {
    int status = 200;
    std::string content_type = "application/json", headers, body;
    std::string file_path, etag, revoke_token;    // file_path set: a file, with Range, If-Range and HEAD by the host
    std::uint64_t rate_bytes_s = 0, byte_budget = 0;
    std::uint64_t file_bytes = 0;                 // only so many bytes from the beginning are the file; 0 = all of it
};

enum class verdict { ok = 0, refuse = 1, defer = 2, fail = 3 };
enum class level { debug = 0, info = 1, warn = 2, error = 3 };

/// A host function said no. what() is a sentence; code() is errno-like, or SQLite's code for sql().
class error : public std::runtime_error {
public:
    explicit error(std::string const& what, int code = 0) : std::runtime_error(what), code_(code) {}
    int code() const { return code_; }

private:
    int code_;
};

/// What the host can do for a plugin. Errors of sql() throw sdk::error: the batch rolls back, the item is set aside and counted.
class context {
public:
    virtual ~context() = default;
    virtual instant now() const = 0;
    virtual instant wall() const = 0;
    virtual void log(level l, std::string_view text, std::string_view fields_json = {}) = 0;
    /// plugin_opt_<key>, or the configuration's directive of that name; empty when unset.
    virtual std::string option(std::string_view key) const = 0;
    virtual void publish(publication const& p) = 0;
    virtual std::vector<sql_row> sql(std::string_view text, std::vector<sql_value> const& params = {}) = 0;
    virtual std::int64_t changes() const = 0;
    virtual void timer(std::uint64_t id, instant due) = 0;    // due < 0 cancels
    virtual void call(std::string_view method, std::string_view params, std::function<void(int status, std::string_view json)> done) = 0;
    virtual void reply(std::uint64_t handle, int status, std::string_view json) = 0;
    virtual void reply(std::uint64_t handle, http_reply const& r) = 0;
    virtual void revoke(std::string_view token) = 0;
    virtual void disconnect(std::string_view identity, int reason) = 0;
    virtual void state_put(std::uint64_t key, std::string_view value) = 0;
    virtual void state_scan(std::function<void(std::uint64_t, std::string_view)> const& f) = 0;
    virtual void metric_add(std::string_view name, double delta, std::string_view labels_json = {}) = 0;
    virtual void metric_set(std::string_view name, double value, std::string_view labels_json = {}) = 0;
    virtual void answer_connect(std::uint64_t handle, verdict v, std::string_view role) = 0;
};

/// Base of every plugin. Life: construct, configure, start, hooks, stop.
class plugin {
public:
    explicit plugin(context& c) : ctx(c) {}
    virtual ~plugin() = default;
    // static std::string_view id();          required: "vendor.name"
    // static sdk::declaration declare();     required
    virtual void configure() {}               // throw std::runtime_error("what, where, what to do") to refuse
    virtual void start() {}
    virtual void stop() {}
    virtual verdict message(message_view const&) { return verdict::ok; }
    virtual void session(session_view const&) {}
    virtual void tick(std::uint64_t timer_id, instant now) { (void)timer_id, (void)now; }
    virtual void method(call_view const& c) { ctx.reply(c.handle, 404, R"({"code":"sdk.no_such_method"})"); }
    virtual void http(http_view const& r) { ctx.reply(r.handle, http_reply{.status = 404}); }
    virtual verdict connect(std::string_view identity, std::string_view user, std::string_view password, std::string_view peer, std::uint64_t handle) {
        (void)identity, (void)user, (void)password, (void)peer, (void)handle;
        return verdict::ok;
    }
    virtual void committed() {}
    virtual void delivered(delivery_view const&) {}

protected:
    context& ctx;
};

}
