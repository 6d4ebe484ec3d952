#pragma once
// The rollout: takes what devices say and what operators want, moves rows by device_state, and does what the actions ask. One
// `work` per hook: campaigns are loaded once, counters change in RAM and are written back with the rows, in the same transaction.
//
//   status, heartbeat, first byte, session --> step(row, event) --> row + counters + campaign_events --> publish, revoke (after commit)
//   session ready, start, phase, token free --> queue --> admit()
//
// What is held in RAM (presence, queues) is a hint: a row is read again before it is acted on, so a batch that is run again,
// or a crash, changes nothing. Owned by: the registry lane.

#include "plugins/campaign/command.hpp"
#include "plugins/campaign/rows.hpp"
#include "plugins/campaign/settings.hpp"
#include "plugins/campaign/targets.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace airmail::plugins::campaign {

/// What a device says of an update, with words already split from JSON.
struct report {
    std::string kind;                     // status, heartbeat, byte, removed, joined
    std::string serial_no, campaign_id, command_id, word, reason, error, current_firmware, failed_firmware, last_command_id, last_result, boot;
    std::int64_t progress = -1, bytes = 0;
    bool first = false, changed = false;
};

struct cancel_count {
    std::int64_t stopped = 0, asked = 0, too_late = 0, offline = 0;
};

class engine {
public:
    explicit engine(sdk::context& c) : ctx(c) {}
    void configure();
    /// After a start nobody is connected: rows that thought so stand still until their device is back.
    void start();

    // Hooks. Each is one work; throwing undoes it.
    void ready(std::string_view serial, std::uint64_t connection);
    void gone(std::string_view serial, std::uint64_t connection);
    /// PUBACK of a command. Gathered for a quarter of a second: admission comes first, and a batch costs one statement per row.
    void delivered(std::string_view serial, std::string_view command_id);
    /// `sync`, `url`: devices/{id}/request.
    void request(std::string_view serial, std::string_view what, std::string_view command_id);
    void tick(std::uint64_t timer);

    /// @return an HTTP-like status; `watch` = the device's next heartbeats are evidence too
    int take(report const& r, bool& watch);

    // Operators. The row is loaded, changed and written; wrong states are refusals.
    campaign_row launch(std::string const& id, std::string_view who);
    campaign_row pause(std::string const& id, std::string_view who, std::string_view reason);
    campaign_row resume(std::string const& id, std::string_view who);
    campaign_row advance(std::string const& id, std::string_view who);
    /// By another person than its maker. It may be started then.
    campaign_row approve(std::string const& id, std::string_view who);
    campaign_row deny(std::string const& id, std::string_view who, std::string_view reason);
    campaign_row cancel(std::string const& id, std::string_view who, std::string_view reason, cancel_count& n);
    /// Takes a version off the list that stopped campaigns left; running campaigns go on with it. @return JSON
    std::string unpoison(std::string const& model, std::string const& version);
    campaign_row retry(std::string const& id, std::string_view who, std::string_view serial);
    /// Makes the rows of a new campaign and counts them.
    campaign_row prepare(campaign_row c, std::string_view who);

    /// A command of no campaign, with one of the sequence that campaigns use too.
    void say_custom(custom_command c, std::string const& firmware_id);
    bool connected(std::string_view serial) const { return presence_.contains(std::string{serial}); }
    settings const& set() const { return set_; }

private:
    /// Bytes of images that may be asked for: filled at a rate up to one second's worth, and drawn below nothing by the last one admitted.
    struct debt {
        double level = 0;
        std::int64_t at = 0;
        bool free(std::int64_t now, std::int64_t rate) {
            double full = static_cast<double>(rate);
            level = at == 0 ? full : std::min(full, level + static_cast<double>(now - at) * full / 1000);
            return at = now, rate <= 0 || level > 0;
        }
    };
    struct queue {
        std::deque<std::string> serials;            // bound: the campaign's rows
        std::unordered_set<std::string> in;
        double tokens = 0;
        std::int64_t tokens_at = 0;
        debt bytes;
    };
    struct work {
        std::map<std::string, campaign_row> campaigns;
        std::set<std::string> dirty;
        std::set<std::string> replan;               // devices whose update has just ended
        bool events = false;
        bool admit = false;
    };
    enum timer_id : std::uint64_t { admission_timer = 1, deadline_timer = 2, house_timer = 3, drain_timer = 4, delivered_timer = 5, window_timer = 6 };

