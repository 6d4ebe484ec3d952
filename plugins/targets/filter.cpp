#include "plugins/targets/filter.hpp"

#include "plugins/kit/params.hpp"

namespace airmail::plugins::targets {

query filter(std::string_view text, char const* code) {
    auto q = query::parse(text);
    if (!q) throw kit::refusal{400, code, "filter, " + q.error().sentence(text)};
    return std::move(*q);
}

condition where(sdk::context& ctx, query const& q, int first) {
    return q.where(first, ctx.wall(), [&] { return versions_of_fleet(ctx); });
}

}
