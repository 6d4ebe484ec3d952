#pragma once
// A lane: one thread, one SQLite connection, the plugins that share them. It takes what is there (at most 256 items), runs
// the hooks inside one transaction, commits, lets the effects leave, and takes again.
//
//   writer --committed()--> [durable ring] --.
//   shards --offer(message)-> [loose ring] ---+--> batch --> hooks --> COMMIT (rows + applied_lsn) --> effects --> on_committed
//   anyone --offer(event)---> [event ring] --'         a failing hook is undone alone and set aside
//
// Posting never waits: rings are lock-free; the two mutexes guard what other lanes and overflow bring, and a shard only
// ever tries them.

#include "broker/host/effects.hpp"
#include "broker/host/environment.hpp"
#include "broker/host/instance.hpp"
#include "broker/host/ring.hpp"
#include "broker/host/steps.hpp"
#include "broker/host/timers.hpp"
#include "broker/host/topic_index.hpp"
#include "broker/host/waker.hpp"
#include "storage/outbox/outbox.hpp"
#include "storage/sqlite/db.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

namespace airmail::host {

/// Counted by the lane, read by anyone (metrics, tests).
struct lane_counters {
    std::atomic<std::uint64_t> messages{0}, events{0}, batches{0}, commits{0}, commit_failures{0}, dead_letters{0}, refused{0},
        schema_violations{0}, loose_dropped{0}, latest_replaced{0}, spilled{0}, session_events_dropped{0}, busy_answers{0},
        replay_skipped{0}, slow_hooks{0}, calls_timed_out{0}, inline_logins{0},
        deliveries_dropped{0};
};

class lane final : public storage::consumer {
public:
    lane(std::string name, bool shared, environment& env);
    ~lane() override;

    // Start-up thread, in this order.
    instance& seat(std::unique_ptr<instance> i);
    /// Opens registry.db and reads how far we had come. Throws sqlite::error.
    void open();
    /// create and configure. Throws refusal with the plugin's own words.
    void create(instance& i);
    /// Brings its tables up to date and writes the outbox triggers. Throws refusal(database).
    void migrate(instance& i);
    /// The start hook, committed. Its effects leave when the thread begins. Throws refusal.
    void start(instance& i);
    void follow(std::uint32_t consumer_bit) { consumer_bit_ = consumer_bit, behind_.store(true); }

    // The store's writer thread and anyone.
    bool committed(std::vector<std::pair<storage::lsn, storage::message_ptr>> const& batch) noexcept override;
    storage::lsn applied() const noexcept override { return stored_lsn_.load(std::memory_order_acquire); }

    // Any thread, never waits.
    /// A message that is not in the log. False = dropped (counted).
    bool offer(storage::message_ptr const& m);
    /// False = full, and `e` is still the caller's, who answers "busy".
    bool offer(std::unique_ptr<event>& e);
    /// From other lanes: never lost, bounded by the calls in flight.
    void deliver(std::unique_ptr<event> e);
    void nudge() { waker_.wake(); }

    // The lane's thread (or pump).
    /// One batch, if there is anything to do.
    bool step();
    /// step() until stop is asked, then finish().
    void run();
    /// Works off what is queued, runs the stop hooks, stores applied_lsn, destroys the plugins.
    void finish();
    void ask_to_stop() { stopping_.store(true), waker_.wake(); }

    // Any thread.
    std::string const& name() const { return name_; }
    lane_counters const& counters() const { return counters_; }
    /// A login that `i` answered on the caller's thread, and how long that took.
    void answered_inline(instance& i, std::int64_t took_ms);
    std::size_t queued() const { return durable_.size() + loose_.size() + events_.size(); }
    /// "" while healthy; else what is wrong: stuck in a hook, cannot commit, session events lost.
    std::string trouble() const;
    std::vector<std::unique_ptr<instance>> const& seats() const { return seats_; }

    // For the host table; inside hooks only.
    bool inside() const { return hook_thread_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }
    int sql(instance& i, std::string_view text, airmail_value const* params, std::size_t count, airmail_row_fn row, void* user);
    std::int64_t changes() const { return db_->changes(); }
    /// False at the bound (host_options::effects_max).
    bool add(effect e);
    int call(instance& from, std::string_view method, std::string_view params, airmail_reply_fn done, void* user);
    int reply(instance& from, std::uint64_t handle, int status, std::string_view json);
    int reply_http(instance& from, std::uint64_t handle, http_answer a);
    void fail(instance& i, std::string_view why);
    environment& env() { return env_; }

private:
    struct pending {                        // a method call or request that a plugin must answer
        instance* who = nullptr;
        std::int64_t deadline_ms = 0;
        bool inside = false;                // called inline: the answer waits until the hook has succeeded
        std::optional<std::pair<int, std::string>> given;
        std::uint64_t asked = 0;            // asked by a plugin of this lane
        method_done done;
        http_done http;
    };
    struct asked {                          // a call of ours that somebody must answer
        instance* who = nullptr;
        airmail_reply_fn done = nullptr;
        void* user = nullptr;
    };
    struct interest { instance* who; schema const* rule; };
    struct batch {
        std::vector<std::unique_ptr<event>> events;
        std::vector<message_item> messages;
    };

