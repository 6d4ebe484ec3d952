#pragma once
// The pretend lane behind bench<...>: several plugins, one SQLite connection, one fake clock. It talks to them through the
// C table, as the broker does, and obeys the same order: an item, its rows, commit, then what leaves, then on_committed.
// A failing item is undone alone and set aside. Everything happens inside the call that caused it; nothing runs beside it.

#include "plugins/sdk/testing/memory_db.hpp"
#include "plugins/sdk/testing/recorded.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <tuple>

namespace airmail::sdk::testing {

using options = std::map<std::string, std::string>;

class lane {
public:
    /// One plugin in its seat. The host table's `self` is this object.
    struct seat {
        lane* owner = nullptr;
        std::string id;
        airmail_plugin_v1_t const* table = nullptr;
        declaration what;
        void* body = nullptr;
        airmail_host host{};
        std::string last_error, text;                 // text: what the latest option() points into
        std::map<std::uint64_t, std::string> state;   // survives crash() and restart()
    };
    /// Something that leaves after the commit.
    using effect = std::function<void()>;

    explicit lane(testing::options o) : options_(std::move(o)) {}
    ~lane() { destroy_all(); }
    lane(lane const&) = delete;
    lane& operator=(lane const&) = delete;

    void add(airmail_plugin_v1_t const* table, declaration what);
    /// create, configure, migrations, start, in the order of `after`. Throws error with the plugin's own words.
    void start();
    /// Runs one step of one plugin inside the batch; false = it failed and was undone.
    bool step(seat& s, std::string_view kind, std::string_view topic, std::string_view payload, std::uint64_t lsn,
              std::function<bool()> const& hook);
    /// Ends the batch: COMMIT, effects, on_committed. With `effects` false the machine stops between the two.
    void commit(bool effects = true);
    void roll_back();
    void destroy_all();

    int publish(seat& s, airmail_publish const& p);
    int call(seat& s, std::string_view method, std::string_view params, airmail_reply_fn done, void* user);
    /// Dispatches a method to its plugin inline. @return false when nobody declares it
    bool dispatch(std::string_view method, std::string_view params, caller const& who, std::function<void(int, std::string_view)> done);
    void fire_due();
    std::uint64_t handle(std::function<void(int, std::string_view)> done) { return methods_[++last_handle_] = std::move(done), last_handle_; }

    struct timer_key {
        instant due;
        std::uint64_t order;
        seat* who;
        std::uint64_t id;
        bool operator<(timer_key const& o) const { return std::tie(due, order) < std::tie(o.due, o.order); }
    };

    testing::options options_;
    memory_db db_;
    instant now_ = 1'000'000, wall_ = 1'763'856'000'000;
    std::vector<std::unique_ptr<seat>> seats_;
    std::vector<effect> effects_;
    std::vector<timer_key> timers_;
    std::uint64_t timer_order_ = 0, last_handle_ = 0, last_connection_ = 0, last_lsn_ = 0;
    std::map<std::uint64_t, std::function<void(int, std::string_view)>> methods_;
    std::map<std::uint64_t, response> https_;
    std::map<std::uint64_t, connect_answer> connects_;
    std::map<std::string, std::function<answer(std::string_view)>> stubs_;
    std::map<std::string, double> metrics_;
    std::map<std::uint64_t, std::string> metric_names_;
    std::vector<std::pair<airmail_reply_fn, void*>> asked_;    // calls of this batch whose answer is still owed
    std::vector<sent> published_;
    std::vector<std::string> revoked_;
    std::vector<cut_off> disconnected_;
    std::vector<log_line> logs_;
    std::vector<dead_letter> dead_;
    bool in_transaction_ = false, failed_ = false, full_ = false;
    std::string why_;
    int depth_ = 0;

    void begin() {
        if (!in_transaction_) db_.run("BEGIN"), in_transaction_ = true;
    }
    void set_timer(seat& s, std::uint64_t id, instant due) {
        std::erase_if(timers_, [&](timer_key const& t) { return t.who == &s && t.id == id; });
        if (due >= 0) timers_.push_back({due, ++timer_order_, &s, id});
    }

private:
    void fill_host(seat& s);
    void migrate(seat const& s);
    std::vector<seat*> in_order();
};

}

