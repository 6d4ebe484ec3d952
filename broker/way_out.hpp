#pragma once
// What plugins send leaves here: publications go to the shard that their topic hashes to (order per topic is kept), revoked
// tokens to the HTTP thread, disconnections to every shard, plugin state to the hot store.

#include "broker/handlers/world.hpp"
#include "broker/host/outlet.hpp"

#include <functional>

namespace airmail {

/// Owned by the broker; lane threads call it. Never waits.
class way_out final : public host::outlet {
public:
    explicit way_out(handlers::world& world) : world_(world) {}
    void publish(host::outgoing const& m) override;
    void revoke(std::string_view token) override;
    void disconnect(std::string_view identity, std::uint8_t reason) override;
    void state_put(std::uint32_t plugin, std::uint64_t key, std::string_view value) override;
    void state_scan(std::uint32_t plugin, std::function<bool(std::uint64_t, std::string_view)> const& f) override;

    /// Set once the HTTP server exists; before that there is no transfer to revoke.
    std::function<void(std::string)> on_revoke;

private:
    handlers::world& world_;
};

}
