#pragma once
// One HTTP(S) server asked from a thread that may wait: the object store, a webhook. No redirect is followed. Nothing here is for lanes
// or shards: ask() blocks.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace airmail::plugins::outbound {

struct web_server {
    bool tls = true;
    std::string host, port, ca_file;            // ca_file "": the system's certificates
    std::chrono::milliseconds patience{30'000}; // without a byte of progress
    bool public_only = false;                   // refuse loopback, private, link-local and multicast addresses (after resolving)
};

struct web_ask {
    std::string verb, target;                   // target: path and query, encoded
    std::vector<std::pair<std::string, std::string>> headers;    // Host among them; Content-Length and Connection are added
    std::string body;                           // or, when `read` is set, `length` bytes of it, in pieces of 64 KiB
    std::uint64_t length = 0;
    std::function<bool(std::uint64_t at, std::span<std::uint8_t> piece)> read;     // false: the source has failed
};

struct web_answer {
    int status = 0;                             // 0: nobody answered; `trouble` says why
    std::string body, etag, trouble;            // body: at most 1 MiB
};

/// Owned by: the thread that asks; stop() from any.
class web_client {
public:
    explicit web_client(web_server s);
    ~web_client();
    /// One request on a connection of its own. Never throws; addresses, not credentials, stand in `trouble`.
    web_answer ask(web_ask const& a);
    /// A request under way ends with trouble within milliseconds, later ones at once.
    void stop();

private:
    struct wire;
    std::unique_ptr<wire> wire_;
};

/// Whether an address (text form) is one that only insiders reach.
bool is_inside(std::string const& address);

}
