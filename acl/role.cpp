#include "acl/role.hpp"

namespace airmail::acl {

std::string_view to_string(role r) {
    switch (r) {
    case role::none: return "none";
    case role::device: return "device";
    case role::viewer: return "viewer";
    case role::operator_: return "operator";
    case role::admin: return "admin";
    }
    return "none";
}

bool parse(std::string_view word, role& out) {
    for (auto const r : {role::none, role::device, role::viewer, role::operator_, role::admin})
        if (to_string(r) == word) return out = r, true;
    return false;
}

bool covers(role have, role need) {
    if (need == role::none) return true;
    if (need == role::device || have == role::device) return have == need;
    return have >= need;   // the ladder viewer < operator < admin
}

}
