#pragma once
// Subscriptions: who watches what, and a thread that looks again when the bell has rung (a batch of the built-in plugins committed).
// It looks at most 4 times a second, so that is also what a subscriber gets at most per object; between two looks the newest state
// wins. Nothing rings, nothing is read; the overview alone also ticks once a second, because rates change without a commit.
//
// Bounds: 50 subscriptions a socket, 10,000 in all, 200 devices a subscription. A socket with more than 256 KiB unsent is passed
// over (counted; it gets the newest state later), after 30 s without progress it is closed with 1013.

#include "plugins/commits/bell.hpp"
#include "plugins/dashboard/api/engine.hpp"

#include <thread>
#include <unordered_set>

namespace airmail::dashboard {

/// One open subscription; owned by the hub, made by a socket.
struct subscription {
    std::shared_ptr<sdk::web_socket> to;
    std::string id;                                   // the client's
    std::uint64_t socket = 0;
    sdk::web_who who;
    std::string peer;
    prepared what;
    std::vector<std::string> ids;                     // devices or the one campaign
    std::unordered_map<std::string, std::string> sent; // object -> version last sent
    std::int64_t last_alert = 0;                      // alertRaised: (last_at) seen
    std::int64_t stuck_since_ms = 0, ticked_ms = 0;
};

class hub {
public:
    hub(engine& e, std::string directory, std::function<std::int64_t()> wall_ms);
    ~hub();
    void start();
    void stop();

    /// False: too many. The first state follows from the hub's thread.
    bool add(std::shared_ptr<subscription> s);
    void remove(std::uint64_t socket, std::string const& id);
    void remove_all(std::uint64_t socket);

    std::size_t size() const;
    std::string exposition() const;

private:
    void run();
    void look(reader& db);
    void serve(subscription& s, reader& db);
    /// Executes and sends; `version` empty = send anyway.
    void push(subscription& s, reader& db, boost::json::value v);

    engine& engine_;
    std::string directory_;
    std::function<std::int64_t()> wall_ms_;
    std::shared_ptr<plugins::bell> bell_;
    mutable std::mutex lock_;
    std::vector<std::shared_ptr<subscription>> all_;
    std::thread thread_;
    std::atomic<bool> stop_{false}, fresh_{false};
    std::atomic<std::uint64_t> pushed_{0}, passed_over_{0}, cut_{0};
};

}
