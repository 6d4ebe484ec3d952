#include "broker/shard/mailbox.hpp"

#include <bit>
#include <cassert>
#include <cerrno>
#include <poll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

namespace airmail::shard {

ring::ring(std::size_t capacity)
    : mask_{capacity - 1}, room_{::operator new(capacity * sizeof(task), std::align_val_t{64})} {
    assert(std::has_single_bit(capacity));
}

ring::~ring() {
    for (auto n = head_.load(); n != tail_.load(); ++n) slot(n)->~task();
}

task* ring::slot(std::uint64_t n) const noexcept { return static_cast<task*>(room_.get()) + (n & mask_); }

bool ring::push(task& t) noexcept {
    auto const tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ > mask_) {
        head_seen_ = head_.load(std::memory_order_acquire);
        if (tail - head_seen_ > mask_) return false;
    }
    ::new (static_cast<void*>(slot(tail))) task(std::move(t));
    tail_.store(tail + 1, std::memory_order_release);
    return true;
}

std::size_t ring::drain() {
    auto const first = head_.load(std::memory_order_relaxed);
    auto const last = tail_.load(std::memory_order_acquire);
    for (auto n = first; n != last; ++n) {
        // Moved out so that a task that runs long does not keep its slot, and is gone from the ring should it throw.
        task t{std::move(*slot(n))};
        slot(n)->~task();
        head_.store(n + 1, std::memory_order_release);
        t();
    }
    return last - first;
}

namespace {

int new_eventfd() {
    int const fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0) throw std::system_error(errno, std::system_category(), "eventfd");
    return fd;
}

}

doorbell::doorbell() : fd_{new_eventfd()}, alone_fd_{new_eventfd()}, wake_fd_{fd_} {}

doorbell::~doorbell() { ::close(fd_), ::close(alone_fd_); }

void doorbell::wake_thread() noexcept {
    std::uint64_t const one = 1;
    // Fails only when the counter is full, and then it is readable anyway.
    [[maybe_unused]] auto n = ::write(wake_fd_.load(), &one, sizeof one);
}

void doorbell::ring() noexcept {
    int was = state_.load(std::memory_order_relaxed);
    // Written even when nothing changes: the owner must not have looked at the mail before it and at the state after it.
    while (!state_.compare_exchange_weak(was, was == borrowed ? borrowed_rung : was == borrowed_rung || was == awaited ? was : rung)) {}
    if (was == asleep || was == lent) wake_thread();
}

bool doorbell::sleep(bool lend, bool alone) noexcept {
    wake_fd_.store(alone ? alone_fd_ : fd_);
    int was = awake;   // or rung: then it does not sleep, and nobody may have what it owns
    return state_.compare_exchange_strong(was, lend ? lent : asleep);
}

void doorbell::sleep_alone(int ms) noexcept {
    pollfd woken{.fd = alone_fd_, .events = POLLIN, .revents = 0};
    std::uint64_t n = 0;
    if (::poll(&woken, 1, ms) > 0) [[maybe_unused]] auto const got = ::read(alone_fd_, &n, sizeof n);
}

void doorbell::wake() noexcept {
    int was = state_.load(std::memory_order_relaxed);
    while (was != awake) {
        if (was == borrowed || was == borrowed_rung) {
            // Said, so that the neighbour hands over and does not borrow again and again.
            state_.compare_exchange_weak(was, awaited);
        } else if (was == awaited) {
            state_.wait(awaited);
        } else if (state_.compare_exchange_weak(was, awake)) {
            return;
        }
        was = state_.load(std::memory_order_relaxed);
    }
}

bool doorbell::borrow() noexcept {
    int was = lent;
    return state_.compare_exchange_strong(was, borrowed);
}

void doorbell::give_back(bool work_left) noexcept {
    int was = state_.load(std::memory_order_relaxed);
    while (!state_.compare_exchange_weak(was, was == borrowed && !work_left ? lent : rung)) {}
    if (was == awaited) state_.notify_one();
    else if (was == borrowed_rung || work_left) wake_thread();
}

bool external_queue::push(task t) {
    std::lock_guard guard{lock_};
    waiting_.push_back(std::move(t));
    size_.store(waiting_.size(), std::memory_order_relaxed);
    return waiting_.size() == 1;
}

std::size_t external_queue::drain() {
    if (size() == 0) return 0;
    {
        std::lock_guard guard{lock_};
        waiting_.swap(running_);
        size_.store(0, std::memory_order_relaxed);
    }
    auto const n = running_.size();
    for (auto& t : running_) {
        t();
        t = task{};  // captures die here, on the owner, before the next task runs
    }
    running_.clear();
    if (running_.capacity() > 4096) running_.shrink_to_fit();
    return n;
}

}
