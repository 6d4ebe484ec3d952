#pragma once
// The test's end of the shim: the orders it gives, and how the daemon is started on top of it.

#include "tests/e2e/crash/lab.hpp"
#include "tests/e2e/crash/shim/disk_shim.h"

#include <atomic>
#include <cstring>
#include <sys/mman.h>

namespace airmail::testing {

/// Owned by: one test; outlives the daemon. Files below DAEMON's data directory are watched from its next start on.
class disk_shim {
public:
    /// @param record  keep a tape (syncs then cost nothing: the tape is the disk)
    disk_shim(broker_process& d, bool record) : tape_(record ? dir_ / "tape" : "") {
        int const fd = ::open((dir_ / "orders").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || ::ftruncate(fd, 4096) != 0) throw std::runtime_error("no orders");
        void* const at = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        ::close(fd);
        if (at == MAP_FAILED) throw std::runtime_error("no orders");
        orders_ = static_cast<shim_orders*>(at);
        std::vector<std::string> words{"/usr/bin/env", "LD_PRELOAD=" AIRMAIL_DISK_SHIM, "ASAN_OPTIONS=verify_asan_link_order=0",
                                       "AIRMAIL_SHIM_DIR=" + (d.dir() / "data"), "AIRMAIL_SHIM_ORDERS=" + (dir_ / "orders")};
        if (record) words.push_back("AIRMAIL_SHIM_TAPE=" + tape_);
        d.run_under(std::move(words));
    }
    ~disk_shim() { ::munmap(orders_, 4096); }
    disk_shim(disk_shim const&) = delete;
    disk_shim& operator=(disk_shim const&) = delete;

    shim_orders volatile& orders() { return *orders_; }
    /// Records on the tape so far: an acknowledgement that has been read rests on nothing later.
    std::uint64_t now() const { return std::atomic_ref<std::uint64_t>(orders_->events).load(); }
    std::string const& tape() const { return tape_; }

private:
    temp_dir dir_;
    std::string tape_;
    shim_orders* orders_ = nullptr;
};

}
