#pragma once
// One WebSocket of a person or a script: the protocol graphql-transport-ws, message by message. HTTP thread, apart from what the
// workers send. Bound: 64 KiB a message (the server's), one operation id at a time, 50 subscriptions.

#include "plugins/dashboard/api/hub.hpp"

namespace airmail::dashboard {

class service;

/// Owned by the HTTP server (web_session) and the service's list.
class socket_session final : public sdk::web_session, public std::enable_shared_from_this<socket_session> {
public:
    socket_session(service& home, std::shared_ptr<sdk::web_socket> to, std::string peer, std::uint64_t number);

    void message(std::string_view text) override;
    void closed() override;
    /// Every second, on the service's clock thread: init deadline, end of the token, users that are no longer what they were.
    void look(std::int64_t now_ms);

private:
    void init(boost::json::object const& m);
    void subscribe(boost::json::object const& m);
    void send(boost::json::object o);
    void close(int code, std::string reason);

    service& home_;
    std::shared_ptr<sdk::web_socket> to_;
    std::string peer_;
    std::uint64_t number_;
    std::mutex lock_;
    std::int64_t opened_ms_ = 0, expires_at_ = 0;        // expires_at: unix s; 0 = a key, never
    bool ready_ = false, over_ = false;
    sdk::web_who who_;
    std::unordered_set<std::string> running_;
};

}
