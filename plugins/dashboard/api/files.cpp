#include "plugins/dashboard/api/files.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <unistd.h>

namespace airmail::dashboard {

std::optional<std::string> read_private(std::string const& path) {
    int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) return std::nullopt;
    if (fd < 0) throw std::runtime_error("cannot read " + path + ": " + std::strerror(errno));
    std::string out(64 << 10, '\0');
    auto n = ::read(fd, out.data(), out.size());
    ::close(fd);
    if (n < 0) throw std::runtime_error("cannot read " + path + ": " + std::strerror(errno));
    out.resize(static_cast<std::size_t>(n));
    return out;
}

void write_private(std::string const& path, std::string_view text) {
    auto beside = path + ".new";
    ::unlink(beside.c_str());
    int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool good = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
    int const why = errno;
    if (fd >= 0) ::close(fd);
    if (!good || ::rename(beside.c_str(), path.c_str()) != 0) throw std::runtime_error("cannot write " + path + ": " + std::strerror(good ? errno : why));
}

}
