#pragma once
// The client's side of SCRAM-SHA-256, and a verifier for the password file, written from RFC 5802 alone: none of acl/scram.

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <string>

namespace airmail::test::scram {

inline std::string base64(std::string const& s) {
    std::string out(4 * ((s.size() + 2) / 3) + 1, '\0');
    out.resize(static_cast<std::size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<unsigned char const*>(s.data()), static_cast<int>(s.size()))));
    return out;
}
inline std::string hmac(std::string const& key, std::string const& text) {
    std::string out(32, '\0');
    unsigned n = 32;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<unsigned char const*>(text.data()), text.size(), reinterpret_cast<unsigned char*>(out.data()), &n);
    return out;
}
inline std::string sha(std::string const& text) {
    std::string out(32, '\0');
    SHA256(reinterpret_cast<unsigned char const*>(text.data()), text.size(), reinterpret_cast<unsigned char*>(out.data()));
    return out;
}
inline std::string salted(std::string const& password, std::string const& salt, int iterations) {
    std::string out(32, '\0');
    PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), reinterpret_cast<unsigned char const*>(salt.data()), static_cast<int>(salt.size()), iterations, EVP_sha256(), 32, reinterpret_cast<unsigned char*>(out.data()));
    return out;
}
/// What stands behind the user's name and colon.
inline std::string verifier(std::string const& password, std::string const& salt, int iterations) {
    auto const key = salted(password, salt, iterations);
    return "$scram-sha-256$" + std::to_string(iterations) + "$" + base64(salt) + "$" + base64(sha(hmac(key, "Client Key"))) + "$" + base64(hmac(key, "Server Key"));
}

/// One login. first() -> server's answer -> last(answer) -> server's answer == expected.
struct login {
    std::string user, password, nonce = "fyko+d2lbbFgONRv9qkxdawL", expected;
    std::string bare() const { return "n=" + user + ",r=" + nonce; }
    std::string first() const { return "n,," + bare(); }
    std::string last(std::string const& server_first, std::string const& salt, int iterations) {
        auto const full_nonce = server_first.substr(2, server_first.find(',') - 2);
        auto const key = salted(password, salt, iterations), client = hmac(key, "Client Key");
        auto const without = "c=biws,r=" + full_nonce;
        auto const all = bare() + "," + server_first + "," + without;
        auto const signature = hmac(sha(client), all);
        auto proof = client;
        for (std::size_t i = 0; i < 32; ++i) proof[i] = static_cast<char>(proof[i] ^ signature[i]);
        expected = "v=" + base64(hmac(hmac(key, "Server Key"), all));
        return without + ",p=" + base64(proof);
    }
};

}
