#pragma once
// Things to do later, on one timer for the whole fleet: a device with nothing to do costs nothing here.

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <map>

namespace airmail::sim {

/// Owned by: the io_context's thread. What is still waiting when it ends is never run.
class agenda {
public:
    using clock = std::chrono::steady_clock;
    explicit agenda(boost::asio::io_context& io) : timer_(io) {}

    void after(std::chrono::milliseconds wait, std::function<void()> what) {
        auto const at = clock::now() + wait;
        bool const first = todo_.empty() || at < todo_.begin()->first;
        todo_.emplace(at, std::move(what));
        if (first) arm();
    }
    void clear() {
        todo_.clear();
        timer_.cancel();
    }

private:
    void arm() {
        timer_.expires_at(todo_.begin()->first);
        timer_.async_wait([this](boost::system::error_code ec) {
            if (ec) return;
            for (auto const now = clock::now(); !todo_.empty() && todo_.begin()->first <= now;) {
                auto const what = std::move(todo_.extract(todo_.begin()).mapped());
                what();
            }
            if (!todo_.empty()) arm();
        });
    }

    boost::asio::basic_waitable_timer<clock, boost::asio::wait_traits<clock>, boost::asio::io_context::executor_type> timer_;
    std::multimap<clock::time_point, std::function<void()>> todo_;
};

}
