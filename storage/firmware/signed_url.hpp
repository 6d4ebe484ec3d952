#pragma once
// Pre-signed firmware URLs (reference/ota.md 4.3):
//
//   /fw/<sha256>?c=<command_id>&d=<device>&e=<unix seconds>&k=<kid>&s=<base64url HMAC-SHA256>
//   signed: "OTAURL1\n" + "GET\n" + path + "\n" + "c=..&d=..&e=..&k=.."      every parameter, sorted
//
// A parameter that is unknown, repeated, missing or percent-encoded refuses the URL, so nothing rides along unsigned. Their order in
// the URL does not matter, as it is sorted before it is signed. HEAD passes under the GET signature.

#include "storage/firmware/digest.hpp"

#include <optional>

namespace airmail::storage::firmware {

/// One secret of the ring.
struct url_key {
    std::string kid;                   // 8 hex digits
    std::array<std::uint8_t, 32> secret{};
    std::int64_t created_at = 0;       // unix seconds
};

/// The keys that sign URLs: the newest signs, at most two are honoured. Thread that owns it: whoever loads it; copy it to share.
class url_key_ring {
public:
    /// Reads the ring's file (0600, owner's) or makes it with one key. errc::unsafe_file, bad_format, io.
    static result<url_key_ring> load_or_create(std::string const& path, std::int64_t now);
    /// Without a file: tests.
    static url_key_ring with(std::vector<url_key> newest_first);

    /// A new key signs from now on, the one before it is still honoured, older ones are gone. Written before it returns.
    result<void> rotate(std::int64_t now);
    /// A key is honoured no longer, at once. When it was the newest, a new one is made. errc::unknown_key.
    result<void> revoke(std::string_view kid, std::int64_t now);

    url_key const& newest() const { return keys_.front(); }
    url_key const* find(std::string_view kid) const;
    std::vector<url_key> const& keys() const { return keys_; }

private:
    result<void> save() const;
    std::string path_;
    std::vector<url_key> keys_;        // newest first, 1 or 2
};

/// What a URL grants.
struct url_grant {
    digest256 image{};
    std::string device;                // 1-64 of [A-Za-z0-9._:-]
    std::string command_id;            // 1-64 of the same
    std::int64_t expires = 0;          // unix seconds
    std::string kid;                   // filled by verify
};

/// Path and query, to stand after scheme and authority. errc::refused when a name has other characters.
result<std::string> sign_url(url_key_ring const& ring, url_grant const& g);

/// Judges a request line's method and target (path and query). @param now unix seconds
/// errc::refused, unknown_key, bad_signature, expired (only told of a URL that is truly ours).
result<url_grant> verify_url(url_key_ring const& ring, std::string_view method, std::string_view target, std::int64_t now);

/// The target without its signature, for logs: "...&s=-".
std::string redact_url(std::string_view target);

}