    template <class Hook> bool run_step(instance& i, char const* hook, Hook&& f);
    template <class Hook> void timed(instance& i, char const* hook, Hook&& f);
    void note_time(instance& i, char const* hook, std::int64_t took_ms, char const* waits);

    bool run_start(instance& i);
    void run_stop(instance& i);
    bool collect(batch& b);
    void catch_up(batch& b);
    bool keep_latest(storage::message_ptr const& m);
    bool attempt(batch& b);
    bool attempt_committed();
    bool commit(storage::lsn upto);
    void undo_batch();
    void broken(std::string const& why);
    void turn_away(batch& b);
    void retry_wait(std::chrono::milliseconds& wait);
    void store_applied_lazily();
    void expire_calls();

    void dispatch(event& e);
    void dispatch(message_item const& m);
    void give(message_item const& m, interest const& to, airmail_message& c);
    void on(session_event const& e);
    void on(delivery_event const& e);
    void on(call_event const& e);
    void on(http_event const& e);
    void on(connect_event const& e);
    void on(answer_event const& e);
    void on(timer_event const& e);
    void run_call(method const& what, std::string_view params, caller const& who, std::uint64_t asked_id, method_done done);
    void audit(std::string const& action, std::string_view params, caller const& who, int status);
    void audit_route(http_event const& e, pending const* answered);
    void answer_asked(std::uint64_t id, int status, std::string_view json);
    void forget_asked(std::uint64_t from);
    void drop_effects(std::size_t from);
    std::uint64_t await(pending p);
    void set_aside(instance& i, char const* hook, storage::lsn at, std::string_view topic, std::string_view identity, std::string_view payload);

    void leave();
    void perform(publish_effect const& e);
    void perform(reply_effect& e);
    void perform(late_reply_effect& e);
    void perform(http_effect& e);
    void perform(revoke_effect const& e);
    void perform(disconnect_effect const& e);
    void perform(connect_effect& e);
    void perform(timer_effect const& e);
    void perform(remote_call_effect& e);
    void perform(state_effect const& e);

    storage::sqlite::permission may(storage::sqlite::action const& a) const;
    void log(sdk::level l, std::string_view plugin, std::string const& text);

    std::string const name_;
    bool const shared_;                     // built-ins: they may use one another's tables
    environment& env_;
    std::vector<std::unique_ptr<instance>> seats_;
    std::unique_ptr<storage::sqlite::db> db_;
    std::unique_ptr<storage::outbox> outbox_;
    std::unique_ptr<steps> tx_;
    topic_index topics_;
    std::vector<interest> interests_;
    bool keeps_latest_ = false;

    ring<message_item> durable_, loose_;
    ring<std::unique_ptr<event>> events_;
    std::mutex latest_mutex_;               // overflow of topics that keep the latest; shards only try it
    std::unordered_map<std::string, storage::message_ptr> latest_;
    std::atomic<std::size_t> latest_size_{0};
    topic_index latest_topics_;
    std::mutex inbox_mutex_;                // from other lanes and plugins' own threads
    std::vector<std::unique_ptr<event>> inbox_;
    std::atomic<bool> inbox_full_{false};
    waker waker_;

    std::uint32_t consumer_bit_ = ~0u;
    std::atomic<bool> behind_{false};       // the writer hands nothing over; we read the log
    storage::lsn seen_lsn_ = 0;
    std::atomic<storage::lsn> stored_lsn_{0};
    std::uint64_t since_stored_ = 0;
    std::int64_t stored_at_ms_ = 0;

    std::vector<effect> effects_;
    timers timers_;
    std::map<std::uint64_t, pending> pending_;
    std::map<std::uint64_t, asked> asked_;
    std::unordered_map<std::uint64_t, connect_event> connects_;
    std::uint64_t last_handle_ = 0, last_asked_ = 0, batch_handle_ = 0, batch_asked_ = 0;
    int calls_deep_ = 0;
    bool failed_ = false, broken_ = false;
    std::string why_;

    std::atomic<std::thread::id> hook_thread_{};
    std::atomic<std::int64_t> busy_since_{0};       // steady ms, 0 = no hook running
    std::atomic<char const*> busy_hook_{""};
    std::atomic<instance const*> busy_who_{nullptr};
    std::atomic<std::int64_t> session_lost_at_{0};  // steady ms; the lane is troubled for a minute
    std::atomic<bool> cannot_commit_{false}, stopping_{false};
    lane_counters counters_;
};

/// Milliseconds of the steady clock: budgets and deadlines inside the process.
std::int64_t steady_ms();

}
