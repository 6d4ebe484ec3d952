#include "storage/firmware/ids.hpp"

#include "storage/firmware/digest.hpp"

#include <algorithm>
#include <new>
#include <openssl/evp.h>
#include <openssl/rand.h>

namespace airmail::storage::firmware {

namespace {

// RFC 9562 section 6.6: the name space for DNS names.
constexpr uuid dns_space{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8};

// Version and variant stand at fixed bits (section 4.1, 4.2).
void stamp(uuid& u, std::uint8_t version) {
    u[6] = static_cast<std::uint8_t>((u[6] & 0x0f) | version << 4);
    u[8] = static_cast<std::uint8_t>((u[8] & 0x3f) | 0x80);
}

}

std::string to_string(uuid const& u) {
    auto hex = to_hex(u);
    for (std::size_t at : {8u, 13u, 18u, 23u}) hex.insert(at, 1, '-');
    return hex;
}

result<uuid> parse_uuid(std::string_view s) {
    if (s.size() != 36) return errc::bad_format;
    std::string hex;
    for (std::size_t i = 0; i < s.size(); ++i) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (s[i] == '-')) return errc::bad_format;
        if (!dash) hex += s[i] >= 'A' && s[i] <= 'F' ? char(s[i] - 'A' + 'a') : s[i];
    }
    auto raw = from_hex(hex);
    if (!raw) return raw.error();
    uuid u;
    std::copy(raw->begin(), raw->end(), u.begin());
    return u;
}

uuid uuid_v5(uuid const& space, std::string_view name) {
    bytes text(space.begin(), space.end());
    text.insert(text.end(), name.begin(), name.end());
    unsigned char hash[20];
    if (EVP_Digest(text.data(), text.size(), hash, nullptr, EVP_sha1(), nullptr) != 1) throw std::bad_alloc();
    uuid u;
    std::copy(hash, hash + 16, u.begin());
    stamp(u, 5);
    return u;
}

uuid uuid_v7(std::int64_t now_ms) {
    uuid u;
    if (RAND_bytes(u.data(), int(u.size())) != 1) throw std::bad_alloc();
    for (int i = 0; i < 6; ++i) u[std::size_t(i)] = static_cast<std::uint8_t>(now_ms >> (40 - 8 * i));
    stamp(u, 7);
    return u;
}

std::string device_id(std::uint32_t tenant, std::string_view serial_no) {
    static uuid const ours = uuid_v5(dns_space, "devices.airmail");
    return to_string(uuid_v5(uuid_v5(ours, std::to_string(tenant)), serial_no));
}

std::string new_id(std::int64_t now_ms) { return to_string(uuid_v7(now_ms)); }

std::string command_id(std::string_view campaign_id, std::string_view device, std::uint32_t attempt) {
    sha256 h;
    h.update(campaign_id);
    h.update("\n");
    h.update(device);
    h.update("\n" + std::to_string(attempt));
    auto d = h.finish();
    return to_hex(byte_view(d).first(16));
}

bool is_serial_no(std::string_view s) {
    return !s.empty() && s.size() <= 64 && std::all_of(s.begin(), s.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == ':' || c == '-';
    });
}

}
