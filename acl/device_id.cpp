#include "acl/device_id.hpp"

#include <algorithm>

namespace airmail::acl {

bool valid_device_id(std::string_view id) {
    auto const good = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == ':' || c == '-';
    };
    return !id.empty() && id.size() <= 64 && id != "." && id != ".." && std::all_of(id.begin(), id.end(), good);
}

}
