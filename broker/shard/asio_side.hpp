#pragma once
// Asio beside the shard's own loop, for rooms that cannot do without it: its io_context watches the shard's set as one
// descriptor among its own, so that a sleep in Asio is ended by a device socket or by the bell.
//
//   Asio's epoll <- the shard's set <- sockets, bell          (without Asio the shard sleeps on its set itself)

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <optional>
#include <unistd.h>

namespace airmail::shard {

/// Owned by: its shard; the shard's thread only, except before it runs.
class asio_side {
public:
    /// @param set the shard's epoll descriptor; it is duplicated. Throws when there is no descriptor left.
    explicit asio_side(int set) : set_{io_, ::dup(set)} {}

    boost::asio::io_context& io() { return io_; }

    /// Runs one handler, or sleeps until there is one, the shard's set is ready, or `until` has come.
    void sleep(std::optional<std::chrono::steady_clock::time_point> until) {
        if (!watching_) {
            watching_ = true;
            set_.async_wait(boost::asio::posix::descriptor_base::wait_read, [this](boost::system::error_code) { watching_ = false; });
        }
        if (until) io_.run_one_until(*until);
        else io_.run_one();
    }

    /// Runs what is ready. True when there may be more: a handler that waits anew for what is ready already must not keep
    /// mail and timers from their turn.
    bool poll() {
        for (int i = 0; i < handlers_max; ++i)
            if (!io_.poll_one()) return false;
        return true;
    }

private:
    static constexpr int handlers_max = 256;
    boost::asio::io_context io_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{io_.get_executor()};
    boost::asio::posix::stream_descriptor set_;
    bool watching_ = false;
};

}
