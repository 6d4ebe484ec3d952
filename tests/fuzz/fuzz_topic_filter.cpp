// links: airmail::acl
// Four lines: a rule's filter, a client's filter, a topic, a name. Containment and overlap never contradict matching.

#include "acl/pattern.hpp"

#include <array>
#include <cstdlib>

using namespace airmail::acl;

namespace {

void insist(bool truth) {
    if (!truth) std::abort();
}

std::string_view take_line(std::string_view& s) {
    auto const end = s.find('\n');
    auto const line = s.substr(0, end);
    s = end == s.npos ? std::string_view{} : s.substr(end + 1);
    return line;
}

bool is_topic(std::string_view s) { return !s.empty() && s.find_first_of(std::string_view{"+#\0", 3}) == s.npos; }

}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string_view left{reinterpret_cast<char const*>(data), size};
    auto const rule = take_line(left), filter = take_line(left), topic = take_line(left), name = take_line(left);
    names const who{name, name}, plain{{}, {}, true};
    for (auto const& n : {who, plain}) {
        bool const holds = contains(rule, filter, n), meets = overlaps(rule, filter, n);
        bool const reached = matches(rule, topic, n);
        if (!valid_filter(rule) || !valid_filter(filter)) continue;
        if (is_topic(topic) && matches(filter, topic, plain)) {
            insist(!holds || reached);
            insist(!reached || meets);
        }
        insist(!holds || meets);
        if (n.literal) insist(contains(rule, rule, n) && overlaps(filter, rule, n) == meets);
    }
    return 0;
}
