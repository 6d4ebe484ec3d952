#pragma once
// Which certificates their authorities have taken back. Lists are read by OpenSSL, checked against the authority's key, and
// kept as sorted serial numbers of 20 bytes: a million entries are 20 MB and one question is twenty comparisons.

#include "acl/identity.hpp"

#include <array>
#include <boost/system/result.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct bio_st;
struct x509_st;
struct x509_store_st;

namespace airmail::acl {

/// The lists of one file, at most one in force for each authority. Immutable once read; any thread.
class crl_set {
public:
    enum class answer : std::uint8_t { good, revoked, no_list, expired, not_yet_valid };

    /// Reads PEM lists. Every list must be signed by a certificate of `trusted`; of two lists of one key the newer counts. Large lists take a moment (a second for a million) and, meanwhile, some 300 bytes an entry: not on a loop.
    /// @return the set, or one line of what is wrong
    static boost::system::result<std::shared_ptr<crl_set const>, std::string> read(bio_st* pem, x509_store_st* trusted);

    /// About a certificate of the chain. `now` is unix seconds. A list that has expired tells nothing: fail closed.
    answer check(x509_st const* certificate, std::int64_t now) const;
    /// About a certificate that was good when it was shown: only `revoked` matters, whatever the age of the list.
    bool revoked(identity const& who) const;

    std::size_t entries() const;
    std::size_t lists() const { return lists_.size(); }
    /// The earliest nextUpdate of all lists, unix seconds; 0 = none says.
    std::int64_t next_update() const;

private:
    using serial = std::array<std::uint8_t, 20>;
    struct list {
        std::string issuer;          // RFC 2253
        std::string key;             // authority key identifier; empty when the list does not say
        std::int64_t from = 0, until = 0;
        std::vector<serial> revoked; // sorted
    };
    std::vector<list> lists_;        // few: one per authority, and per key of an authority that changed it
};

/// "revoked", "no list of its authority", ...
std::string_view name(crl_set::answer a);

}
