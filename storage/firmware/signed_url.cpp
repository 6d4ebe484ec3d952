#include "storage/firmware/signed_url.hpp"

#include "storage/firmware/ids.hpp"

#include <charconv>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace airmail::storage::firmware {

namespace {

constexpr std::string_view folder = "/fw/";

// One slot per parameter there is; what has no slot is refused.
struct parameters {
    std::string_view c, d, e, k, s;

    std::string_view* slot(std::string_view name) {
        if (name == "c") return &c;
        if (name == "d") return &d;
        if (name == "e") return &e;
        if (name == "k") return &k;
        if (name == "s") return &s;
        return nullptr;
    }
    // By name, as the order of members is.
    std::string sorted() const {
        std::string out = "c=";
        out.append(c).append("&d=").append(d).append("&e=").append(e).append("&k=").append(k);
        return out;
    }
};

std::array<std::uint8_t, 32> sign(url_key const& key, std::string_view path, parameters const& p) {
    // Always GET: HEAD asks for less of the same, so it passes under the same signature.
    std::string text = "OTAURL1\nGET\n";
    text.append(path).append("\n").append(p.sorted());
    std::array<std::uint8_t, 32> mac{};
    unsigned int n = 0;
    HMAC(EVP_sha256(), key.secret.data(), int(key.secret.size()), as_bytes(text).data(), text.size(), mac.data(), &n);
    return mac;
}

bool parse_query(std::string_view query, parameters& p) {
    while (true) {
        auto end = query.find('&');
        auto one = query.substr(0, end);
        auto equals = one.find('=');
        if (equals == one.npos) return false;
        auto* slot = p.slot(one.substr(0, equals));
        auto v = one.substr(equals + 1);
        if (!slot || !slot->empty() || v.empty()) return false;      // unknown, repeated, empty
        *slot = v;
        if (end == query.npos) break;
        query.remove_prefix(end + 1);
    }
    return !p.c.empty() && !p.d.empty() && !p.e.empty() && !p.k.empty() && !p.s.empty();
}

std::optional<std::int64_t> unix_seconds(std::string_view s) {
    if (s.size() > 12 || s[0] < '1' || s[0] > '9') return std::nullopt;      // one text per number
    std::int64_t n = 0;
    auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), n);
    if (ec != std::errc() || end != s.data() + s.size()) return std::nullopt;
    return n;
}

}

result<std::string> sign_url(url_key_ring const& ring, url_grant const& g) {
    if (!is_serial_no(g.device) || !is_serial_no(g.command_id) || g.expires <= 0 || ring.keys().empty()) return errc::refused;
    auto const& key = ring.newest();
    std::string path = std::string(folder) + to_hex(g.image), e = std::to_string(g.expires);
    parameters p{g.command_id, g.device, e, key.kid, {}};
    auto mac = sign(key, path, p);
    return path + "?" + p.sorted() + "&s=" + to_base64url(mac);
}

result<url_grant> verify_url(url_key_ring const& ring, std::string_view method, std::string_view target, std::int64_t now) {
    if (method != "GET" && method != "HEAD") return errc::refused;
    if (target.size() > 512) return errc::refused;
    auto mark = target.find('?');
    if (mark == target.npos) return errc::refused;
    auto path = target.substr(0, mark);
    if (!path.starts_with(folder) || path.size() != folder.size() + 64) return errc::refused;
    auto image = parse_digest(path.substr(folder.size()));
    parameters p;
    if (!image || !parse_query(target.substr(mark + 1), p)) return errc::refused;
    auto expires = unix_seconds(p.e);
    // These characters need no escape, so an escaped one is another text, and refused.
    if (!expires || !is_serial_no(p.d) || !is_serial_no(p.c)) return errc::refused;
    auto const* key = ring.find(p.k);
    if (!key) return errc::unknown_key;
    auto given = from_base64url(p.s);
    auto mac = sign(*key, path, p);
    if (!given || given->size() != mac.size() || CRYPTO_memcmp(given->data(), mac.data(), mac.size()) != 0) return errc::bad_signature;
    if (now >= *expires) return errc::expired;
    return url_grant{*image, std::string(p.d), std::string(p.c), *expires, std::string(p.k)};
}

std::string redact_url(std::string_view target) {
    std::string out(target);
    for (std::size_t at = 0; (at = out.find("s=", at)) != std::string::npos; at += 3) {
        if (at == 0 || (out[at - 1] != '?' && out[at - 1] != '&')) continue;
        auto end = out.find('&', at);
        out.replace(at + 2, end == std::string::npos ? std::string::npos : end - at - 2, "-");
    }
    return out;
}

}
