#include "storage/store.hpp"

namespace airmail::storage {

namespace {

class storage_category final : public boost::system::error_category {
public:
    char const* name() const noexcept override { return "storage"; }
    std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
        case errc::full: return "the store is full; nothing was stored";
        case errc::failed: return "the disk refused the write; nothing was stored";
        case errc::locked: return "the data directory is in use by another process";
        case errc::damaged: return "a stored record is damaged";
        case errc::version: return "the store was written by a newer version";
        case errc::not_found: return "no such record";
        case errc::io: return "input or output failed";
        }
        return "unknown storage error";
    }
};

}

boost::system::error_category const& category() {
    static storage_category const instance;
    return instance;
}

}
