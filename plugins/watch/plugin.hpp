#pragma once
// ota.watch: $ota/campaign/{id}/events, every transition in order, at least once; and .../progress, retained, at most five times
// a second. It reads campaign_events, so what it tells is what was committed.

#include "plugins/sdk/plugin.hpp"

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
    void progress(std::string const& campaign);

    std::set<std::string> stale_;                  // campaigns whose progress has changed; bound: campaigns under way
};

}
