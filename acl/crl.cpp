#include "acl/crl.hpp"

#include "acl/certificate.hpp"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

namespace airmail::acl {
namespace {

template <auto Free> struct freed_by {
    template <class T> void operator()(T* p) const { Free(p); }
};
void free_certificates(STACK_OF(X509)* s) { sk_X509_pop_free(s, X509_free); }
using crl_ptr = std::unique_ptr<X509_CRL, freed_by<X509_CRL_free>>;
using lookup = std::unique_ptr<X509_STORE_CTX, freed_by<X509_STORE_CTX_free>>;
using certificates = std::unique_ptr<STACK_OF(X509), freed_by<free_certificates>>;

std::int64_t seconds_of(ASN1_TIME const* t) {
    std::tm parts{};
    return t && ASN1_TIME_to_tm(t, &parts) == 1 ? static_cast<std::int64_t>(timegm(&parts)) : 0;
}

/// Right-aligned in 20 bytes; false for the longer ones that RFC 5280 forbids.
template <std::size_t N> bool put(std::uint8_t const* data, std::size_t size, std::array<std::uint8_t, N>& out) {
    while (size && *data == 0) ++data, --size;
    if (size > N) return false;
    out = {};
    std::memcpy(out.data() + N - size, data, size);
    return true;
}

bool put_hex(std::string_view hex, std::array<std::uint8_t, 20>& out) {
    std::array<std::uint8_t, 64> raw{};
    if (hex.empty() || hex.size() > 2 * raw.size()) return false;
    auto const digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; };
    std::size_t const odd = hex.size() % 2;
    for (std::size_t i = 0; i < hex.size(); ++i) {
        int const value = digit(hex[i]);
        if (value < 0) return false;
        auto& byte = raw[(i + odd) / 2];
        byte = static_cast<std::uint8_t>(byte << 4 | value);
    }
    return put(raw.data(), (hex.size() + odd) / 2, out);
}

std::string text_of(ASN1_OCTET_STRING const* s) {
    return s ? std::string{reinterpret_cast<char const*>(ASN1_STRING_get0_data(s)), static_cast<std::size_t>(ASN1_STRING_length(s))} : std::string{};
}

std::string key_of(AUTHORITY_KEYID* id) {
    auto out = text_of(id ? id->keyid : nullptr);
    AUTHORITY_KEYID_free(id);
    return out;
}

/// Signed by a certificate of that name that we trust? There may be several: an authority that changed its key.
bool signed_by_one_of(X509_STORE* trusted, X509_CRL* crl) {
    lookup const where{X509_STORE_CTX_new()};
    if (!where || X509_STORE_CTX_init(where.get(), trusted, nullptr, nullptr) != 1) return false;
    certificates const found{X509_STORE_CTX_get1_certs(where.get(), X509_CRL_get_issuer(crl))};
    for (int i = 0; found && i < sk_X509_num(found.get()); ++i)
        if (auto* key = X509_get0_pubkey(sk_X509_value(found.get(), i)); key && X509_CRL_verify(crl, key) == 1) return true;
    return false;
}

}

boost::system::result<std::shared_ptr<crl_set const>, std::string> crl_set::read(BIO* pem, X509_STORE* trusted) {
    auto made = std::make_shared<crl_set>();
    while (crl_ptr crl{PEM_read_bio_X509_CRL(pem, nullptr, nullptr, nullptr)}) {
        list l;
        l.issuer = printed_name(X509_CRL_get_issuer(crl.get()));
        if (!signed_by_one_of(trusted, crl.get())) return ERR_clear_error(), "the list of \"" + l.issuer + "\" is signed by no authority of cafile or capath";
        // A list of only some certificates (issuing distribution point, delta) would make the others look good.
        if (X509_CRL_get_ext_by_critical(crl.get(), 1, -1) >= 0) return "the list of \"" + l.issuer + "\" is a partial one, which is not supported";
        l.key = key_of(static_cast<AUTHORITY_KEYID*>(X509_CRL_get_ext_d2i(crl.get(), NID_authority_key_identifier, nullptr, nullptr)));
        l.from = seconds_of(X509_CRL_get0_lastUpdate(crl.get()));
        l.until = seconds_of(X509_CRL_get0_nextUpdate(crl.get()));
        auto* entries = X509_CRL_get_REVOKED(crl.get());
        l.revoked.resize(static_cast<std::size_t>(std::max(sk_X509_REVOKED_num(entries), 0)));
        for (std::size_t i = 0; i < l.revoked.size(); ++i) {
            auto const* number = X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(entries, static_cast<int>(i)));
            if (!put(ASN1_STRING_get0_data(number), static_cast<std::size_t>(ASN1_STRING_length(number)), l.revoked[i]))
                return "the list of \"" + l.issuer + "\" has a serial number of more than 20 bytes";
        }
        std::sort(l.revoked.begin(), l.revoked.end());
        auto const same = std::find_if(made->lists_.begin(), made->lists_.end(), [&](auto const& other) { return other.issuer == l.issuer && other.key == l.key; });
        if (same == made->lists_.end()) made->lists_.push_back(std::move(l));
        else if (l.from > same->from) *same = std::move(l);
    }
    auto const e = ERR_peek_last_error();
    bool const at_end = ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (!at_end) return std::string{"holds a list that cannot be read"};
    if (made->lists_.empty()) return std::string{"holds no PEM certificate revocation list"};
    return std::shared_ptr<crl_set const>{std::move(made)};
}

crl_set::answer crl_set::check(X509 const* certificate, std::int64_t now) const {
    auto const issuer = printed_name(X509_get_issuer_name(certificate));
    auto const* id = X509_get0_authority_key_id(const_cast<X509*>(certificate));
    auto const key = text_of(id);
    serial s;
    auto const* number = X509_get0_serialNumber(certificate);
    // One that cannot stand in a list could never be taken back.
    if (!put(ASN1_STRING_get0_data(number), static_cast<std::size_t>(ASN1_STRING_length(number)), s)) return answer::revoked;
    auto best = answer::no_list;
    for (auto const& l : lists_) {
        if (l.issuer != issuer || (!l.key.empty() && !key.empty() && l.key != key)) continue;
        if (std::binary_search(l.revoked.begin(), l.revoked.end(), s)) return answer::revoked;
        auto const a = l.from > now ? answer::not_yet_valid : l.until && l.until < now ? answer::expired : answer::good;
        if (best != answer::good) best = a;
    }
    return best;
}

bool crl_set::revoked(identity const& who) const {
    serial s;
    if (!put_hex(who.certificate_serial, s)) return false;
    return std::any_of(lists_.begin(), lists_.end(), [&](auto const& l) {
        return l.issuer == who.issuer && std::binary_search(l.revoked.begin(), l.revoked.end(), s);
    });
}

std::size_t crl_set::entries() const {
    std::size_t n = 0;
    for (auto const& l : lists_) n += l.revoked.size();
    return n;
}

std::int64_t crl_set::next_update() const {
    std::int64_t first = 0;
    for (auto const& l : lists_)
        if (l.until && (!first || l.until < first)) first = l.until;
    return first;
}

std::string_view name(crl_set::answer a) {
    switch (a) {
    case crl_set::answer::good: return "good";
    case crl_set::answer::revoked: return "revoked";
    case crl_set::answer::no_list: return "no list of its authority";
    case crl_set::answer::expired: return "the list of its authority has expired";
    case crl_set::answer::not_yet_valid: return "the list of its authority is not yet valid";
    }
    return "?";
}

}
