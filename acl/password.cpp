#include "acl/password.hpp"

#include "acl/hex.hpp"

#include <argon2.h>
#include <array>
#include <charconv>
#include <openssl/evp.h>
#include <openssl/rand.h>

namespace airmail::acl {
namespace {

// 12 bytes of salt is what every Mosquitto reads; 2.0 refuses the 64 that 2.1 writes.
constexpr std::size_t digest_bytes = 64, salt_bytes = 12, argon2_salt_bytes = 16, argon2_tag_bytes = 32;
constexpr unsigned pbkdf2_rounds = 210'000;          // OWASP's figure for HMAC-SHA512
constexpr unsigned pbkdf2_rounds_max = 10'000'000;   // a hash file must not be able to stop a thread for minutes
constexpr unsigned argon2_memory_kib = 47104, argon2_memory_kib_max = 1u << 20, argon2_passes_max = 100;

using digest = std::array<unsigned char, digest_bytes>;

std::string_view view(digest const& d) { return {reinterpret_cast<char const*>(d.data()), d.size()}; }

std::string to_base64(std::string_view s) {
    std::string out(4 * ((s.size() + 2) / 3), '\0');
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<unsigned char const*>(s.data()), static_cast<int>(s.size()));
    return out;
}

/// Standard base64 with padding, at most 1 KiB; strict.
std::optional<std::string> from_base64(std::string_view s) {
    if (s.empty() || s.size() % 4 != 0 || s.size() > 1024) return std::nullopt;
    std::string out(s.size() / 4 * 3, '\0');
    if (EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<unsigned char const*>(s.data()), static_cast<int>(s.size())) < 0)
        return std::nullopt;
    out.resize(out.size() - (s.ends_with("==") ? 2 : s.ends_with('=') ? 1 : 0));
    return out;
}

std::optional<digest> salted_sha512(std::string_view password, std::string_view salt) {
    digest out{};
    std::string const both = std::string{password} + std::string{salt};
    unsigned n = 0;
    if (EVP_Digest(both.data(), both.size(), out.data(), &n, EVP_sha512(), nullptr) != 1 || n != out.size()) return std::nullopt;
    return out;
}

std::optional<digest> pbkdf2(std::string_view password, std::string_view salt, unsigned rounds) {
    digest out{};
    if (PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), reinterpret_cast<unsigned char const*>(salt.data()),
                          static_cast<int>(salt.size()), static_cast<int>(rounds), EVP_sha512(), static_cast<int>(out.size()), out.data()) != 1)
        return std::nullopt;
    return out;
}

std::optional<std::string> random_text(std::size_t n) {
    std::string out(n, '\0');
    if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(n)) != 1) return std::nullopt;
    return out;
}

/// Takes the part before the next `$` off the front.
std::string_view take_field(std::string_view& s) {
    auto const end = s.find('$');
    auto const field = s.substr(0, end);
    s = end == s.npos ? std::string_view{} : s.substr(end + 1);
    return field;
}

/// $6$SALT$HASH or $7$ROUNDS$SALT$HASH.
struct salted {
    unsigned rounds = 0;   // 0 = plain SHA-512
    std::string salt, hash;
};

std::optional<salted> read_salted(std::string_view stored) {
    salted out;
    bool const rounds = stored.starts_with("$7$");
    if (!rounds && !stored.starts_with("$6$")) return std::nullopt;
    stored.remove_prefix(3);
    if (rounds) {
        auto const text = take_field(stored);
        auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out.rounds);
        if (ec != std::errc{} || end != text.data() + text.size() || out.rounds == 0 || out.rounds > pbkdf2_rounds_max) return std::nullopt;
    }
    auto salt = from_base64(take_field(stored)), hash = from_base64(stored);
    // Mosquitto writes 12 bytes of salt (before 2.1) or 64.
    if (!salt || !hash || (salt->size() != 12 && salt->size() != 64) || hash->size() != digest_bytes) return std::nullopt;
    out.salt = std::move(*salt);
    out.hash = std::move(*hash);
    return out;
}

/// The numbers of `m=47104,t=1,p=1`: a hash file must not be able to ask for all of the memory.
bool sane_argon2(std::string_view stored) {
    unsigned m = 0, t = 0, p = 0;
    if (stored.size() > 512 || std::sscanf(std::string{stored}.c_str(), "$argon2id$v=19$m=%u,t=%u,p=%u$", &m, &t, &p) != 3) return false;
    return m <= argon2_memory_kib_max && t <= argon2_passes_max && p <= 16;
}

