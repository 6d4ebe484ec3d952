#include "storage/firmware/firmware_store.hpp"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <map>
#include <optional>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

namespace airmail::storage::firmware {

namespace {

constexpr std::string_view temporary_prefix = ".upload-", sealed_suffix = ".sealed";

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
std::string sealed_name_of(digest256 const& d) { return name_of(d) + std::string(sealed_suffix); }

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
    image_keys keys;

    std::optional<std::uint64_t> bytes_of(std::string const& name) const {
        struct stat st {};
        if (::fstatat(root, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) return std::nullopt;
        return std::uint64_t(st.st_size);
    }
};

struct upload::impl {
    std::string root_path, name;
    descriptor root, file;
    sha256 hash;
    std::uint64_t size = 0, size_max = 0;
    std::optional<image_sealer> sealer;
    bytes sealed;                              // what the sealer has given, until it is written

    result<void> put(byte_view b) {
        while (!b.empty()) {
            auto n = ::write(file, b.data(), b.size());
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return why();
            b = b.subspan(std::size_t(n));
        }
        return {};
    }

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
    if (!impl_->sealer) return impl_->put(b);
    impl_->sealed.clear();
    if (auto done = impl_->sealer->write(b, impl_->sealed); !done) return done;
    return impl_->put(impl_->sealed);
}

result<stored_image> upload::finish(digest256 const* expected) {
    auto& i = *impl_;
    stored_image made{i.hash.finish(), i.size, false};
    if (expected && *expected != made.sha256) return errc::mismatch;
    if (i.size == 0) return errc::bad_format;
    auto folder = folder_of(made.sha256), name = firmware::name_of(made.sha256), sealed = sealed_name_of(made.sha256);
    if (::mkdirat(i.root, folder.c_str(), 0700) != 0 && errno != EEXIST) return why();
    descriptor inside(::openat(i.root, folder.c_str(), directory_flags));
    if (inside < 0) return why();
    struct stat st {};
    auto const there = [&](std::string const& n) { return ::fstatat(i.root, n.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) ? std::uint64_t(st.st_size) : 0; };
    auto const as_sealed = opened_size(there(sealed));
    made.already = there(name) == i.size || (as_sealed && *as_sealed == i.size);
    if (made.already) {                                  // the destructor removes the second copy
        // Whoever brought the first may not have synced its name yet.
        if (::fsync(inside) != 0 || ::fsync(i.root) != 0) return errc::io;
        return made;
    }
    if (i.sealer) {
        i.sealed.clear();
        if (auto done = i.sealer->finish(i.sealed); !done) return done.error();
        if (auto done = i.put(i.sealed); !done) return done.error();
        name = sealed;
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

result<firmware_store> firmware_store::open(std::string const& directory, image_keys keys) {
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return why();
    auto i = std::make_shared<impl>();
    i->path = directory, i->keys = std::move(keys);
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
    if (!impl_->keys.empty()) {
        auto sealer = image_sealer::begin(impl_->keys.newest());
        if (!sealer) return sealer.error();
        u->sealer = std::move(*sealer);
    }
    u->root = descriptor(::fcntl(impl_->root, F_DUPFD_CLOEXEC, 3));
    if (u->root < 0) return errc::io;
    auto name = std::string(temporary_prefix) + to_hex(salt);
    u->file = descriptor(::openat(u->root, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (u->file < 0) return why();
    u->name = std::move(name);
    return upload(std::move(u));
}

result<stored_image> firmware_store::adopt(std::string const& path, digest256 const* expected, std::uint64_t size_max) {
    struct stat st {};
    if (::lstat(path.c_str(), &st) == 0 && S_ISLNK(st.st_mode)) return errc::unsafe_file;
    auto in = reader(path);
    if (!in) return in.error();
    auto u = begin(size_max);
    if (!u) return u.error();
    bytes buffer(256 * 1024);
    for (std::uint64_t at = 0; at < in->size();) {
        auto const piece = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), in->size() - at));
        if (auto got = in->read(at, piece); !got) return got.error();
        if (auto w = u->write(piece); !w) return w.error();
        at += piece.size();
    }
    return u->finish(expected);
}

result<image_reader> firmware_store::reader(std::string const& path) const { return image_reader::open(path, is_sealed(path), impl_->keys); }

result<image_reader> firmware_store::reader(digest256 const& d) const { return reader(path_of(d)); }

result<int> firmware_store::open_image(digest256 const& d) const {
    int fd = ::openat(impl_->root, firmware::name_of(d).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return why();
    return fd;
}

result<std::uint64_t> firmware_store::size(digest256 const& d) const {
    if (auto plain = impl_->bytes_of(firmware::name_of(d))) return *plain;
    auto const sealed = impl_->bytes_of(sealed_name_of(d));
    if (!sealed) return errc::not_found;
    return opened_size(*sealed);
}

std::string firmware_store::path_of(digest256 const& d) const {
    bool const plain = impl_->bytes_of(firmware::name_of(d)) || !impl_->bytes_of(sealed_name_of(d));
    return impl_->path + "/" + (plain ? firmware::name_of(d) : sealed_name_of(d));
}

std::string firmware_store::missing_keys() const {
    std::map<std::string, int> unknown;        // key id -> images
    int first = 0;
    for (auto const& folder : names_in(impl_->root)) {
        if (folder.size() != 2 || !from_hex(folder)) continue;
        descriptor inside(::openat(impl_->root, folder.c_str(), directory_flags));
        for (auto const& n : inside >= 0 ? names_in(inside) : std::vector<std::string>{}) {
            if (!is_sealed(n)) continue;
            auto const id = key_of_sealed(impl_->path + "/" + folder + "/" + n);
            auto const raw = id ? from_hex(*id) : result<bytes>(errc::bad_format);
            if (!raw || !impl_->keys.find(*raw)) ++unknown[id ? *id : "unreadable"], ++first;
        }
    }
    if (!first) return {};
    std::string ids;
    for (auto const& [id, count] : unknown) ids += (ids.empty() ? "" : ", ") + id + " (" + std::to_string(count) + ")";
    return std::to_string(first) + " images are encrypted with keys that ota_firmware_key does not name: " + ids;
}

result<std::vector<stored_image>> firmware_store::list() const {
    std::vector<stored_image> out;
    for (auto const& folder : names_in(impl_->root)) {
        if (folder.size() != 2 || !from_hex(folder)) continue;
        descriptor inside(::openat(impl_->root, folder.c_str(), directory_flags));
        if (inside < 0) continue;
        for (auto const& n : names_in(inside)) {
            auto const plain = is_sealed(n) ? n.substr(0, n.size() - sealed_suffix.size()) : n;
            auto d = plain.size() == 64 && plain.starts_with(folder) ? parse_digest(plain) : result<digest256>(errc::bad_format);
            if (!d || (!out.empty() && out.back().sha256 == *d)) continue;
            if (auto s = size(*d); s) out.push_back({*d, *s, true});
        }
    }
    return out;
}

result<void> firmware_store::check(digest256 const& d) const {
    auto in = reader(d);
    if (!in) return in.error();
    auto h = hash_image(*in);
    if (!h) return h.error();
    if (*h != d) return errc::mismatch;
    return {};
}

result<void> firmware_store::remove(digest256 const& d) {
    bool const sealed = ::unlinkat(impl_->root, sealed_name_of(d).c_str(), 0) == 0;
    if (::unlinkat(impl_->root, firmware::name_of(d).c_str(), 0) != 0 && !(sealed && errno == ENOENT)) return why();
    descriptor inside(::openat(impl_->root, folder_of(d).c_str(), directory_flags));
    if (inside < 0 || ::fsync(inside) != 0) return errc::io;
    return {};
}

}
