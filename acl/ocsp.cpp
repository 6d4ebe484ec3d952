#include "acl/ocsp.hpp"

#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/http.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <stdexcept>

namespace airmail::acl {
namespace {

template <auto Free> struct freed_by {
    template <class T> void operator()(T* p) const { Free(p); }
};
void free_openssl(char* p) { OPENSSL_free(p); }
using request_ptr = std::unique_ptr<OCSP_REQUEST, freed_by<OCSP_REQUEST_free>>;
using response_ptr = std::unique_ptr<OCSP_RESPONSE, freed_by<OCSP_RESPONSE_free>>;
using basic_ptr = std::unique_ptr<OCSP_BASICRESP, freed_by<OCSP_BASICRESP_free>>;
using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_free_all>>;
using store_ptr = std::unique_ptr<X509_STORE, freed_by<X509_STORE_free>>;
using text_ptr = std::unique_ptr<char, freed_by<free_openssl>>;

constexpr std::size_t answer_bytes_max = 64 * 1024;
/// Clocks differ; RFC 5019 lets them by some minutes.
constexpr long clock_skew_s = 300;

std::string why() {
    std::string text;
    while (unsigned long const e = ERR_get_error())
        if (char const* reason = ERR_reason_error_string(e)) text = reason;   // the last is nearest to what we called
    return text.empty() ? "OpenSSL says no more" : text;
}

ocsp_failure not_reached(std::string text) { return {std::move(text), false}; }
ocsp_failure not_believed(std::string text) { return ERR_clear_error(), ocsp_failure{std::move(text), true}; }

std::int64_t seconds_of(ASN1_GENERALIZEDTIME const* t) {
    std::tm parts{};
    return t && ASN1_TIME_to_tm(t, &parts) == 1 ? static_cast<std::int64_t>(timegm(&parts)) : 0;
}

/// The first http address for OCSP in Authority Information Access.
std::string responder_of(X509 const* certificate) {
    std::string found;
    auto* const all = X509_get1_ocsp(const_cast<X509*>(certificate));
    for (int i = 0; all && found.empty() && i < sk_OPENSSL_STRING_num(all); ++i)
        if (std::string_view const url = sk_OPENSSL_STRING_value(all, i); ocsp_address(url)) found = url;
    X509_email_free(all);
    return found;
}

request_ptr request_of(OCSP_CERTID const* certificate, bool nonce) {
    request_ptr r{OCSP_REQUEST_new()};
    auto* id = OCSP_CERTID_dup(certificate);
    if (!r || !id || !OCSP_request_add0_id(r.get(), id)) return OCSP_CERTID_free(id), nullptr;
    if (nonce && OCSP_request_add1_nonce(r.get(), nullptr, -1) != 1) return nullptr;
    return r;
}

}

void throw_exception_from_error(ocsp_failure const& e, boost::source_location const&) { throw std::runtime_error(e.text); }

bool ocsp_address(std::string_view url) {
    if (!url.starts_with("http://") || url.size() > 512) return false;
    char *host = nullptr, *path = nullptr;
    int tls = 0;
    bool const good = OSSL_HTTP_parse_url(std::string{url}.c_str(), &tls, nullptr, &host, nullptr, nullptr, &path, nullptr, nullptr) == 1 && !tls && host && *host;
    OPENSSL_free(host), OPENSSL_free(path);
    ERR_clear_error();
    return good;
}

std::shared_ptr<ocsp_question const> ocsp_question::about(X509 const* certificate, X509* issuer) {
    std::shared_ptr<ocsp_question> made{new ocsp_question};
    // SHA-1 is what responders index by (RFC 5019, 2.1.1); it names, and secures nothing.
    made->certificate_ = {OCSP_cert_to_id(EVP_sha1(), certificate, issuer), [](OCSP_CERTID* p) { OCSP_CERTID_free(p); }};
    if (!made->certificate_ || X509_up_ref(issuer) != 1) return nullptr;
    made->issuer_ = {issuer, [](X509* p) { X509_free(p); }};
    unsigned char* der = nullptr;
    int const size = i2d_OCSP_CERTID(made->certificate_.get(), &der);
    if (size <= 0) return nullptr;
    made->id_.assign(reinterpret_cast<char const*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    made->responder_ = responder_of(certificate);
    return made;
}

ocsp_result<ocsp_answer> ocsp_question::ask(std::string const& url, std::chrono::seconds patience, bool nonce) const {
    ERR_clear_error();
    if (url.empty()) return not_reached("the certificate names no responder, and tls_ocsp_responder is not set");
    char *host = nullptr, *port = nullptr, *path = nullptr;
    int tls = 0;
    if (OSSL_HTTP_parse_url(url.c_str(), &tls, nullptr, &host, &port, nullptr, &path, nullptr, nullptr) != 1 || tls)
        return ERR_clear_error(), not_reached(fmt::format("{} is no http address", url));
    text_ptr const h{host}, po{port}, pa{path};
    request_ptr const request = request_of(certificate_.get(), nonce);
    bio_ptr const body{request ? ASN1_item_i2d_mem_bio(ASN1_ITEM_rptr(OCSP_REQUEST), reinterpret_cast<ASN1_VALUE const*>(request.get())) : nullptr};
    if (!body) return not_reached(why());
    // The empty proxy: no environment variable sends our questions elsewhere.
    bio_ptr const answer{OSSL_HTTP_transfer(nullptr, host, port, path, 0, "", nullptr, nullptr, nullptr, nullptr, nullptr, 0, nullptr,
                                            "application/ocsp-request", body.get(), "application/ocsp-response", 1, answer_bytes_max,
                                            static_cast<int>(patience.count()), 0)};
    if (!answer) return not_reached(fmt::format("{}: {}", url, why()));
    std::string der;
    char piece[4096];
    for (int n; der.size() <= answer_bytes_max && (n = BIO_read(answer.get(), piece, sizeof piece)) > 0;) der.append(piece, static_cast<std::size_t>(n));
    return judge(der, request.get());
}

ocsp_result<ocsp_answer> ocsp_question::judge(std::string_view der, void* request) const {
    ERR_clear_error();
    auto const* at = reinterpret_cast<unsigned char const*>(der.data());
    response_ptr const response{d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der.size()))};
    if (!response) return not_believed("what came is no OCSP response");
    if (int const s = OCSP_response_status(response.get()); s != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        return not_believed(fmt::format("the responder answers \"{}\"", OCSP_response_status_str(s)));
    basic_ptr const basic{OCSP_response_get1_basic(response.get())};
    if (!basic) return not_believed("the response holds no answer of a kind we know");
    if (request && OCSP_check_nonce(static_cast<OCSP_REQUEST*>(request), basic.get()) == 0) return not_believed("the answer carries another's nonce");
    // Its issuer alone is trusted here, and whom the issuer has named for it (id-kp-OCSPSigning): nobody else's word counts.
    store_ptr const trusted{X509_STORE_new()};
    auto* const chain = sk_X509_new_null();
    bool const ready = trusted && chain && X509_STORE_add_cert(trusted.get(), issuer_.get()) == 1 && sk_X509_push(chain, issuer_.get()) > 0;
    bool const signed_well = ready && OCSP_basic_verify(basic.get(), chain, trusted.get(), OCSP_PARTIAL_CHAIN | OCSP_NOEXPLICIT) == 1;
    sk_X509_free(chain);
    if (!signed_well) return not_believed(fmt::format("the answer's signature does not hold: {}", why()));
    int status = 0, reason = 0;
    ASN1_GENERALIZEDTIME *revoked_at = nullptr, *from = nullptr, *until = nullptr;
    if (OCSP_resp_find_status(basic.get(), certificate_.get(), &status, &reason, &revoked_at, &from, &until) != 1)
        return not_believed("the answer is about other certificates");
    if (OCSP_check_validity(from, until, clock_skew_s, -1) != 1) return not_believed("the answer is not of now: " + why());
    using enum ocsp_answer::verdict;
    ERR_clear_error();
    return ocsp_answer{status == V_OCSP_CERTSTATUS_GOOD ? good : status == V_OCSP_CERTSTATUS_REVOKED ? revoked : unknown,
                       seconds_of(from), seconds_of(until), std::string{der}};
}

}
