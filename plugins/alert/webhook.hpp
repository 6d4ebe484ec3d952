#pragma once
// Alerts leave for a webhook: rows of a table that survives a restart, one at a time, on a thread of its own. A receiver that is down
// delays alerts and nothing else; after a day an alert is given up and counted.

#include "plugins/alert/webhook_body.hpp"
#include "plugins/outbound/errand.hpp"
#include "plugins/outbound/web_client.hpp"
#include "plugins/sdk/plugin.hpp"

#include <memory>
#include <vector>

namespace airmail::plugins::alert {

/// Owned by: the registry lane, within ota.alert.
class webhook {
public:
    explicit webhook(sdk::context& ctx) : ctx_(ctx) {}
    static sdk::table_decl table();
    static std::vector<sdk::metric_decl> metrics();

    /// Throws std::runtime_error naming the line that is wrong.
    void configure();
    void start();
    void stop();
    bool on() const { return format_.has_value(); }
    /// In the transaction that made the alert, or acknowledged it. Bound: 1,000 wait; then the oldest goes, counted.
    void tell(std::int64_t alert_id);
    /// @return milliseconds until it wants to be asked again; 0: when tell() has been called
    std::int64_t look();

private:
    void settle(std::string const& why);
    void next();

    sdk::context& ctx_;
    std::optional<webhook_format> format_;
    outbound::web_server server_;
    std::string path_, secret_, source_;
    std::int64_t row_ = 0;                     // under way
    std::unique_ptr<outbound::web_client> client_;
    std::unique_ptr<outbound::errand> errand_;
};

}
