#include "storage/firmware/files.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

namespace airmail::storage::firmware {

namespace {

struct descriptor {
    int fd;
    ~descriptor() {
        if (fd >= 0) ::close(fd);
    }
};

errc why() { return errno == ENOENT ? errc::not_found : errno == ELOOP ? errc::unsafe_file : errno == ENOSPC ? errc::full : errc::io; }

bool write_all(int fd, std::string_view s) {
    while (!s.empty()) {
        auto n = ::write(fd, s.data(), s.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        s.remove_prefix(std::size_t(n));
    }
    return true;
}

bool sync_directory_of(std::string const& path) {
    auto parent = std::filesystem::path(path).parent_path().string();
    descriptor d{::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    return d.fd >= 0 && ::fsync(d.fd) == 0;
}

}

result<std::string> read_small_file(std::string const& path, secrecy s, std::size_t max_bytes) {
    int follow = s == secrecy::owner_only ? O_NOFOLLOW : 0;
    descriptor d{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | follow)};
    if (d.fd < 0) return why();
    struct stat st {};
    if (::fstat(d.fd, &st) != 0) return errc::io;
    if (!S_ISREG(st.st_mode)) return errc::unsafe_file;
    if (s == secrecy::owner_only && ((st.st_mode & 077) || (st.st_uid != ::geteuid() && st.st_uid != 0))) return errc::unsafe_file;
    std::string out;
    char buffer[4096];
    for (;;) {
        auto n = ::read(d.fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errc::io;
        if (n == 0) return out;
        out.append(buffer, std::size_t(n));
        if (out.size() > max_bytes) return errc::too_large;
    }
}

result<void> write_new_file(std::string const& path, std::string_view content, unsigned mode) {
    descriptor d{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode_t(mode))};
    if (d.fd < 0) return why();
    // The mode as asked, whatever the umask.
    bool good = ::fchmod(d.fd, mode_t(mode)) == 0 && write_all(d.fd, content) && ::fsync(d.fd) == 0 && sync_directory_of(path);
    if (good) return {};
    auto e = why();
    ::unlink(path.c_str());
    return e;
}

result<void> replace_file(std::string const& path, std::string_view content, unsigned mode) {
    unsigned char salt[8];
    if (RAND_bytes(salt, sizeof salt) != 1) return errc::io;
    auto temporary = path + ".new-" + to_hex(salt);
    if (auto w = write_new_file(temporary, content, mode); !w) return w.error();
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        auto e = why();
        ::unlink(temporary.c_str());
        return e;
    }
    if (!sync_directory_of(path)) return errc::io;
    return {};
}

}
