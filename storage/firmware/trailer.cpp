// The manifest at the end of an image: reading, checking, appending.
#include "storage/firmware/release_manifest.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace airmail::storage::firmware {

namespace {

struct descriptor {
    int fd = -1;
    ~descriptor() {
        if (fd >= 0) ::close(fd);
    }
};

bool write_all(int fd, byte_view b) {
    while (!b.empty()) {
        auto n = ::write(fd, b.data(), b.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        b = b.subspan(std::size_t(n));
    }
    return true;
}

}

std::string make_trailer(envelope const& e) {
    std::string out = e.to_json();
    std::uint64_t n = out.size();
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(n >> shift & 0xff);
    out += trailer_magic;
    return out;
}

result<signed_image> parse_trailer(byte_view tail, std::uint64_t size) {
    if (tail.size() < trailer_tail_bytes || as_text(tail.last(8)) != trailer_magic) return errc::not_found;
    std::uint64_t n = 0;
    for (auto b : tail.subspan(tail.size() - 16, 8)) n = n << 8 | b;
    if (n > manifest_bytes_max) return errc::too_large;
    if (n == 0 || n > tail.size() - trailer_tail_bytes || n + trailer_tail_bytes >= size) return errc::bad_format;
    auto json = as_text(tail.subspan(tail.size() - trailer_tail_bytes - n, n));
    auto e = envelope::parse(json);
    if (!e) return e.error();
    return signed_image{std::move(*e), size - trailer_tail_bytes - n};
}

result<signed_image> read_trailer(image_reader& in) {
    bytes tail(std::min<std::uint64_t>(in.size(), manifest_bytes_max + trailer_tail_bytes));
    if (auto got = in.read(in.size() - tail.size(), tail); !got) return got.error();
    return parse_trailer(tail, in.size());
}

result<signed_image> read_trailer(std::string const& path) {
    auto in = image_reader::open(path, false, {});
    if (!in) return in.error();
    return read_trailer(*in);
}

result<release> verify_release(image_reader& in, signers const& who) {
    auto found = read_trailer(in);
    if (!found) return found.error();
    auto payload = verify(found->manifest, release_type, who);
    if (!payload) return payload.error();
    auto m = release_manifest::parse(*payload);
    if (!m) return m.error();
    if (m->components[0].size != found->image_bytes) return errc::mismatch;
    auto hash = hash_image(in, found->image_bytes);
    if (!hash) return hash.error();
    if (*hash != m->components[0].sha256) return errc::mismatch;
    return release{std::move(*m), manifest_digest(found->manifest), found->image_bytes};
}

result<release> verify_release_file(std::string const& path, signers const& who) {
    auto in = image_reader::open(path, false, {});
    if (!in) return in.error();
    return verify_release(*in, who);
}

result<release> sign_release_file(std::string const& image, std::string const& target, release_manifest m, std::span<private_key const> keys) {
    if (auto there = read_trailer(image); there) return errc::bad_format;
    descriptor in{::open(image.c_str(), O_RDONLY | O_CLOEXEC)};
    if (in.fd < 0) return errno == ENOENT ? errc::not_found : errc::io;
    descriptor out{::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)};
    if (out.fd < 0) return errc::io;
    auto give_up = [&](errc e) {
        ::unlink(target.c_str());
        return e;
    };
    sha256 h;
    std::uint64_t size = 0;
    bytes buffer(256 * 1024);
    for (;;) {
        auto n = ::read(in.fd, buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return give_up(errc::io);
        if (n == 0) break;
        byte_view piece(buffer.data(), std::size_t(n));
        h.update(piece);
        size += piece.size();
        if (!write_all(out.fd, piece)) return give_up(errno == ENOSPC ? errc::full : errc::io);
    }
    if (m.components.empty()) m.components.push_back({"image", {}, 0});
    m.components[0].sha256 = h.finish();
    m.components[0].size = size;
    auto text = m.to_json();
    // What we would not accept we do not sign.
    if (auto again = release_manifest::parse(text); !again || size == 0) return give_up(errc::bad_format);
    auto e = seal(release_type, text, keys);
    if (!e) {
        give_up(errc::bad_key);
        return e.error();
    }
    auto trailer = make_trailer(*e);
    if (trailer.size() > manifest_bytes_max) return give_up(errc::too_large);
    if (!write_all(out.fd, as_bytes(trailer)) || ::fsync(out.fd) != 0) return give_up(errc::io);
    return release{std::move(m), manifest_digest(*e), size};
}

}
