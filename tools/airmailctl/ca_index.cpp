#include "tools/airmailctl/ca_index.hpp"

#include "storage/firmware/json_reader.hpp"

#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace airmail::ctl {

namespace json = boost::json;

ca_index::ca_index(std::string directory) {
    if (directory.empty()) return;
    path_ = directory + "/index.jsonl";
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd_ < 0) throw failure(exit_code::failed, path_ + ": " + std::strerror(errno));
    read_new_lines();
}

ca_index::~ca_index() {
    if (fd_ >= 0) ::close(fd_);
}

void ca_index::lock() {
    if (fd_ < 0) return;
    while (::flock(fd_, LOCK_EX) != 0)
        if (errno != EINTR) throw failure(exit_code::failed, path_ + ": cannot be locked: " + std::strerror(errno));
    read_new_lines();
}

void ca_index::unlock() {
    if (fd_ >= 0) ::flock(fd_, LOCK_UN);
}

void ca_index::read_new_lines() {
    std::string text;
    char buffer[64 * 1024];
    for (;;) {
        auto n = ::pread(fd_, buffer, sizeof buffer, off_t(read_to_ + text.size()));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw failure(exit_code::failed, path_ + ": " + std::strerror(errno));
        if (n == 0) break;
        text.append(buffer, std::size_t(n));
    }
    std::size_t at = 0;
    // A last line without its end is an append that a crash cut short: what it would have said was never told to anyone.
    for (std::size_t end; (end = text.find('\n', at)) != text.npos; at = end + 1) {
        ++lines_;
        apply(std::string_view(text).substr(at, end - at));
    }
    read_to_ += at;
}

void ca_index::apply(std::string_view line) {
    if (line.empty()) return;
    storage::firmware::json_reader in(line);
    auto op = in.text("op");
    if (op == "issue") {
        index_entry e;
        e.serial = in.text("serial");
        e.id = in.text("id");
        e.kind = in.text("kind") == "server" ? certificate_kind::server : certificate_kind::device;
        e.issued_at = in.time("issued_at");
        e.not_after = in.time("not_after");
        if (in.ok()) state_.entries.push_back(std::move(e));
    } else if (op == "revoke") {
        auto serial = in.text("serial");
        auto at = in.time("at");
        for (auto& e : state_.entries)
            if (e.serial == serial && !e.revoked_at) e.revoked_at = at;
    } else if (op == "crl") {
        state_.crl_number = in.number("number");
    } else {
        in.fail();
    }
    if (!in.ok()) throw failure(exit_code::failed, path_ + ": line " + std::to_string(lines_) + " is damaged");
}

void ca_index::append(std::string const& line) {
    ++lines_;
    apply(line);
    if (fd_ < 0) return;
    // A half line left by a crash is cut off first, so that ours stands alone.
    std::string out = line + "\n";
    off_t size = ::lseek(fd_, 0, SEEK_END);
    if (size >= 0 && std::uint64_t(size) > read_to_ && ::ftruncate(fd_, off_t(read_to_)) != 0)
        throw failure(exit_code::failed, path_ + ": " + std::strerror(errno));
    auto n = ::write(fd_, out.data(), out.size());
    if (n != ssize_t(out.size()) || ::fdatasync(fd_) != 0) throw failure(exit_code::failed, path_ + ": cannot be written: " + std::strerror(errno));
    read_to_ += out.size();
}

void ca_index::issued(index_entry const& e) {
    append(json::serialize(json::object{{"op", "issue"}, {"serial", e.serial}, {"id", e.id},
                                        {"kind", e.kind == certificate_kind::server ? "server" : "device"},
                                        {"issued_at", e.issued_at}, {"not_after", e.not_after}}));
}

void ca_index::revoked(std::string const& serial, std::int64_t at) {
    append(json::serialize(json::object{{"op", "revoke"}, {"serial", serial}, {"at", at}}));
}

void ca_index::crl_made(std::uint64_t number) { append(json::serialize(json::object{{"op", "crl"}, {"number", number}})); }

}
