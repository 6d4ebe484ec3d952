#pragma once
// ota.ddi: hawkBit's device API on our state machine, so that SWUpdate, RAUC and Zephyr devices connect unchanged (reference/ota.md 6).
// A device that polls has no session: it counts as present from a poll until it has missed three.

#include "plugins/kit/params.hpp"
#include "plugins/sdk/plugin.hpp"
#include "storage/firmware/firmware_store.hpp"

#include <optional>
#include <unordered_map>

namespace airmail::plugins {

/// Owned by: the registry lane.
class ddi_plugin final : public sdk::plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "ota.ddi"; }
    static sdk::declaration declare();
    void configure() override;
    void start() override;
    void tick(std::uint64_t timer, sdk::instant now) override;
    void method(sdk::call_view const& c) override;
    void http(sdk::http_view const& r) override;

private:
    /// What a device is, and what is under way with it.
    struct target {
        std::string serial_no, device_id, model, version, registration;
    };
    /// One attempt of an update under the number that the client knows it by.
    struct action {
        std::int64_t id = 0;
        std::string campaign_id, command_id, firmware_id, to_version, why;
        std::int64_t rank = 0;
        bool current = false, cancelled = false, closed = false, fetched = false;
    };

    sdk::http_reply answer(sdk::http_view const& r);
    target authenticated(sdk::http_view const& r, std::string const& serial);
    std::string base(target const& t);
    std::string config_data(target const& t, std::string_view body);
    std::string deployment(target const& t, action const& a);
    void feedback(target const& t, action const& a, std::string_view body, bool cancel);
    /// What a client downloads: the image as its maker built it, without the release manifest behind it.
    struct offered {
        storage::firmware::digest256 stored{};                     // of the file in the store: its name
        std::string version, sha1, md5, sha256;                    // of what is sent
        std::int64_t bytes = 0;
    };
    offered offered_by(action const& a);
    sdk::http_reply artifact(sdk::http_view const& r, target const& t, action const& a, bool md5);
    std::optional<action> open_action(target const& t);
    action action_of(target const& t, std::string const& id);
    void here(target const& t);
    void gone(std::string const& serial);
    int report(std::string const& json);
    void seen(target const& t, std::string const& model, std::string const& version);
    void heartbeat(target const& t, std::string const& version, bool first);
    std::string make_token(kit::params const& p);

    std::optional<storage::firmware::firmware_store> store_;
    std::unordered_map<std::string, sdk::instant> polled_;         // serial -> last poll; bound: the registry
    std::string url_base_, gateway_;                               // gateway_: SHA-256 of the gateway's token, hex; empty = none
    std::int64_t poll_ms_ = 300'000, busy_poll_ms_ = 30'000, rate_ = 0;
    bool on_ = false;
};

}
