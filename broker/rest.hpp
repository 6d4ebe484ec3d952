#pragma once
// What stands behind the HTTP server: the plugins' methods and routes, and the house's own paths (keys, sessions, ACL, audit).

#include "acl/engine.hpp"
#include "broker/admin/backend.hpp"
#include "broker/handlers/mqtt.hpp"
#include "broker/host/plugin_host.hpp"
#include "broker/house_paths.hpp"
#include "broker/upload_paths.hpp"
#include "storage/firmware/firmware_store.hpp"

#include <functional>
#include <optional>

namespace airmail {

/// Owned by the broker; called on the HTTP thread.
class rest final : public admin::backend {
public:
    struct parts {
        host::plugin_host& host;
        house_paths& house;
        storage::firmware::firmware_store& images;
        open_uploads& uploads;
        std::uint64_t upload_bytes_max = 0;
        std::function<std::string()> not_ready, degraded;
        sdk::web_service* web = nullptr;   // the dashboard, when there is one
        std::function<void(std::function<void()>)> on_http_thread;
        std::function<std::string(std::uint64_t)> too_low;   // would so many bytes leave too little of the disk? why; may be empty
    };
    explicit rest(parts p);

    admin::route_match match(std::string_view verb, std::string_view path) override;
    void serve(admin::route_match const& m, admin::request r, admin::responder done) override;
    void authenticate(std::string bearer, std::function<void(std::optional<admin::caller>)> done) override;
    std::shared_ptr<sdk::web_session> open_socket(admin::request const& r, std::shared_ptr<sdk::web_socket> to, admin::response& refusal) override;
    std::unique_ptr<admin::upload> begin_upload(admin::route_match const& m, admin::request const& r, admin::response& refusal) override;
    std::string metrics() override;
    std::string not_ready() override { return parts_.not_ready(); }
    std::string degraded() override { return parts_.degraded ? parts_.degraded() : std::string(); }

private:
    void call_method(host::route_match const& to, admin::request r, admin::responder done);
    void call_route(host::route_match const& to, admin::request r, admin::responder done);
    void call_web(admin::request r, admin::responder done);
    parts parts_;
    upload_paths upload_paths_;
};

}
