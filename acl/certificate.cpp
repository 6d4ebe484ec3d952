#include "acl/certificate.hpp"

#include "acl/device_id.hpp"

#include <memory>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/x509v3.h>

namespace airmail::acl {
namespace {

template <auto Free> struct freed_by {
    template <class T> void operator()(T* p) const { Free(p); }
};
using general_names = std::unique_ptr<GENERAL_NAMES, freed_by<GENERAL_NAMES_free>>;
using bignum = std::unique_ptr<BIGNUM, freed_by<BN_free>>;
using bio = std::unique_ptr<BIO, freed_by<BIO_free_all>>;
void free_openssl(void* p) { OPENSSL_free(p); }
template <class T> using openssl_ptr = std::unique_ptr<T, freed_by<free_openssl>>;

boost::system::result<std::string> from_san(X509 const* certificate, int type) {
    int critical = 0;
    general_names const all{static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, nullptr))};
    // -1: no such extension; -2: the extension itself twice. Else it could not be read.
    if (!all) return critical == -2 ? errc::ambiguous_identity : critical == -1 ? errc::no_identity : errc::bad_identity;
    ASN1_IA5STRING const* found = nullptr;
    for (int i = 0; i < sk_GENERAL_NAME_num(all.get()); ++i) {
        auto const* name = sk_GENERAL_NAME_value(all.get(), i);
        if (name->type != type) continue;
        if (found) return errc::ambiguous_identity;
        found = name->d.ia5;
    }
    if (!found) return errc::no_identity;
    return std::string{reinterpret_cast<char const*>(ASN1_STRING_get0_data(found)), static_cast<std::size_t>(ASN1_STRING_length(found))};
}

boost::system::result<std::string> from_subject(X509 const* certificate) {
    auto* subject = X509_get_subject_name(certificate);
    int const at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) return errc::no_identity;
    if (X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return errc::ambiguous_identity;
    unsigned char* text = nullptr;
    int const size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (size < 0) return errc::bad_identity;
    openssl_ptr<unsigned char> const owned{text};
    return std::string{reinterpret_cast<char const*>(text), static_cast<std::size_t>(size)};
}

bool has_control(std::string_view s) {
    for (char const c : s)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return true;
    return false;
}

std::string serial_of(X509 const* certificate) {
    bignum const number{ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr)};
    if (!number) return {};
    openssl_ptr<char> const hex{BN_bn2hex(number.get())};
    return hex ? std::string{hex.get()} : std::string{};
}

std::int64_t seconds_of(ASN1_TIME const* t) {
    std::tm parts{};
    if (!t || ASN1_TIME_to_tm(t, &parts) != 1) return 0;
    return static_cast<std::int64_t>(timegm(&parts));
}

}

std::string printed_name(X509_name_st const* name) {
    bio const out{BIO_new(BIO_s_mem())};
    if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
    char* text = nullptr;
    auto const size = BIO_get_mem_data(out.get(), &text);
    return size > 0 ? std::string{text, static_cast<std::size_t>(size)} : std::string{};
}

bool parse(std::string_view word, certificate_field& out) {
    if (word == "san_uri") return out = certificate_field::san_uri, true;
    if (word == "san_dns") return out = certificate_field::san_dns, true;
    if (word == "cn") return out = certificate_field::cn, true;
    return false;
}

boost::system::result<std::string> device_id(X509 const* certificate, certificate_source const& from) {
    auto text = from.field == certificate_field::cn ? from_subject(certificate)
                                                    : from_san(certificate, from.field == certificate_field::san_uri ? GEN_URI : GEN_DNS);
    if (!text) return text.error();
    if (from.field == certificate_field::san_uri) {
        if (!text->starts_with(from.uri_prefix)) return errc::bad_identity;
        text->erase(0, from.uri_prefix.size());
    }
    if (!valid_device_id(*text)) return errc::bad_identity;
    return text;
}

void remember_certificate(X509 const* certificate, identity& into) {
    into.certificate_serial = serial_of(certificate);
    into.issuer = printed_name(X509_get_issuer_name(certificate));
    into.not_after = seconds_of(X509_get0_notAfter(certificate));
}

boost::system::result<identity> identify(X509 const* certificate, certificate_source const& from, std::uint32_t tenant) {
    auto id = device_id(certificate, from);
    if (!id) return id.error();
    identity who;
    who.tenant = tenant;
    who.name = std::move(*id);
    who.role = "device";
    who.how = proof::certificate;
    remember_certificate(certificate, who);
    return who;
}

bool valid_common_name(std::string_view name) {
    constexpr std::size_t bytes_max = 256;
    return !name.empty() && name.size() <= bytes_max && !has_control(name) && name.find_first_of("+#") == name.npos;
}

boost::system::result<std::string> common_name(X509 const* certificate) {
    auto text = from_subject(certificate);
    if (text && !valid_common_name(*text)) return errc::bad_identity;
    return text;
}

boost::system::result<std::string> subject_name(X509 const* certificate) {
    auto text = printed_name(X509_get_subject_name(certificate));
    if (text.empty()) return errc::no_identity;
    return text;
}

}
