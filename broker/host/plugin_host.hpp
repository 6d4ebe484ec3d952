#pragma once
// The plugin host: takes plugins (built-in tables and .so files), asks what they are, seats them in lanes, and is the one
// door through which the broker reaches them. Built-ins share the lane "registry"; every .so has a lane of its own.
//
//   add / add_file ... -> prepare() -> [store.start()] -> start() -> ... -> stop()
//
// Nothing here makes a shard wait: posts go into lock-free rings, lookups into tables that never change after prepare().

#include "broker/host/environment.hpp"
#include "broker/host/events.hpp"
#include "broker/host/lane.hpp"
#include "broker/host/loader.hpp"

#include <condition_variable>
#include <memory>
#include <thread>

namespace airmail::host {

/// What a plugin's topics ask of the ACL. `filter` may hold {id}.
struct grant {
    std::string plugin, role, filter;
    bool publish = true;         // false: subscribe (and receive)
    bool refused = false;        // by configuration: listed, not given
};

/// Who wants a topic. Stored messages: put `consumers` into storage::put_message and post to `loose`; messages that are not
/// stored (QoS 0, level memory): post to `loose | durable`.
struct interest {
    std::uint32_t consumers = 0; // bits of storage::put_message::consumers
    std::uint32_t durable = 0;   // lanes (bit = index) that want it from the log
    std::uint32_t loose = 0;     // lanes that want it now, without a promise
    explicit operator bool() const { return (durable | loose) != 0; }
};

class plugin_host {
public:
    /// `out` and `store` outlive the host; a null store means no durable log (level memory, tests).
    plugin_host(host_options options, outlet& out, storage::store* store);
    ~plugin_host();
    plugin_host(plugin_host const&) = delete;
    plugin_host& operator=(plugin_host const&) = delete;

    // Start-up thread; all throw refusal with one clear sentence.
    /// A plugin compiled in: host.add(sdk::make_descriptor<heartbeat>()).
    void add(airmail_plugin_v1_t const* table);
    /// A shared object, in a lane of its own. `inline_logins`: its on_connect is asked on the thread of connect() instead, with
    /// handle 0 and no time limit; only when it defers, on its lane like any other.
    void add_file(std::string const& path, bool inline_logins = false);
    /// Opens the database, creates and configures all plugins in the order of `after`, runs migrations, registers the
    /// durable lanes with the store. Before store.start(). At most 32 lanes.
    void prepare();
    /// Start hooks, then threads. After store.start(); the outlet must be ready.
    void start();
    /// Works off what is queued, stop hooks in reverse order, joins. A lane that does not end in stop_timeout is named, left.
    void stop();

    // After prepare(), any thread.
    std::vector<grant> const& grants() const { return grants_; }
    /// About 100 ns for devices/{id}/x.
    interest topics(std::string_view topic) const;
    /// Is a subscription to `filter` by `identity` one that a plugin's session events are about?
    bool is_ready_topic(std::string_view identity, std::string_view filter) const;
    bool decides_logins() const { return !login_plugins_.empty(); }
    bool wants_deliveries() const { return !delivery_plugins_.empty(); }
    route_match match_route(std::string_view verb, std::string_view path) const { return env_.methods.match(verb, path); }
    method_table const& methods() const { return env_.methods; }

    // Running, any thread, never waits.
    void post(storage::message_ptr const& m, std::uint32_t lanes);
    void post(session_event e);
    /// A receiver has acknowledged `m`, which the plugin named in it published. Nothing is queued unless that plugin asks.
    void delivered(storage::message_ptr const& m, std::string_view identity);
    /// Unknown 404, role too low 403 and busy 503 are answered on the calling thread, everything else on a lane's.
    /// Errors: {"code":"host.no_such_method"|"host.forbidden"|"host.busy"|"host.plugin_failed"|"host.timeout"}.
    void call(std::string_view name, std::string params, caller who, method_done done);
    void call(method const& m, std::string params, caller who, method_done done);
    void http(raw_route const& r, http_request request, http_done done);
    /// Asks every plugin with an on_connect, in order; the first that does not say ok decides. No answer in
    /// connect_timeout: refused. `done` runs once, on a lane's or the watchdog's thread, or inside when all were asked inline.
    void connect(std::string identity, std::string user, std::string password, std::string peer,
                 std::function<void(sdk::verdict, std::string role)> done);

    /// "" while healthy (for /readyz): "lane vendor.x: stuck in message of vendor.x for 3 s".
    std::string trouble() const;
    std::vector<std::unique_ptr<lane>> const& lanes() const { return lanes_; }
    lane const* find_lane(std::string_view name) const;

    /// With options.threads false: runs all lanes until none has anything to do. @return batches run
    std::size_t pump();
    /// What the watchdog does every 100 ms: closes logins past their deadline, names stuck lanes once.
    void watch();
    /// A test's clock has moved.
    void nudge();

private:
    void ask_inline(login& l);
    void take(airmail_plugin_v1_t const* table, std::string where, bool built_in);
    std::vector<instance*> in_order();
    void register_methods(instance& i);
    void register_grants(instance& i);
    void apply_refusals();
    void register_topics();
    void follow_store();
    void watchdog();
    void count_probes();

    environment env_;
    std::vector<std::unique_ptr<instance>> waiting_;        // added, not yet seated
    std::vector<instance*> order_;
    std::vector<std::unique_ptr<lane>> lanes_;
    std::vector<grant> grants_;
    topic_index topics_;
    std::vector<interest> interests_;
    std::vector<instance*> login_plugins_, session_plugins_, delivery_plugins_;
    std::vector<metrics::probe> probes_;
    std::vector<std::thread> threads_;
    std::vector<std::shared_ptr<std::atomic<bool>>> ended_;

    std::mutex logins_mutex_;
    std::vector<std::shared_ptr<login>> logins_;            // bound 4,096: beyond it a login is refused at once
    std::mutex watch_mutex_;
    std::condition_variable watch_wake_;
    std::thread watch_thread_;
    bool prepared_ = false, running_ = false, watch_stop_ = false;
    std::mutex said_mutex_;
    std::string said_;                                      // the trouble last logged, without its seconds
};

}
