// airmailctl backup and restore: a whole copy while the broker runs, and back again while it does not.

#include "tools/airmailctl/commands/commands.hpp"
#include "tools/airmailctl/show.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace airmail::ctl {

namespace {

namespace fs = std::filesystem;
struct backup_options { std::string directory; };
struct restore_options { std::string from, to = "/var/lib/airmail"; bool replace = false; };

/// Held until the end: no broker may start on a half-written directory.
class directory_lock {
public:
    explicit directory_lock(fs::path const& directory) {
        fd_ = ::open((directory / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd_ < 0) throw trouble(exit_code::failed, fmt::format("cannot open {}/lock: {}", directory.string(), std::strerror(errno)));
        if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) throw trouble(exit_code::refused, fmt::format("{} is in use: stop airmaild first", directory.string()));
    }
    ~directory_lock() { ::close(fd_); }
    directory_lock(directory_lock const&) = delete;

private:
    int fd_;
};

void restore(context& c, restore_options const& o) {
    fs::path const from(o.from), to(o.to);
    if (!fs::exists(from / "backup.json")) throw trouble(exit_code::not_found, fmt::format("{} is not a whole backup: it has no backup.json", o.from));
    fs::create_directories(to);
    ::chmod(to.c_str(), 0700);
    directory_lock const held(to);
    char const* const parts[] = {"hot", "registry.db", "registry.db-wal", "registry.db-shm", "firmware", "url.keys"};
    fs::path aside;
    for (auto const* p : parts) {
        if (!fs::exists(to / p)) continue;
        if (!o.replace) throw trouble(exit_code::refused, fmt::format("{} holds data ({}): --replace puts it aside", o.to, p));
        if (aside.empty()) fs::create_directories(aside = to / fmt::format("before-restore-{}", ::time(nullptr)));
        fs::rename(to / p, aside / p);
    }
    // Copied, not moved: the backup stays whole, and can be restored again. It begins a new epoch by itself (it was made so).
    for (auto const* p : parts)
        if (fs::exists(from / p)) fs::copy(from / p, to / p, fs::copy_options::recursive);
    // What root has copied must be readable by the user airmaild runs as: whoever owned the directory owns what is in it.
    struct stat owner {};
    if (::geteuid() == 0 && ::stat(to.c_str(), &owner) == 0)
        for (auto const& e : fs::recursive_directory_iterator(to))
            if (::lchown(e.path().c_str(), owner.st_uid, owner.st_gid) != 0) throw trouble(exit_code::failed, fmt::format("{}: {}", e.path().string(), std::strerror(errno)));
    boost::json::object said{{"restored", o.to}, {"from", o.from}};
    if (!aside.empty()) said["before"] = aside.string();
    c.json ? json_line(said) : record(said);
}

}

void add_backup(command_line::command app, context& c) {
    command<backup_options>(app, "backup", "copy everything the broker keeps, while it runs", [](command_line::command s, backup_options& o) {
        s.add_option("directory", o.directory, "a new directory on the broker's machine, absolute; the broker writes it").required();
    }, [&c](backup_options const& o) {
        auto v = c.broker().post("/api/v1/backup", boost::json::object{{"directory", fs::absolute(o.directory).string()}});
        c.json ? json_line(v) : record(v);
    });
    command<restore_options>(app, "restore", "put a backup in place of the data directory; airmaild must not run", [](command_line::command s, restore_options& o) {
        s.add_option("from", o.from, "the backup").required();
        s.add_option("--to", o.to, "store_path of the broker").show_default();
        s.add_flag("--replace", o.replace, "put what is there aside (before-restore-...)");
    }, [&c](restore_options const& o) { restore(c, o); });
}

}
