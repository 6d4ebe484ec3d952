#pragma once
// Which images lie in the object store: a row each, so that a restart goes on where it was. An image that is not there yet, or cannot
// get there, is given out by the embedded store; the row says why.

#include "plugins/kit/params.hpp"
#include "plugins/outbound/errand.hpp"
#include "plugins/outbound/object_client.hpp"
#include "plugins/sdk/plugin.hpp"
#include "storage/firmware/firmware_store.hpp"

#include <memory>

namespace airmail::plugins {

/// Owned by: the registry lane, within ota.firmware, whose timer it uses.
class object_keeper {
public:
    explicit object_keeper(sdk::context& ctx) : ctx_(ctx) {}
    static sdk::table_decl table();
    static std::vector<sdk::metric_decl> metrics();

    void configure(storage::firmware::firmware_store const& images);
    /// Images that came before the object store did go up too.
    void start();
    void stop();
    void tick();
    /// Within the transaction that made or deleted the image's row.
    void added(std::string const& checksum);
    void removed(std::string const& checksum);

private:
    /// One image on its way there, or away from there.
    struct job {
        std::string checksum;
        bool remove = false;
        std::uint64_t bytes = 0;
    };
    void settle(job const& j, std::string const& why);
    void next();

    sdk::context& ctx_;
    storage::firmware::firmware_store const* images_ = nullptr;
    std::optional<outbound::object_options> options_;
    std::string place_;
    job job_;                                  // what the errand is about, while it is busy
    std::unique_ptr<outbound::object_client> client_;
    std::unique_ptr<outbound::errand> errand_; // after the client, which its thread uses
};

}
