// E02 on a real file system: ext4 on a loop device that is shut down as a power cut would, without its journal being flushed. What
// was not synced is gone, what was is there after the mount has replayed the journal. Root only.

#include "tests/e2e/crash/lab.hpp"

#include "tools/crashtest/laboratory.hpp"

#include <sys/ioctl.h>
#include <sys/mount.h>

using namespace airmail::testing;
namespace lab = airmail::crashtest;

namespace {

/// FS_IOC_SHUTDOWN and its flag for "the journal is not flushed": headers of Debian 12 do not have them yet.
constexpr unsigned long shutdown_now = _IOR('X', 125, std::uint32_t);
constexpr std::uint32_t without_flush = 2;

/// Owned by: one test.
class loop_disk {
public:
    loop_disk() {
        std::filesystem::create_directories(place());
        auto const made = run({"bash", "-c", "truncate -s 512M " + image() + " && mkfs.ext4 -q -F " + image()});
        why_ = made.code != 0 ? "mkfs.ext4: " + made.text : mount();
    }
    ~loop_disk() { unmount(); }
    loop_disk(loop_disk const&) = delete;

    /// Empty, or why there is none here.
    std::string const& missing() const { return why_; }
    std::string place() const { return dir_ / "disk"; }
    /// The power goes. Everything that uses the disk must be dead before it comes back.
    bool cut() const {
        int const fd = ::open(place().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        std::uint32_t how = without_flush;
        bool const done = fd >= 0 && ::ioctl(fd, shutdown_now, &how) == 0;
        ::close(fd);
        return done;
    }
    /// The power is back. @return empty, or what is wrong
    std::string come_back() {
        unmount();
        return mount();
    }

private:
    std::string image() const { return dir_ / "image"; }
    std::string mount() const {
        auto const m = run({"mount", "-o", "loop", image(), place()});
        return m.code == 0 ? std::string{} : "mount: " + m.text;
    }
    void unmount() const {
        (void)eventually([&] { return ::umount2(place().c_str(), 0) == 0 || errno != EBUSY; }, std::chrono::seconds(10));
    }
    temp_dir dir_;
    std::string why_;
};

}

TEST_CASE("E02: ext4 on a loop device loses its power under load: nothing acknowledged is lost, nothing of QoS 2 comes twice, it starts again") {
    if (::geteuid() != 0) {
        MESSAGE("skipped: only root may mount a loop device");
        return;
    }
    loop_disk disk;
    if (!disk.missing().empty()) {
        MESSAGE("skipped: no loop device here: " << disk.missing());
        return;
    }
    std::string trouble;
    int cuts = 0;
    {   // the broker must be gone before its disk is
        broker_process d{plain_house + "store_path " + disk.place() + "/data\n"};
        lab::victim v{.start = [&d, started = false]() mutable { return std::exchange(started, true) ? d.start_again() : d.start(); },
                            .launch = [&d] { d.launch_again(); },
                            .kill = [&] {
                                d.signal(SIGSTOP);   // the power is everybody's: nothing runs on without its disk
                                if (!disk.cut()) trouble = "the file system cannot be shut down";
                                d.kill();
                                if (auto const wrong = disk.come_back(); !wrong.empty()) trouble = wrong;
                                ++cuts;
                            },
                            .way_in = [&d](std::string const& id) { return plain_options(d, id); }};
        auto const found = lab::run(v, {.rounds = long_form() ? 50 : 3, .seed = 44});
        MESSAGE(lab::describe(found));
        CHECK_MESSAGE(trouble.empty(), trouble);
        CHECK(cuts >= (long_form() ? 50 : 3));
        CHECK(found.kept());
        CHECK(found.acknowledged > 50);
    }
}
