#pragma once
// What authorities say of client certificates, asked in the background and kept until it is no longer new; and the answers about our
// own certificates that handshakes carry along (stapling). Questions block (resolver, connect, read), so threads of the desk ask them
// and shards only look into the table.
//
//   newcomer --ask--> table: known, in its time --> at once
//                      `--> asks_ --> a thread: http, judged by acl::ocsp_question --> table, everyone who waits
//   due_: whoever is connected is asked about again --> revoked --> standing says so, on_revoked() looks at all connections

#include "acl/ocsp.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

namespace airmail::net {

class tls;

/// How much an authority's silence weighs: `soft` lets in whom it has not taken back, `hard` only whom it calls good.
enum class ocsp_policy : std::uint8_t { off, soft, hard };

struct ocsp_rules {
    ocsp_policy policy = ocsp_policy::off;
    std::string responder;                       // asked instead of the one a certificate names; empty = that one
    std::chrono::seconds timeout{3};
    std::chrono::milliseconds refresh{3'600'000};   // asked again after this time, or at nextUpdate when that is earlier
};
using ocsp_rules_ptr = std::shared_ptr<ocsp_rules const>;

/// How a certificate stands, for as long as somebody is connected with it. Any thread.
class standing {
public:
    bool revoked() const { return revoked_.load(std::memory_order_relaxed); }

private:
    friend class ocsp_desk;
    std::atomic<bool> revoked_{false};
};
using standing_ptr = std::shared_ptr<standing const>;

/// Any thread. Threads of its own begin with the first question. Bound: `entries` answers, besides those about whoever is connected.
class ocsp_desk {
public:
    /// `silent`: nobody answered, or what came is not to be believed.
    enum class word : std::uint8_t { good, revoked, unknown, silent };
    using reply = std::function<void(word)>;
    using instant = std::chrono::steady_clock::time_point;
    using question_ptr = std::shared_ptr<acl::ocsp_question const>;

    struct options {
        std::size_t entries = 100'000;
        unsigned threads = 4;
        /// &acl::ocsp_question::ask unless a test stands in.
        std::function<acl::ocsp_result<acl::ocsp_answer>(acl::ocsp_question const&, std::string const& url, std::chrono::seconds patience, bool nonce)> ask;
        std::function<instant()> now;   // the steady clock unless a test stands in
    };
    /// `on_revoked` is called on a thread of the desk when somebody who is connected was taken back.
    ocsp_desk(options o, std::function<void()> on_revoked);
    ~ocsp_desk();

    /// What is known of a certificate now; nothing when it has to be asked for: then `later` is called once, on a thread of the desk.
    /// `who` tells from then on, as long as it is held, whether the authority has changed its mind.
    std::optional<word> ask(question_ptr about, ocsp_rules_ptr rules, standing_ptr& who, reply later);

    /// Fetches and refreshes the answer about this listener's own certificate for as long as `of` lives.
    void staple(std::shared_ptr<tls> const& of, ocsp_rules_ptr rules);
    /// After a reload: certificates may be others.
    void look_at_staples();

    /// Ends the threads; waits for the questions under way. Whoever waits is not answered. Idempotent.
    void stop();
    /// For tests whose clock has moved.
    void wake() { bell_.notify_all(); }
    std::size_t entries() const;

private:
    struct entry;
    struct staple_job;
    struct pause { instant until{}; std::chrono::milliseconds length{0}; };
    using entry_ptr = std::shared_ptr<entry>;
    using lock = std::unique_lock<std::mutex>;

    void begin();                                   // all below: lock_ held, unless said
    void work();                                    // a thread; not held
    bool work_some(lock& held);
    void answer(lock& held, entry_ptr const& e);
    void settle(lock& held, entry_ptr const& e, acl::ocsp_result<acl::ocsp_answer> const& said, bool asked);
    void learn(entry& e, acl::ocsp_answer const& said);
    void look_again(entry_ptr const& e);
    void fetch(lock& held, std::shared_ptr<staple_job> const& job);
    void evict();
    bool paused(std::string const& url) const;
    void note(std::string const& url, bool reached, std::string_view why);
    void schedule(entry_ptr const& e, instant when);
    instant next_due() const;

    options options_;
    std::function<void()> on_revoked_;
    mutable std::mutex lock_;
    std::condition_variable bell_;
    std::unordered_map<std::string, entry_ptr> table_;   // by responder and certificate
    std::list<std::string> by_age_;                      // keys; whoever was asked about longest ago comes first
    std::deque<entry_ptr> asks_, again_;                 // newcomers wait for these; refreshes
    std::multimap<instant, std::weak_ptr<entry>> due_;
    std::map<std::string, pause> pauses_;                // responders that did not answer
    std::vector<std::shared_ptr<staple_job>> staples_;
    std::vector<std::thread> threads_;
    bool stopping_ = false;
};

}
