#include "broker/host/waker.hpp"

#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

namespace airmail::host {

waker::waker() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}
waker::~waker() { close(fd_); }

void waker::wake() {
    // Both sides exchange the same flag: either the sleeper sees the work, or we see that it sleeps.
    if (!sleeping_.exchange(false, std::memory_order_acq_rel)) return;
    std::uint64_t one = 1;
    [[maybe_unused]] auto n = write(fd_, &one, sizeof one);   // EAGAIN: it is awake already
}

void waker::sleep(int ms) {
    pollfd p{fd_, POLLIN, 0};
    if (poll(&p, 1, ms) > 0) {
        std::uint64_t drained;
        [[maybe_unused]] auto n = read(fd_, &drained, sizeof drained);
    }
    stay_awake();
}

}
