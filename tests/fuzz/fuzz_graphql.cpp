// links: airmail::dashboard_graphql
// A request's text through parser, measures and validator: nothing may crash, and no text may take long.
#include "plugins/dashboard/graphql/limits.hpp"
#include "plugins/dashboard/graphql/schema_text.hpp"
#include "plugins/dashboard/graphql/validate.hpp"

#include <cstddef>
#include <cstdint>

using namespace airmail::dashboard::graphql;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    static schema const s{schema_text()};
    auto parsed = parse({reinterpret_cast<char const*>(data), size});
    auto const* d = std::get_if<document>(&parsed);
    if (!d) return 0;
    for (auto const& o : d->operations)
        if (!over({}, measure_of(s, *d, o, nullptr), true).code.empty()) return 0;
    validate(s, *d);
    return 0;
}
