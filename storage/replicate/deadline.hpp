#pragma once
// Waiting for a descriptor or a timer with an end. Coroutines of the replicate thread only.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>
#include <unistd.h>

namespace airmail::storage::replicate {

namespace asio = boost::asio;
using instant = std::chrono::steady_clock::time_point;
inline constexpr auto with_error = asio::as_tuple(asio::use_awaitable);

/// Sleeps; cut short when the thread's io_context stops.
inline asio::awaitable<void> sleep_for(std::chrono::milliseconds d) {
    asio::steady_timer t(co_await asio::this_coro::executor, d);
    co_await t.async_wait(with_error);
}

/// True when `fd` became ready before the deadline. The descriptor stays the caller's.
inline asio::awaitable<bool> ready(int fd, asio::posix::descriptor_base::wait_type what, instant deadline) {
    auto const where = co_await asio::this_coro::executor;
    auto d = std::make_shared<asio::posix::stream_descriptor>(where, ::dup(fd));   // shared: the timer may fire as we leave; a copy: it is closed with us
    asio::steady_timer t(where, deadline);
    t.async_wait([d](boost::system::error_code ec) {
        if (!ec && d->is_open()) d->cancel();
    });
    auto [ec] = co_await d->async_wait(what, with_error);
    t.cancel();
    co_return !ec;
}

}
