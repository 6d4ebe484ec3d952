#pragma once
// Who a certificate speaks for. It has been verified by the TLS handshake; here only its words are read.

#include "acl/errc.hpp"
#include "acl/identity.hpp"

#include <boost/system/result.hpp>

struct X509_name_st;
struct x509_st;   // OpenSSL's X509: this header is used where OpenSSL is not

namespace airmail::acl {

/// The one field that names a device.
enum class certificate_field : std::uint8_t { san_uri, san_dns, cn };

/// How to read it. `uri_prefix` must stand before the serial number in a SAN URI; may be empty.
struct certificate_source {
    certificate_field field = certificate_field::san_uri;
    std::string uri_prefix = "urn:airmail:device:";
};

/// "san_uri", "san_dns", "cn"; false for other words.
bool parse(std::string_view word, certificate_field& out);

/// The device's serial number. Errors: no_identity, ambiguous_identity (the field is there twice, whatever its values),
/// bad_identity. Never falls back to another field.
boost::system::result<std::string> device_id(x509_st const* certificate, certificate_source const& from);

/// A whole identity: name by device_id, role "device", proof certificate, and what is kept of the certificate.
boost::system::result<identity> identify(x509_st const* certificate, certificate_source const& from, std::uint32_t tenant = 0);

/// A subject or an issuer as RFC 2253 writes it; empty when it cannot be.
std::string printed_name(X509_name_st const* name);

/// Fills serial (hex), issuer and not_after alone.
void remember_certificate(x509_st const* certificate, identity& into);

/// Mosquitto's use_identity_as_username: the common name, under the same rules of ambiguity but any text without controls.
boost::system::result<std::string> common_name(x509_st const* certificate);
/// May this text be such a name? Not empty, without control characters, NUL, `+` or `#`, at most 256 bytes.
bool valid_common_name(std::string_view name);
/// Mosquitto's use_subject_as_username: the subject as RFC 2253 writes it.
boost::system::result<std::string> subject_name(x509_st const* certificate);

}
