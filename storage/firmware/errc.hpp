#pragma once
// What can go wrong with images, signatures and URLs. One list for the room; the simulator turns some into status reasons.

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

namespace airmail::storage::firmware {

enum class errc {
    io = 1,             // the disk said no (errno was logged nowhere: the call is in the message of the caller)
    full,               // no space left
    not_found,
    unsafe_file,        // wrong owner, mode, kind, or a symlink where a secret is kept
    too_large,
    mismatch,           // the hash or size is not the expected one
    bad_format,         // not JSON, missing or unknown member, wrong type, wrong base64 or hex
    bad_key,            // not a key, or not of a kind we use
    bad_signature,      // fewer valid signatures than the threshold asks
    wrong_type,         // a valid envelope of another kind
    expired,
    not_for_us,         // another device, model or hardware
    replayed,           // a sequence or version that is not newer
    downgrade,          // a smaller security counter, or a version below the required one
    refused,            // URL: a parameter unknown, repeated, missing or malformed; a method that is not GET or HEAD
    unknown_key,        // URL: the key id is not (or no longer) ours
};
boost::system::error_category const& category();
inline boost::system::error_code make_error_code(errc e) { return {static_cast<int>(e), category()}; }

template <class T>
using result = boost::system::result<T>;

}

template <> struct boost::system::is_error_code_enum<airmail::storage::firmware::errc> : std::true_type {};
