#include "broker/net/poller.hpp"

#include <array>
#include <cerrno>
#include <system_error>

namespace airmail::net {
namespace {
int make_set() {
    int const fd = ::epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) throw std::system_error(errno, std::system_category(), "epoll_create1");
    return fd;
}
}

poller::poller(shard::shard& s) : shard_{s}, set_{s.io(), make_set()} {}

bool poller::add(int fd, watcher& w, std::uint32_t events) noexcept {
    epoll_event e{.events = events, .data = {.ptr = &w}};
    return ::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, fd, &e) == 0;
}

void poller::change(int fd, watcher& w, std::uint32_t events) noexcept {
    epoll_event e{.events = events, .data = {.ptr = &w}};
    ::epoll_ctl(set_.native_handle(), EPOLL_CTL_MOD, fd, &e);
}

void poller::remove(int fd) noexcept { ::epoll_ctl(set_.native_handle(), EPOLL_CTL_DEL, fd, nullptr); }

void poller::start() { wait(); }

void poller::wait() {
    set_.async_wait(boost::asio::posix::descriptor_base::wait_read, [this](boost::system::error_code ec) {
        if (!ec) dispatch();
    });
}

void poller::dispatch() {
    held_ = true;
    if (shard_.congested()) return;
    std::array<epoll_event, 256> events;
    int const n = ::epoll_wait(set_.native_handle(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < n; ++i) static_cast<watcher*>(events[i].data.ptr)->ready(events[i].events);
}

void poller::resume() {
    if (!held_ || shard_.congested()) return;
    held_ = false;
    wait();
}

}
