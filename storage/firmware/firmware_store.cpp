#include "storage/firmware/firmware_store.hpp"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

namespace airmail::storage::firmware {

namespace {

constexpr std::string_view temporary_prefix = ".upload-";

class descriptor {
public:
    explicit descriptor(int fd = -1) : fd_(fd) {}
    descriptor(descriptor&& o) noexcept : fd_(o.fd_) { o.fd_ = -1; }
    descriptor& operator=(descriptor&& o) noexcept {
        std::swap(fd_, o.fd_);
        return *this;
    }
    ~descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    operator int() const { return fd_; }

private:
    int fd_;
};

errc why() {
    switch (errno) {
    case ENOENT: return errc::not_found;
    case ENOSPC:
    case EDQUOT: return errc::full;
    case ELOOP:
    case ENOTDIR: return errc::unsafe_file;
    default: return errc::io;
    }
}

constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// Names come from digests alone: nothing from outside is ever part of a path.
std::string folder_of(digest256 const& d) { return to_hex(d).substr(0, 2); }
std::string name_of(digest256 const& d) { return folder_of(d) + "/" + to_hex(d); }

std::vector<std::string> names_in(int directory) {
    std::vector<std::string> out;
    int again = ::openat(directory, ".", directory_flags);
    DIR* d = again >= 0 ? ::fdopendir(again) : nullptr;
    if (!d) {
        if (again >= 0) ::close(again);
        return out;
    }
    while (auto* e = ::readdir(d)) out.emplace_back(e->d_name);
    ::closedir(d);
    std::sort(out.begin(), out.end());
    return out;
}

}

struct firmware_store::impl {
    std::string path;
    descriptor root;
};

struct upload::impl {
    std::string root_path, name;
    descriptor root, file;
    sha256 hash;
    std::uint64_t size = 0, size_max = 0;

    ~impl() {
        if (!name.empty()) ::unlinkat(root, name.c_str(), 0);
    }
};

upload::upload(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
upload::~upload() = default;
upload::upload(upload&&) noexcept = default;
upload& upload::operator=(upload&&) noexcept = default;
std::uint64_t upload::size() const { return impl_->size; }
std::string upload::path() const { return impl_->root_path + "/" + impl_->name; }

result<void> upload::write(byte_view b) {
    if (b.size() > impl_->size_max - impl_->size) return errc::too_large;
    impl_->hash.update(b);
    impl_->size += b.size();
    while (!b.empty()) {
        auto n = ::write(impl_->file, b.data(), b.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return why();
        b = b.subspan(std::size_t(n));
    }
    return {};
}

result<stored_image> upload::finish(digest256 const* expected) {
    auto& i = *impl_;
    stored_image made{i.hash.finish(), i.size, false};
    if (expected && *expected != made.sha256) return errc::mismatch;
    if (i.size == 0) return errc::bad_format;
    auto folder = folder_of(made.sha256), name = firmware::name_of(made.sha256);
    if (::mkdirat(i.root, folder.c_str(), 0700) != 0 && errno != EEXIST) return why();
    descriptor inside(::openat(i.root, folder.c_str(), directory_flags));
    if (inside < 0) return why();
    struct stat st {};
    made.already = ::fstatat(i.root, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && std::uint64_t(st.st_size) == i.size;
    if (made.already) {                                  // the destructor removes the second copy
        // Whoever brought the first may not have synced its name yet.
        if (::fsync(inside) != 0 || ::fsync(i.root) != 0) return errc::io;
        return made;
    }
    // An image never changes again: even its owner may only read it.
    if (::fchmod(i.file, 0400) != 0 || ::fsync(i.file) != 0) return why();
    if (::renameat(i.root, i.name.c_str(), i.root, name.c_str()) != 0) return why();
    i.name.clear();
    // Both directories: the new name in one, the new folder and the lost temporary name in the other.
    if (::fsync(inside) != 0 || ::fsync(i.root) != 0) return errc::io;
    return made;
}

firmware_store::firmware_store(std::shared_ptr<impl> i) : impl_(std::move(i)) {}
firmware_store::~firmware_store() = default;
firmware_store::firmware_store(firmware_store&&) noexcept = default;
firmware_store& firmware_store::operator=(firmware_store&&) noexcept = default;

result<firmware_store> firmware_store::open(std::string const& directory) {
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return why();
    auto i = std::make_shared<impl>();
    i->path = directory;
    i->root = descriptor(::open(directory.c_str(), directory_flags));
    if (i->root < 0) return why();
    for (auto const& n : names_in(i->root))
        if (n.starts_with(temporary_prefix)) ::unlinkat(i->root, n.c_str(), 0);
    return firmware_store(std::move(i));
}

result<upload> firmware_store::begin(std::uint64_t size_max) {
    unsigned char salt[12];
    if (RAND_bytes(salt, sizeof salt) != 1) return errc::io;
    auto u = std::make_unique<upload::impl>();
    u->root_path = impl_->path;
    u->size_max = size_max;
    u->root = descriptor(::fcntl(impl_->root, F_DUPFD_CLOEXEC, 3));
    if (u->root < 0) return errc::io;
    auto name = std::string(temporary_prefix) + to_hex(salt);
    u->file = descriptor(::openat(u->root, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (u->file < 0) return why();
    u->name = std::move(name);
    return upload(std::move(u));
}

result<stored_image> firmware_store::adopt(std::string const& path, digest256 const* expected, std::uint64_t size_max) {
    descriptor in(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (in < 0) return why();
    auto u = begin(size_max);
    if (!u) return u.error();
    bytes buffer(256 * 1024);
    for (;;) {
        auto n = ::read(in, buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errc::io;
        if (n == 0) return u->finish(expected);
        if (auto w = u->write({buffer.data(), std::size_t(n)}); !w) return w.error();
    }
}

result<int> firmware_store::open_image(digest256 const& d) const {
    int fd = ::openat(impl_->root, firmware::name_of(d).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return why();
    return fd;
}

result<std::uint64_t> firmware_store::size(digest256 const& d) const {
    struct stat st {};
    if (::fstatat(impl_->root, firmware::name_of(d).c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) return why();
    if (!S_ISREG(st.st_mode)) return errc::not_found;
    return std::uint64_t(st.st_size);
}

std::string firmware_store::path_of(digest256 const& d) const { return impl_->path + "/" + firmware::name_of(d); }

result<std::vector<stored_image>> firmware_store::list() const {
    std::vector<stored_image> out;
    for (auto const& folder : names_in(impl_->root)) {
        if (folder.size() != 2 || !from_hex(folder)) continue;
        descriptor inside(::openat(impl_->root, folder.c_str(), directory_flags));
        if (inside < 0) continue;
        for (auto const& n : names_in(inside)) {
            auto d = n.size() == 64 && n.starts_with(folder) ? parse_digest(n) : result<digest256>(errc::bad_format);
            if (!d) continue;
            if (auto s = size(*d); s) out.push_back({*d, *s, true});
        }
    }
    return out;
}

result<void> firmware_store::check(digest256 const& d) const {
    auto h = hash_file(path_of(d));
    if (!h) return h.error();
    if (*h != d) return errc::mismatch;
    return {};
}

result<void> firmware_store::remove(digest256 const& d) {
    if (::unlinkat(impl_->root, firmware::name_of(d).c_str(), 0) != 0) return why();
    descriptor inside(::openat(impl_->root, folder_of(d).c_str(), directory_flags));
    if (inside < 0 || ::fsync(inside) != 0) return errc::io;
    return {};
}

}
