#include "acl/scram.hpp"

#include "acl/errc.hpp"
#include "acl/hex.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

namespace airmail::acl {
namespace {

constexpr std::string_view prefix = "$scram-sha-256$";
constexpr unsigned rounds = 15'000, rounds_least = 4'096, rounds_most = 1'000'000;
constexpr std::size_t key_bytes = 32, salt_bytes = 16, message_bytes_max = 1024;

std::string encode64(std::string_view s) {
    std::string out(4 * ((s.size() + 2) / 3), '\0');
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<unsigned char const*>(s.data()), static_cast<int>(s.size()));
    return out;
}

/// Strict: OpenSSL alone would overlook blanks around and bits behind the end.
std::optional<std::string> decode64(std::string_view s) {
    if (s.empty() || s.size() % 4 != 0 || s.size() > 512) return std::nullopt;
    std::string out(s.size() / 4 * 3, '\0');
    if (EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<unsigned char const*>(s.data()), static_cast<int>(s.size())) < 0)
        return std::nullopt;
    out.resize(out.size() - (s.ends_with("==") ? 2 : s.ends_with('=') ? 1 : 0));
    if (encode64(out) != s) return std::nullopt;
    return out;
}

std::string hmac(std::string_view key, std::string_view text) {
    std::string out(key_bytes, '\0');
    unsigned n = 0;
    if (!HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<unsigned char const*>(text.data()), text.size(),
              reinterpret_cast<unsigned char*>(out.data()), &n))
        out.clear();  // compares unequal to every key
    return out;
}

std::string hash(std::string_view text) {
    auto const d = sha256(text);
    return {reinterpret_cast<char const*>(d.data()), d.size()};
}

std::string salted(std::string_view password, std::string_view salt, unsigned iterations) {
    std::string out(key_bytes, '\0');
    if (PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), reinterpret_cast<unsigned char const*>(salt.data()),
                          static_cast<int>(salt.size()), static_cast<int>(iterations), EVP_sha256(), static_cast<int>(key_bytes),
                          reinterpret_cast<unsigned char*>(out.data())) != 1)
        out.clear();
    return out;
}

std::optional<std::string> random_bytes(std::size_t n) {
    std::string out(n, '\0');
    if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(n)) != 1) return std::nullopt;
    return out;
}

/// Of this process: the made-up salts of users that do not exist.
std::string const& secret() {
    static std::string const s = random_bytes(key_bytes).value_or("");
    return s;
}

/// Takes `name=value` up to the next comma off the front; false when another attribute, or none, stands there.
bool attribute(std::string_view& rest, char name, std::string_view& value) {
    if (rest.size() < 2 || rest[0] != name || rest[1] != '=') return false;
    auto const end = rest.find(',');
    value = rest.substr(2, end == rest.npos ? rest.npos : end - 2);
    rest = end == rest.npos ? std::string_view{} : rest.substr(end + 1);
    return true;
}

/// "=2C" is a comma and "=3D" an equals sign; any other "=" is an error. [RFC 5802, 5.1]
bool unescape(std::string_view name, std::string& into) {
    into.clear();
    for (; !name.empty(); name.remove_prefix(1)) {
        if (name[0] != '=') {
            into += name[0];
            continue;
        }
        auto const code = name.substr(0, 3);
        if (code != "=2C" && code != "=3D") return false;
        into += code == "=2C" ? ',' : '=';
        name.remove_prefix(2);
    }
    return !into.empty();
}

struct first_message {
    std::string_view header, bare, user, nonce;
};

std::optional<first_message> read_first(std::string_view text) {
    if (text.size() > message_bytes_max) return std::nullopt;
    // "n" or "y": no channel binding; "p=..." wants one, which MQTT cannot give.
    if (!text.starts_with("n,") && !text.starts_with("y,")) return std::nullopt;
    auto const end = text.find(',', 2);
    if (end != 2) return std::nullopt;  // somebody else's name to act as is not for us
    first_message m;
    m.header = text.substr(0, end + 1);
    m.bare = text.substr(end + 1);
    auto rest = m.bare;
    if (!attribute(rest, 'n', m.user) || !attribute(rest, 'r', m.nonce)) return std::nullopt;  // "m=" must be refused as well
    bool const printable = std::ranges::all_of(m.nonce, [](unsigned char c) { return c > 0x20 && c < 0x7F; });
    if (m.nonce.size() < 8 || m.nonce.size() > 256 || !printable) return std::nullopt;
    return m;
}

}

