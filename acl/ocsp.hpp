#pragma once
// What the authority of one certificate says of it now (RFC 6960): a question, and how an answer is judged. Encoding, signatures and
// HTTP are OpenSSL's. Who asks when, and what is kept, is for the room that asks.

#include <boost/system/result.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct ocsp_cert_id_st;
struct x509_st;

namespace airmail::acl {

/// A verified answer.
struct ocsp_answer {
    enum class verdict : std::uint8_t { good, revoked, unknown } is = verdict::unknown;
    std::int64_t from = 0, until = 0;   // thisUpdate, nextUpdate, unix seconds; until 0 = the responder does not say
    std::string der;                    // as it came, for stapling
};

/// Why there is none. `reached`: a responder spoke, and what it said is not to be believed or no answer.
struct ocsp_failure {
    std::string text;
    bool reached = false;
};
[[noreturn]] void throw_exception_from_error(ocsp_failure const& e, boost::source_location const&);
template <class T> using ocsp_result = boost::system::result<T, ocsp_failure>;

/// Immutable; any thread.
class ocsp_question {
public:
    /// About `certificate`, which `issuer` has signed (the caller has verified that). Null when memory is out.
    static std::shared_ptr<ocsp_question const> about(x509_st const* certificate, x509_st* issuer);

    /// The certificate's name among all (issuer's name and key, serial number): for a table. About 70 bytes.
    std::string const& id() const { return id_; }
    /// The first http address that the certificate names for this (Authority Information Access); empty = none.
    std::string const& responder() const { return responder_; }

    /// Asks, and blocks for at most `patience` (and the resolver's own). Plain http, no redirects, no proxy, at most 64 KiB.
    /// @param nonce  asks for an answer made now; a responder that ignores it (many serve answers made before) is believed by its dates
    ocsp_result<ocsp_answer> ask(std::string const& url, std::chrono::seconds patience, bool nonce) const;

    /// Is this DER answer about our certificate, signed by its issuer or by whom the issuer has delegated it to, and in its time?
    ocsp_result<ocsp_answer> judge(std::string_view der) const { return judge(der, nullptr); }

private:
    ocsp_question() = default;
    ocsp_result<ocsp_answer> judge(std::string_view der, void* request) const;

    std::shared_ptr<ocsp_cert_id_st> certificate_;
    std::shared_ptr<x509_st> issuer_;
    std::string id_, responder_;
};

/// Is this an address that ask() takes: http://HOST[:PORT][/PATH]?
bool ocsp_address(std::string_view url);

}
