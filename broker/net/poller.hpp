#pragma once
// Readiness of thousands of sockets for one shard: an epoll set of its own, which is itself one descriptor in Asio's.
// Each socket is registered once, level-triggered, and not touched again while it is only read. Asio's own async_wait would
// hold a descriptor state and an operation per connection (624 B against 144, reference/architecture.md 1.1) and call
// epoll_ctl once per wait.
//
//   Asio's epoll --ready--> poller's epoll_wait(0 ms) --> watcher::ready(events) ... up to 256 a turn

#include "broker/shard/shard.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <sys/epoll.h>

namespace airmail::net {

/// Something with a descriptor. Must stay alive until the end of the turn in which it left the poller: events of the same
/// batch may still name it.
class watcher {
public:
    /// EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR as they are.
    virtual void ready(std::uint32_t events) = 0;

protected:
    ~watcher() = default;
};

/// Owned by: a hub; its shard's thread only.
class poller {
public:
    /// Throws std::system_error when the kernel has no descriptor left (start-up).
    explicit poller(shard::shard& s);
    poller(poller const&) = delete;
    poller& operator=(poller const&) = delete;

    /// Begins to watch. False when the kernel refuses (no memory, limit on watches).
    bool add(int fd, watcher& w, std::uint32_t events) noexcept;
    void change(int fd, watcher& w, std::uint32_t events) noexcept;
    void remove(int fd) noexcept;

    void start();
    /// At each turn's end: waits anew, which makes Asio look at the set again. Not before, or what stays ready (a budget was
    /// used up) would be served for ever in one turn; and not while the shard is congested.
    void resume();

private:
    void wait();
    void dispatch();

    shard::shard& shard_;
    boost::asio::posix::stream_descriptor set_;
    bool held_ = false;  // not waiting: dispatched in this turn
};

}
