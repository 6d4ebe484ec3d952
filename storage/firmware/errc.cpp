#include "storage/firmware/errc.hpp"

namespace airmail::storage::firmware {

namespace {

class firmware_category final : public boost::system::error_category {
public:
    char const* name() const noexcept override { return "firmware"; }
    std::string message(int e) const override {
        switch (static_cast<errc>(e)) {
        case errc::io: return "the file cannot be read or written";
        case errc::full: return "no space left on the disk";
        case errc::not_found: return "not found";
        case errc::unsafe_file: return "the file is a link, or others than its owner may read it";
        case errc::too_large: return "too large";
        case errc::mismatch: return "the hash or size is not the expected one";
        case errc::bad_format: return "malformed";
        case errc::bad_key: return "not a usable key";
        case errc::bad_signature: return "not signed by enough trusted keys";
        case errc::wrong_type: return "an envelope of another type";
        case errc::expired: return "expired";
        case errc::not_for_us: return "meant for another device, model or hardware";
        case errc::replayed: return "not newer than what is known";
        case errc::downgrade: return "older than allowed";
        case errc::refused: return "malformed signed URL";
        case errc::unknown_key: return "unknown or withdrawn key id";
        }
        return "unknown error";
    }
};

}

boost::system::error_category const& category() {
    static firmware_category const instance;
    return instance;
}

}
