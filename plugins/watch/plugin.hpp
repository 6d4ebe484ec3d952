#pragma once
// ota.watch: $ota/campaign/{id}/events, every transition in order, at least once; and .../progress, retained, at most five times
// a second. It reads campaign_events, so what it tells is what was committed.

#include "plugins/sdk/plugin.hpp"

#include <cstdint>
#include <deque>
#include <set>
#include <string>

namespace airmail::plugins {

/// Owned by: the registry lane.
class watch_plugin final : public sdk::plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "ota.watch"; }
    static sdk::declaration declare();
    void start() override;
    void tick(std::uint64_t timer, sdk::instant now) override;
    void method(sdk::call_view const& c) override;

private:
    void tell(std::int64_t after);
    /// Moves `told_` over what was published long enough ago; true when it moved.
    bool settle();
    void progress(std::string const& campaign);

    struct batch { sdk::instant at; std::int64_t newest; };
    std::deque<batch> under_way_;                  // published in the last ten seconds; bound: five a second and what commits bring
    std::int64_t told_ = 0;
    std::set<std::string> stale_;                  // campaigns whose progress has changed; bound: campaigns under way
};

}