std::optional<scram_verifier> read_scram(std::string_view stored) {
    if (!stored.starts_with(prefix) || stored.size() > 512) return std::nullopt;
    stored.remove_prefix(prefix.size());
    std::array<std::string_view, 4> field;
    for (auto& f : field) {
        auto const end = stored.find('$');
        f = stored.substr(0, end);
        stored = end == stored.npos ? std::string_view{} : stored.substr(end + 1);
    }
    scram_verifier v;
    auto const [end, ec] = std::from_chars(field[0].data(), field[0].data() + field[0].size(), v.iterations);
    auto salt = decode64(field[1]), key = decode64(field[2]), server = decode64(field[3]);
    if (ec != std::errc{} || end != field[0].data() + field[0].size() || v.iterations < rounds_least || v.iterations > rounds_most || !stored.empty() ||
        !salt || !key || !server || salt->size() < 8 || salt->size() > 64 || key->size() != key_bytes || server->size() != key_bytes)
        return std::nullopt;
    v.salt = std::move(*salt), v.stored_key = std::move(*key), v.server_key = std::move(*server);
    return v;
}

boost::system::result<std::string> make_scram(std::string_view password, unsigned iterations) {
    auto const n = std::clamp(iterations ? iterations : rounds, rounds_least, rounds_most);
    auto const salt = random_bytes(salt_bytes);
    if (!salt) return errc::crypto;
    auto const key = salted(password, *salt, n);
    if (key.empty()) return errc::crypto;
    return std::string{prefix} + std::to_string(n) + '$' + encode64(*salt) + '$' + encode64(hash(hmac(key, "Client Key"))) + '$' +
           encode64(hmac(key, "Server Key"));
}

bool verify_scram(scram_verifier const& v, std::string_view password) {
    auto const key = salted(password, v.salt, v.iterations);
    return !key.empty() && same_bytes(v.stored_key, hash(hmac(key, "Client Key")));
}

std::string_view scram_user(std::string_view client_first, std::string& into) {
    auto const m = read_first(client_first);
    return m && unescape(m->user, into) ? std::string_view{into} : std::string_view{};
}

std::string scram_exchange::begin(std::string_view client_first, look_up const& find) {
    auto const m = read_first(client_first);
    auto const more = random_bytes(18);
    under_way_ = false;
    if (!m || !more || secret().empty() || !unescape(m->user, user_)) return {};
    header_ = m->header, first_bare_ = m->bare;
    nonce_ = std::string{m->nonce} + encode64(*more);
    auto found = find ? find(user_) : std::nullopt;
    known_ = found.has_value();
    if (found) verifier_ = std::move(*found);
    else verifier_ = {rounds, hmac(secret(), user_).substr(0, salt_bytes), std::string(key_bytes, '\0'), secret()};
    server_first_ = "r=" + nonce_ + ",s=" + encode64(verifier_.salt) + ",i=" + std::to_string(verifier_.iterations);
    under_way_ = true;
    return server_first_;
}

std::string scram_exchange::finish(std::string_view client_final) {
    if (!std::exchange(under_way_, false) || client_final.size() > message_bytes_max) return {};
    auto rest = client_final;
    std::string_view binding, nonce, proof;
    if (!attribute(rest, 'c', binding) || !attribute(rest, 'r', nonce)) return {};
    // The proof is last, after extensions that we do not know and may overlook.
    auto const at = client_final.rfind(",p=");
    if (at == client_final.npos) return {};
    proof = client_final.substr(at + 3);
    auto const bytes = decode64(proof);
    if (!bytes || bytes->size() != key_bytes || nonce != nonce_ || binding != encode64(header_)) return {};
    auto const all = first_bare_ + ',' + server_first_ + ',' + std::string{client_final.substr(0, at)};
    auto key = hmac(verifier_.stored_key, all);
    if (key.size() != key_bytes) return {};
    for (std::size_t i = 0; i < key_bytes; ++i) key[i] = static_cast<char>(key[i] ^ (*bytes)[i]);
    bool const right = same_bytes(hash(key), verifier_.stored_key);
    if (!right || !known_) return {};
    return "v=" + encode64(hmac(verifier_.server_key, all));
}

}
