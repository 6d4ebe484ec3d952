#pragma once
// The dashboard's backend, put together: what the HTTP server calls, the threads that answer, the logins, the sockets.
//
//   HTTP thread --serve--> queue 256 --> airmail-dash 1..4 (a reader each) --> reply
//               --login--> crypto threads (argon2id) ------------------------> reply
//               --socket-> socket_session --> the same queue, or the hub (airmail-push)
//
// Bounds: 256 requests waiting (503), 50 requests a second and user with bursts of 200 (429), 2,048 sockets (503).

#include "plugins/dashboard/api/hub.hpp"
#include "plugins/dashboard/api/socket.hpp"

#include <deque>

namespace airmail::dashboard {

class service final : public sdk::web_service {
public:
    service();
    ~service() override;

    void start(sdk::web_house& house) override;
    void stop() override;
    sdk::web_match match(std::string_view verb, std::string_view path) override;
    void serve(sdk::web_request r, std::function<void(sdk::web_reply)> done) override;
    std::optional<sdk::web_who> authenticate(std::string_view token) override { return users_ ? users_->authenticate(token) : std::nullopt; }
    std::shared_ptr<sdk::web_session> open(sdk::web_request const& r, std::shared_ptr<sdk::web_socket> socket, sdk::web_reply& refusal) override;
    std::string metrics() override;

    // For the sockets.
    engine& gql() { return *engine_; }
    hub& subscriptions() { return *hub_; }
    shared& common() { return *shared_; }
    std::int64_t now_ms() const;
    /// A user's token, or an API key through the house; `expires_at` 0 for keys.
    std::optional<sdk::web_who> who_of(std::string const& token, std::int64_t* expires_at);
    bool still(sdk::web_who const& who) { return users_->still(who); }
    bool too_fast(sdk::web_who const& who, std::string const& peer);
    /// Queues work for a thread with a reader; false when the queue is full.
    bool work(std::function<void(reader&)> job);
    std::optional<boost::json::object> root_arguments(graphql::selection const& root, boost::json::object const& variables, std::string& why) const;
    /// Is there such a device or campaign? On the HTTP thread: one look-up by key.
    bool exists(std::string const& field, std::string const& id);
    void forget(std::uint64_t socket);

private:
    using reply_fn = std::function<void(sdk::web_reply)>;
    struct bucket { double tokens = 0; std::int64_t at_ms = 0; };

    // graphql_http.cpp
    void serve_graphql(sdk::web_request r, reply_fn done);
    // auth.cpp
    void login(sdk::web_request r, reply_fn done);
    void refresh(sdk::web_request r, reply_fn done);
    void logout(sdk::web_request r, reply_fn done);
    void setup(sdk::web_request r, reply_fn done);
    void users_rest(sdk::web_request r, std::string const& name, std::string const& what, reply_fn done);
    sdk::web_reply logged_in(session s);
    void hashed(std::string password, reply_fn done, std::string request_id, std::function<sdk::web_reply(std::string)> then);
    // rest.cpp
    void export_devices(sdk::web_request r, reply_fn done);
    std::string openapi();

    void worker();
    void watch();

    sdk::web_house* house_ = nullptr;
    std::unique_ptr<people> users_;
    cache cache_;
    std::unique_ptr<shared> shared_;
    std::unique_ptr<engine> engine_;
    std::unique_ptr<hub> hub_;
    graphql::schema schema_;
    std::unique_ptr<reader> own_;                     // HTTP thread's
    std::string directory_;
    double per_second_ = 50;                          // http_graphql_rate

    std::mutex queue_lock_;
    std::condition_variable wake_, tick_;             // of the workers; of the watch
    std::deque<std::function<void(reader&)>> queue_;
    std::vector<std::thread> threads_;
    bool stop_ = false;

    std::mutex rates_lock_;
    std::unordered_map<std::string, bucket> rates_;   // bound 10,000
    std::mutex sockets_lock_;
    std::unordered_map<std::uint64_t, std::weak_ptr<socket_session>> sockets_;
    std::uint64_t last_socket_ = 0;
    std::atomic<std::uint64_t> busy_{0}, limited_{0};
};

/// RFC 9457, as everywhere.
sdk::web_reply problem(int status, std::string_view code, std::string_view detail, std::string_view request_id);
sdk::web_reply problem(refused const& r, std::string_view request_id);
/// A header of the request by its name in lower case; empty when absent.
std::string_view header(sdk::web_request const& r, std::string_view name);
/// False when a browser says that another site's page asks (Origin is not our Host).
bool same_origin(sdk::web_request const& r);
std::string query_parameter(std::string_view query, std::string_view name);

}
