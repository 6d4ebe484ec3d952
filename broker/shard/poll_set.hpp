#pragma once
// Readiness of thousands of sockets: one epoll set, in which each descriptor is registered once and not touched again while
// it is only read. Asio's async_wait would hold a descriptor state and an operation per connection (624 B against 144,
// reference/architecture.md 1.1) and call epoll_ctl once per wait.

#include <array>
#include <cstdint>
#include <sys/epoll.h>

namespace airmail::shard {

/// Something with a descriptor. Must stay alive until the end of the turn in which it left the set: events of the same
/// batch may still name it.
class watcher {
public:
    /// EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR as they are.
    virtual void ready(std::uint32_t events) = 0;

protected:
    ~watcher() = default;
};

/// Owned by: a shard; its thread only, except before it runs.
class poll_set {
public:
    /// Throws std::system_error when the kernel has no descriptor left (start-up).
    poll_set();
    poll_set(poll_set const&) = delete;
    poll_set& operator=(poll_set const&) = delete;
    ~poll_set();

    /// Begins to watch, level-triggered unless `events` says EPOLLET. False when the kernel refuses (no memory, limit on
    /// watches).
    bool add(int fd, watcher& w, std::uint32_t events) noexcept;
    void change(int fd, watcher& w, std::uint32_t events) noexcept;
    void remove(int fd) noexcept;

    /// The loop's, before it says that it sleeps: what leaves the set from here on must not be served from what wait() finds.
    void before_wait() noexcept { removals_seen_ = removals_; }

    /// The loop's: sleeps until something is ready, at most `ms` (-1 = for ever, 0 = not at all). One system call.
    void wait(int ms) noexcept;
    /// The loop's: calls ready() for what the last wait() found, 256 at most. What stays ready is found by the next wait(),
    /// not before: a socket whose budget is used up cannot hold a turn.
    void serve();

    /// Readable while something is ready: so that another set can watch this one.
    int fd() const noexcept { return fd_; }

private:
    int fd_;
    int found_ = 0;
    std::uint32_t removals_ = 0, removals_seen_ = 0;
    std::array<epoll_event, 256> events_;
};

}
