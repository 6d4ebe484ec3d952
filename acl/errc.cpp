#include "acl/errc.hpp"

#include <string>

namespace airmail::acl {

boost::system::error_category const& category() {
    struct family final : boost::system::error_category {
        char const* name() const noexcept override { return "acl"; }
        std::string message(int e) const override {
            switch (static_cast<errc>(e)) {
            case errc::no_identity: return "the certificate lacks the field that names a device";
            case errc::ambiguous_identity: return "the certificate has the field that names a device more than once";
            case errc::bad_identity: return "the device name in the certificate is not 1 to 64 of A-Z a-z 0-9 . _ : -";
            case errc::unknown_user: return "unknown user";
            case errc::wrong_password: return "wrong password";
            case errc::bad_hash: return "a stored password hash that cannot be verified";
            case errc::bad_key: return "not a valid API key";
            case errc::expired_key: return "the API key has expired";
            case errc::revoked_key: return "the API key has been revoked";
            case errc::crypto: return "a cryptographic function failed";
            }
            return "unknown";
        }
    };
    static family const f;
    return f;
}

}