    template <class F>
    auto unit(F f);
    void flush();

    campaign_row* find(std::string const& id);
    campaign_row& need(std::string const& id);
    void touch(campaign_row& c) { c.updated_at = ctx.wall(), work_.dirty.insert(c.id); }
    void say(campaign_row& c, std::string_view what, std::string_view who, std::string_view reason);
    void record(campaign_row& c, device_entry const& d, status from, std::string_view detail);

    outcome step(device_entry& d, event const& e, std::string_view detail = {});
    void act(campaign_row& c, device_entry& d, outcome const& o);
    void send(campaign_row& c, device_entry& d);
    void follow_status(device_entry const& d, status before);
    void hard_stops(campaign_row& c, device_entry const& d);
    void weigh(campaign_row& c, std::int64_t began, device_row const& before, device_row const& after);
    void poison_models(campaign_row const& c, std::string_view reason);
    void refuse_poisoned(campaign_row const& c);
    void raise(std::string_view severity, std::string_view kind, campaign_row const& c, std::string_view serial, std::string_view text);
    bool busy_elsewhere(device_entry const& d);
    event make(device_entry const& d, event_kind k) const;

    std::vector<device_entry> rows_of(std::string_view serial, bool finished_too);
    int status_report(report const& r);
    void heartbeat(report const& r, bool& watch);
    void first_byte(report const& r);
    void take_delivered();
    void join(std::string_view serial);

    void plan(std::string_view serial);
    void enqueue(campaign_row const& c, std::string const& serial);
    void enqueue_range(campaign_row const& c, std::int64_t low, std::int64_t high);
    void admit_some();
    int admit(campaign_row& c, queue& q, int most);
    struct candidate {
        device_entry d;
        bool busy = false, poisoned = false;        // another update is under way; it rolled back from this version
        zone where;                                 // its clock, for maintenance windows
        bool barred = false;                        // a campaign has stopped itself on this version for its model
    };
    std::unordered_map<std::string, candidate> candidates(campaign_row const& c, std::vector<std::string> const& serials);
    bool admissible(campaign_row& c, candidate& x);
    void wait_for_window(campaign_row const& c, zone const& where);
    void windows_open();
    void send_batch(campaign_row& c, std::vector<device_entry*> const& ready);
    template <class F>
    void by_letter(campaign_row& c, release_info const* r, std::vector<device_entry*> const& rows, F each);
    bool take_token(campaign_row const& c, queue& q, std::int64_t image_bytes);

    void check(campaign_row& c);
    void gates(campaign_row& c);
    void supersede(campaign_row& c);
    void begin(campaign_row& c, std::string_view who);
    void begin_phase(campaign_row& c, std::int64_t n);
    void expire(campaign_row& c);
    void finish(campaign_row& c, std::string_view status, std::string_view stage);
    void halt(campaign_row& c, std::string_view reason);
    void house();
    void deadlines();
    void drain();
    void drain(campaign_row& c);
    void arm(std::int64_t deadline);

    sdk::context& ctx;
    settings set_;
    command_mint mint_;
    work work_;
    letter* letter_ = nullptr;                      // in send_batch: the command of the row in hand is being made already
    bool no_watch_ = false;
    std::unordered_map<std::string, std::uint64_t> presence_;      // bound: the broker's sessions
    std::unordered_map<std::string, queue> queues_;                // bound: running campaigns
    std::unordered_set<std::string> renewable_;                    // devices that have asked for a URL; bound: presence
    std::unordered_map<std::string, std::string> delivered_;       // serial -> command_id; bound: presence
    bool delivered_armed_ = false;
    std::int64_t delivered_since_ = 0;                             // when it was armed, ctx.now()
    bool crowd_ = false;                                           // the last admission left devices for which there is room and a token
    std::unordered_map<std::string, stop_scores> said_;            // of open campaigns in which a device has said something
    std::unordered_set<std::string> revoked_;                      // by a cancel, before their rows' turn; bound: 20,000
    debt bytes_;                                                   // of all campaigns
    std::int64_t next_window_ = INT64_MAX;                         // stored clock
    std::int64_t next_deadline_ = INT64_MAX;
};

}
