#pragma once
// One connection to one Redis: TCP, TLS or a Unix socket on Asio, replies through hiredis' reader. Commands go out in a
// pipeline and come back in order; every exchange has a deadline.

#include "storage/replicate/deadline.hpp"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace airmail::storage::replicate {

using redis_command = std::vector<std::string>;

struct redis_reply {
    enum class kind { text, list, number, nothing, status, error } what = kind::nothing;
    std::string text;
    long long number = 0;
    std::vector<redis_reply> list;
    bool is_error() const { return what == kind::error; }
};

struct redis_endpoint {
    std::string host;               // or the path of a Unix socket
    std::string port;               // empty: a Unix socket
    std::string str() const { return port.empty() ? host : host + ":" + port; }
    bool operator==(redis_endpoint const&) const = default;
    auto operator<=>(redis_endpoint const&) const = default;
};

struct redis_login {
    std::string user, password;     // both empty: none
    int database = 0;
    bool tls = false;
    std::string ca_file, cert_file, key_file;   // ca empty: the system's
};

class redis_link {
public:
    explicit redis_link(asio::any_io_executor where);
    ~redis_link();
    /// AUTH and SELECT included. Arguments outlive the call. @return empty, or one line
    asio::awaitable<std::string> connect(redis_endpoint const& to, redis_login const& login, std::chrono::milliseconds timeout);
    /// One reply a command. @return empty, or why the connection is gone; errors of Redis are replies.
    asio::awaitable<std::string> run(std::span<redis_command const> commands, std::vector<redis_reply>& replies, std::chrono::milliseconds timeout);
    void close();
    redis_endpoint const& peer() const { return peer_; }

private:
    struct wire;
    asio::any_io_executor const where_;
    redis_endpoint peer_;
    std::shared_ptr<wire> wire_;    // shared: a deadline may outlive the exchange by a turn
};

}
