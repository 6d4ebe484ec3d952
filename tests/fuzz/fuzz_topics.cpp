// links: airmail::codec
// Two lines, a filter and a name: what is valid is matched as a slow, obvious matcher would, and taken apart without loss.

#include "broker/codec/bytes.hpp"
#include "broker/codec/topic.hpp"
#include "broker/codec/utf8.hpp"

#include <cstdlib>
#include <string>
#include <vector>

using namespace airmail;

namespace {

void insist(bool truth) {
    if (!truth) std::abort();
}

std::vector<std::string> levels(std::string_view topic) {
    std::vector<std::string> out(1);
    for (char c : topic) {
        if (c == '/') out.emplace_back();
        else out.back() += c;
    }
    return out;
}

/// Section 4.7, word for word.
bool slowly(std::string_view filter, std::string_view name) {
    auto const f = levels(filter), n = levels(name);
    if (name[0] == '$' && (f[0] == "+" || f[0] == "#")) return false;
    for (std::size_t i = 0; i < f.size(); ++i) {
        if (f[i] == "#") return i <= n.size();
        if (i >= n.size() || (f[i] != "+" && f[i] != n[i])) return false;
    }
    return f.size() == n.size();
}

}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    auto const text = as_text({data, size});
    auto const line = text.find('\n');
    if (line == text.npos) return 0;
    auto const filter = text.substr(0, line), name = text.substr(line + 1);
    codec::valid_utf8(filter);
    auto const parts = codec::split_filter(filter);
    if (!parts) return 0;
    insist(parts->filter.size() > 0 && parts->filter.data() + parts->filter.size() == filter.data() + filter.size());
    insist(parts->shared() == filter.starts_with("$share/"));
    insist(levels(parts->filter).size() == codec::level_count(parts->filter));
    if (!codec::valid_topic_name(name)) return 0;
    insist(codec::valid_topic_filter(name));
    insist(codec::topic_matches(parts->filter, name) == slowly(parts->filter, name));
    return 0;
}