boost::system::error_code verify_argon2(std::string const& stored, std::string_view password) {
    if (!sane_argon2(stored)) return errc::bad_hash;
    int const e = argon2id_verify(stored.c_str(), password.data(), password.size());
    if (e == ARGON2_OK) return {};
    if (e == ARGON2_MEMORY_ALLOCATION_ERROR) return errc::crypto;
    return e == ARGON2_VERIFY_MISMATCH ? errc::wrong_password : errc::bad_hash;
}

boost::system::result<std::string> make_argon2(std::string_view password, unsigned passes) {
    auto const salt = random_text(argon2_salt_bytes);
    char encoded[256];
    if (!salt || argon2id_hash_encoded(passes, argon2_memory_kib, 1, password.data(), password.size(), salt->data(), salt->size(),
                                       argon2_tag_bytes, encoded, sizeof encoded) != ARGON2_OK)
        return errc::crypto;
    return std::string{encoded};
}

}

boost::system::result<std::string> hash_password(std::string_view password, password_scheme how, unsigned iterations) {
    if (how == password_scheme::scram_sha256) return make_scram(password, iterations);
    if (how == password_scheme::argon2id) return make_argon2(password, std::min(iterations ? iterations : 1u, argon2_passes_max));
    auto const salt = random_text(salt_bytes);
    if (!salt) return errc::crypto;
    bool const plain = how == password_scheme::sha512;
    unsigned const rounds = std::min(iterations ? iterations : pbkdf2_rounds, pbkdf2_rounds_max);
    auto const d = plain ? salted_sha512(password, *salt) : pbkdf2(password, *salt, rounds);
    if (!d) return errc::crypto;
    return (plain ? "$6$" : "$7$" + std::to_string(rounds) + '$') + to_base64(*salt) + '$' + to_base64(view(*d));
}

boost::system::error_code verify_password(std::string_view stored, std::string_view password) {
    if (stored.starts_with("$argon2")) return verify_argon2(std::string{stored}, password);
    if (auto const v = read_scram(stored)) return verify_scram(*v, password) ? boost::system::error_code{} : errc::wrong_password;
    auto const s = read_salted(stored);
    if (!s) return errc::bad_hash;
    auto const d = s->rounds == 0 ? salted_sha512(password, s->salt) : pbkdf2(password, s->salt, s->rounds);
    if (!d) return errc::crypto;
    return same_bytes(s->hash, view(*d)) ? boost::system::error_code{} : errc::wrong_password;
}

bool is_password_hash(std::string_view stored) { return read_salted(stored).has_value() || sane_argon2(stored) || read_scram(stored).has_value(); }

password_file password_file::parse(std::string_view text, std::vector<complaint>& complaints) {
    password_file out;
    for (int line = 1; !text.empty(); ++line) {
        auto const end = text.find('\n');
        auto row = text.substr(0, end);
        text = end == text.npos ? std::string_view{} : text.substr(end + 1);
        while (!row.empty() && (row.back() == '\r' || row.back() == ' ')) row.remove_suffix(1);
        auto const colon = row.find(':');
        if (row.empty() || row.front() == '#' || colon == row.npos) continue;
        auto const user = row.substr(0, colon), hash = row.substr(colon + 1);
        auto const say = [&](bool fatal, std::string_view what) { complaints.push_back({fatal, line, "user \"" + std::string{user.substr(0, 64)} + "\" " + std::string{what}}); };
        if (user.empty()) say(true, "has no name");
        else if (hash.empty()) say(true, "has no password");
        else if (!out.users_.emplace(user, hash).second) say(true, "is there twice");
        else if (!is_password_hash(hash)) say(false, "has a password that is not hashed as mosquitto_passwd does; it can never log in");
    }
    for (auto const& [user, hash] : out.users_)
        if (is_password_hash(hash)) {
            out.decoy_ = hash;
            break;
        }
    return out;
}

std::optional<scram_verifier> password_file::scram(std::string_view user) const {
    auto const found = users_.find(std::string{user});
    return found == users_.end() ? std::nullopt : read_scram(found->second);
}

boost::system::error_code password_file::check(std::string_view user, std::string_view password) const {
    auto const found = users_.find(std::string{user});
    if (found != users_.end()) return verify_password(found->second, password);
    if (!decoy_.empty()) (void)verify_password(decoy_, password);   // the answer must not be told by its time
    return errc::unknown_user;
}

}
