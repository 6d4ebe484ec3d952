#pragma once
// ota.keys: the root-signed list of who may sign what (storage/firmware/keys_json). Published retained on ota/keys; replaced by version N + 1
// alone, and only when the roots of N and its own have signed it. Devices report the version they hold in heartbeats.

#include "plugins/kit/params.hpp"
#include "plugins/sdk/plugin.hpp"
#include "storage/firmware/keys_json.hpp"

#include <optional>
#include <string>

namespace airmail::plugins {

/// Owned by: the registry lane.
class keys_plugin final : public sdk::plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "ota.keys"; }
    static sdk::declaration declare();
    void configure() override;
    void start() override;
    void tick(std::uint64_t timer, sdk::instant now) override;
    void method(sdk::call_view const& c) override;

private:
    std::string show();
    std::string take(kit::params const& p);
    void publish();
    /// Whether the release keys of today have signed an image of the store; a revoked key's images start no campaign.
    std::string check(kit::params const& p);

    std::string file_, text_;                                      // the envelope, as published
    std::optional<storage::firmware::key_list> list_;
};

}
