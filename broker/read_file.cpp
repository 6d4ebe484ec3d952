#include "broker/read_file.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace airmail {

std::optional<std::string> read_file(std::string const& path, std::string& why) {
    constexpr off_t most = 256 << 20;
    int const fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || ::fstat(fd, &st) != 0) {
        why = std::strerror(errno);
        if (fd >= 0) ::close(fd);
        return std::nullopt;
    }
    std::string text;
    if (!S_ISREG(st.st_mode) || st.st_size > most) why = "not a regular file of at most 256 MiB";
    else {
        text.resize(static_cast<std::size_t>(st.st_size));
        std::size_t got = 0;
        while (got < text.size()) {
            auto const n = ::read(fd, text.data() + got, text.size() - got);
            if (n <= 0) break;
            got += static_cast<std::size_t>(n);
        }
        text.resize(got);
    }
    ::close(fd);
    if (!why.empty()) return std::nullopt;
    return text;
}

}
