#include "storage/reads/order.hpp"

#include <algorithm>

namespace airmail::storage::reads {

std::string parse_order(std::string_view text, std::vector<place>& out) {
    out.clear();
    constexpr std::string_view between = " ,\t";
    for (auto at = text.find_first_not_of(between); at != text.npos; at = text.find_first_not_of(between, at)) {
        auto const end = std::min(text.find_first_of(between, at), text.size());
        auto const word = text.substr(at, end - at);
        auto const known = std::find(place_names.begin(), place_names.end(), word);
        if (known == place_names.end()) return "knows memory, redis, sqlite and postgres, not \"" + std::string(word.substr(0, 32)) + '"';
        auto const p = static_cast<place>(known - place_names.begin());
        if (std::find(out.begin(), out.end(), p) != out.end()) return "names " + std::string(word) + " twice";
        out.push_back(p);
        at = end;
    }
    if (out.empty() || (out.back() != place::sqlite && out.back() != place::postgres))
        return "must end with sqlite or postgres: what a cache does not have must be known somewhere";
    return {};
}

}
