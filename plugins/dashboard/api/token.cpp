#include "plugins/dashboard/api/token.hpp"

#include "storage/firmware/encoding.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <optional>

namespace airmail::dashboard {

namespace json = boost::json;
namespace fw = storage::firmware;
using acl::errc;

namespace {

constexpr std::string_view issuer = "airmail", audience = "airmail-dashboard", kid = "dashboard-1";
constexpr std::int64_t leeway_s = 5;

std::span<std::uint8_t const> bytes(std::string_view s) { return {reinterpret_cast<std::uint8_t const*>(s.data()), s.size()}; }

std::string encode(std::string_view s) { return fw::to_base64url(bytes(s)); }

std::string text(json::object const& o, std::string_view key) {
    auto const* v = o.if_contains(key);
    return v && v->is_string() ? std::string{v->get_string().data(), v->get_string().size()} : std::string{};
}
std::int64_t number(json::object const& o, std::string_view key) {
    auto const* v = o.if_contains(key);
    return v && v->is_int64() ? v->get_int64() : -1;
}

std::optional<json::object> object_of(std::string_view part) {
    auto raw = fw::from_base64url(part);
    if (!raw) return std::nullopt;
    boost::system::error_code ec;
    auto v = json::parse(std::string_view{reinterpret_cast<char const*>(raw->data()), raw->size()}, ec);
    if (ec || !v.is_object()) return std::nullopt;
    return v.get_object();
}

}

struct token_key::held {
    EVP_PKEY* key = nullptr;
    ~held() { EVP_PKEY_free(key); }
};

boost::system::result<token_key> token_key::make() {
    token_key out;
    auto h = std::make_shared<held>();
    h->key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    if (!h->key) return errc::crypto;
    out.key_ = std::move(h);
    return out;
}

boost::system::result<token_key> token_key::parse(std::string_view pem) {
    token_key out;
    auto h = std::make_shared<held>();
    BIO* in = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    h->key = PEM_read_bio_PrivateKey(in, nullptr, nullptr, nullptr);
    BIO_free(in);
    if (!h->key || EVP_PKEY_get_id(h->key) != EVP_PKEY_ED25519) return errc::bad_key;
    out.key_ = std::move(h);
    return out;
}

std::string token_key::pem() const {
    BIO* out = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(out, key_->key, nullptr, nullptr, 0, nullptr, nullptr);
    char* data = nullptr;
    auto n = BIO_get_mem_data(out, &data);
    std::string text(data, static_cast<std::size_t>(n));
    BIO_free(out);
    return text;
}

boost::system::result<std::string> token_key::sign(token_claims const& c) const {
    json::object claims{{"iss", issuer}, {"aud", audience}, {"sub", c.subject}, {"name", c.name}, {"role", c.role}, {"gen", c.generation},
                        {"iat", c.issued_at}, {"nbf", c.issued_at}, {"exp", c.expires_at}, {"jti", c.id}};
    auto text = encode(json::serialize(json::object{{"alg", "EdDSA"}, {"typ", "JWT"}, {"kid", kid}})) + "." + encode(json::serialize(claims));
    std::uint8_t signature[64];
    std::size_t n = sizeof signature;
    auto* ctx = EVP_MD_CTX_new();
    bool good = EVP_DigestSignInit(ctx, nullptr, nullptr, nullptr, key_->key) == 1 &&
                EVP_DigestSign(ctx, signature, &n, reinterpret_cast<unsigned char const*>(text.data()), text.size()) == 1;
    EVP_MD_CTX_free(ctx);
    if (!good) return errc::crypto;
    return text + "." + fw::to_base64url({signature, n});
}

boost::system::result<token_claims> token_key::verify(std::string_view token, std::int64_t now) const {
    if (token.size() > token_bytes_max) return errc::bad_key;
    auto first = token.find('.'), second = first == token.npos ? token.npos : token.find('.', first + 1);
    if (second == token.npos || token.find('.', second + 1) != token.npos) return errc::bad_key;
    // The signature before anything that it covers is believed; the algorithm is ours, not the header's.
    auto signature = fw::from_base64url(token.substr(second + 1));
    if (!signature || signature->size() != 64) return errc::bad_key;
    auto signed_part = token.substr(0, second);
    auto* ctx = EVP_MD_CTX_new();
    bool good = EVP_DigestVerifyInit(ctx, nullptr, nullptr, nullptr, key_->key) == 1 &&
                EVP_DigestVerify(ctx, signature->data(), signature->size(), reinterpret_cast<unsigned char const*>(signed_part.data()), signed_part.size()) == 1;
    EVP_MD_CTX_free(ctx);
    if (!good) return errc::bad_key;
    auto header = object_of(token.substr(0, first)), claims = object_of(token.substr(first + 1, second - first - 1));
    if (!header || !claims || text(*header, "alg") != "EdDSA" || text(*header, "kid") != kid || header->contains("crit")) return errc::bad_key;
    if (text(*claims, "iss") != issuer || text(*claims, "aud") != audience) return errc::bad_key;
    token_claims out{text(*claims, "sub"), text(*claims, "name"), text(*claims, "role"), text(*claims, "jti"), number(*claims, "iat"), number(*claims, "exp"), number(*claims, "gen")};
    if (out.subject.empty() || out.issued_at < 0) return errc::bad_key;
    if (now >= out.expires_at || number(*claims, "nbf") > now + leeway_s || out.issued_at > now + leeway_s) return errc::expired_key;
    return out;
}

}
