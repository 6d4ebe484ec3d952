#pragma once
// AWS Signature Version 4 for an S3-compatible object store (AWS, GCS by interoperability, MinIO, Ceph, Swift): pre-signed GET for
// devices, signed headers for our own uploads. Pure: no clock, no network. Published vectors in tests/unit/storage_firmware.
// Source: docs.aws.amazon.com/AmazonS3, "Authenticating Requests: Using Query Parameters"; reference/ota.md 4.3.

#include "storage/firmware/errc.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace airmail::storage::firmware {

/// Who we are to the object store. The secret never leaves the process.
struct object_keys {
    std::string access_key, secret_key, session_token;         // session_token: with temporary (STS) keys only
};

/// Reads AWS's credentials format from a file of ours (0600): aws_access_key_id, aws_secret_access_key, aws_session_token; one profile.
/// GCS: an HMAC key under the same names. errc::unsafe_file, not_found, bad_format.
result<object_keys> read_object_keys(std::string const& path);

/// Where the objects lie.
struct object_place {
    bool tls = true;
    std::string host, port;                    // as in the endpoint's address; port "" = the scheme's own
    std::string region = "us-east-1";
    std::string bucket, prefix;                // prefix: "" or ends with '/'
    bool bucket_in_host = false;               // https://bucket.host/key instead of https://host/bucket/key
    std::string base_url;                      // what devices see instead of scheme, host and port: a CDN that asks us as its origin

    /// errc::bad_format unless http(s)://host[:port] without path, query or user.
    static result<object_place> parse(std::string_view endpoint);
    /// The Host header: signed, with the port when it is not the scheme's.
    std::string authority() const;
    /// Encoded path of an object; "" is the bucket itself.
    std::string path_of(std::string_view key) const;
};

using pairs = std::vector<std::pair<std::string, std::string>>;

/// A URL that gives `key` to whoever holds it, for `life_s` seconds (1..604800) from `at` (unix seconds). The command's id is signed
/// with it (`x-command-id`, which S3 ignores and writes into its access log), so that no two commands share a URL.
/// @param command_id may be empty: the plain URL of the published vector
std::string presign_get(object_place const& where, object_keys const& who, std::string_view key, std::string_view command_id, std::int64_t at, std::int64_t life_s);

/// A request of our own.
struct object_request {
    std::string verb, key;
    pairs query, headers;                      // headers: names in lower case; all of them are signed
    std::string payload_sha256;                // hex; of the empty text when there is no body
};
/// Path and query for the request line, and every header to send (host, date, hash and Authorization among them).
struct signed_request { std::string target; pairs headers; };
signed_request sign_request(object_place const& where, object_keys const& who, object_request const& r, std::int64_t at);

/// RFC 3986: everything but unreserved characters; '/' too unless it is kept.
std::string uri_encoded(std::string_view s, bool keep_slash = false);

}
