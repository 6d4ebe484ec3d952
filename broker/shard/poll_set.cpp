#include "broker/shard/poll_set.hpp"

#include <cerrno>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace airmail::shard {

poll_set::poll_set() : fd_{::epoll_create1(EPOLL_CLOEXEC)} {
    if (fd_ < 0) throw std::system_error(errno, std::system_category(), "epoll_create1");
}

poll_set::~poll_set() { ::close(fd_); }

bool poll_set::add(int fd, watcher& w, std::uint32_t events) noexcept {
    epoll_event e{.events = events, .data = {.ptr = &w}};
    return ::epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &e) == 0;
}

void poll_set::change(int fd, watcher& w, std::uint32_t events) noexcept {
    epoll_event e{.events = events, .data = {.ptr = &w}};
    ::epoll_ctl(fd_, EPOLL_CTL_MOD, fd, &e);
}

void poll_set::remove(int fd) noexcept {
    ++removals_;
    ::epoll_ctl(fd_, EPOLL_CTL_DEL, fd, nullptr);
}

void poll_set::wait(int ms) noexcept {
    // A signal ends the sleep with nothing found: the turn goes on and the next one sleeps again.
    int const n = ::epoll_wait(fd_, events_.data(), static_cast<int>(events_.size()), ms);
    found_ = n > 0 ? n : 0;
}

void poll_set::serve() {
    // While we slept a neighbour did our work, and somebody left: what was found may name the dead. Look again.
    if (removals_ != removals_seen_) before_wait(), wait(0);
    int const n = std::exchange(found_, 0);
    for (int i = 0; i < n; ++i) static_cast<watcher*>(events_[i].data.ptr)->ready(events_[i].events);
}

}
