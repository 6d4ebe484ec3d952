#pragma once
// ota.firmware: images come in (POST /api/v1/firmware, checked before they are kept) and go out (/fw/<sha256>, signed URLs only).

#include "plugins/firmware/object_keeper.hpp"
#include "plugins/kit/params.hpp"
#include "plugins/sdk/plugin.hpp"
#include "storage/firmware/envelope.hpp"
#include "storage/firmware/firmware_store.hpp"
#include "storage/firmware/signed_url.hpp"

#include <optional>

namespace airmail::plugins {

/// Owned by: the registry lane. Uploads are hashed and verified on it: minutes-long images are the operators' own doing.
class firmware_plugin final : public sdk::plugin {
public:
    explicit firmware_plugin(sdk::context& c) : plugin(c), objects_(c) {}
    static std::string_view id() { return "ota.firmware"; }
    static sdk::declaration declare();
    void configure() override;
    void start() override { objects_.start(); }
    void stop() override { objects_.stop(); }
    void tick(std::uint64_t, sdk::instant) override { objects_.tick(); }
    void method(sdk::call_view const& c) override;
    void http(sdk::http_view const& r) override;
    void committed() override;

private:
    struct upload;
    std::string take(sdk::http_view const& r, int& status);
    upload inspect(sdk::http_view const& r);
    void drop(sdk::http_view const& r);
    sdk::http_reply serve(sdk::http_view const& r);
    bool certification(sdk::http_view const& r, storage::firmware::url_grant const& g, bool& cut);
    bool revoked(std::string const& serial, std::string const& command_id);
    void read_release_keys();
    std::string list(kit::params const& p);
    std::string get(std::string const& id);
    std::string remove(std::string const& id);

    std::optional<storage::firmware::firmware_store> store_;
    object_keeper objects_;
    std::optional<storage::firmware::url_key_ring> ring_;
    storage::firmware::signers release_keys_;
    std::string url_base_;
    std::int64_t rate_ = 0;
    bool unsigned_allowed_ = false;
    std::vector<std::string> doomed_;              // checksums of deleted rows, until the commit
};

}
