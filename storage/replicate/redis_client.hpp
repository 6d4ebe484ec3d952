#pragma once
// Redis as one thing, whether it is one server or a cluster: commands with a key find their master, MOVED and ASK are
// followed, scripts are loaded wherever we connect.

#include "storage/replicate/cluster_slots.hpp"

#include <map>

namespace airmail::storage::replicate {

struct redis_options {
    std::vector<redis_endpoint> at;            // tried in turn; for a cluster: seeds
    redis_login login;                         // `password` is filled at connect
    std::string password;                      // a reference, see secret.hpp
    bool cluster = false;
    std::string problem;                       // of the URL: told at every attempt to connect
};

/// Reads redis://[user@]host[:port][,host[:port]...][/db], rediss://..., unix:///path. @return empty or what is wrong, without the URL
std::string parse_redis_url(std::string_view url, redis_options& out);

class redis_client {
public:
    redis_client(redis_options const& o, std::span<std::string const> scripts) : options_(o), scripts_(scripts) {}
    asio::awaitable<std::string> connect(std::string const& password, std::chrono::milliseconds timeout);
    void close() { links_.clear(), slots_.clear(); }

    struct request {
        redis_command words;
        std::string key;                       // decides the master; words[0] "EVALSHA" and words[1] the script's index are filled in
    };
    /// Replies in the order of the requests. In a cluster the order holds per master. @return empty, or one line
    asio::awaitable<std::string> run(std::vector<request> const& requests, std::vector<redis_reply>& replies);

    /// One key per master that lives there: to notice that one of them was emptied.
    std::vector<std::string> mark_keys(std::string const& prefix) const;
    redis_endpoint const& server() const { return options_.at[seed_]; }

private:
    struct place {
        std::unique_ptr<redis_link> link;
        std::vector<std::string> sha;          // of scripts_, there
    };
    asio::awaitable<std::string> open(redis_endpoint const& to, place*& out);
    asio::awaitable<std::string> learn_slots(redis_endpoint const& from);
    redis_endpoint const& home_of(std::string const& key) const;
    redis_command ready_for(request const& r, place const& at) const;

    redis_options const& options_;
    std::span<std::string const> scripts_;
    redis_login login_;
    std::chrono::milliseconds timeout_{30000};
    std::size_t seed_ = 0;
    std::map<redis_endpoint, place> links_;
    std::vector<slot_range> slots_;
};

}
