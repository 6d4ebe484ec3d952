// links: airmail::plugins
// One target filter: refused with a place inside the text, or it answers for any device and becomes SQL with as many values as marks.

#include "plugins/targets/query.hpp"

#include <cstdlib>

using namespace airmail::plugins::targets;

namespace {

void insist(bool truth) {
    if (!truth) std::abort();
}

}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string_view text{reinterpret_cast<char const*>(data), size};
    auto q = query::parse(text);
    if (!q) {
        insist(q.error().at <= size && !q.error().sentence(text).empty());
        return 0;
    }
    device_facts d;
    d.serial_no = "SN-1", d.model = "TX-100", d.version = "1.0.2", d.tags = {"lab"}, d.attributes = {{"rev", "7"}};
    bool once = q->matches(d, 1'795'000'000'000);
    auto c = q->where(1, 1'795'000'000'000, [] { return std::vector<std::string>{"1.0.2", ""}; });
    insist(!c.sql.empty() && q->matches(d, 1'795'000'000'000) == once);
    insist(c.sql.find(c.values.empty() ? "(" : "?" + std::to_string(c.values.size())) != std::string::npos || c.values.empty());
    return 0;
}
