#pragma once
// The broker as its web service sees it (plugins/sdk/web.hpp): methods, paths, crypto threads, settings. Known to broker*.cpp alone.

#include "broker/admin/backend.hpp"
#include "broker/config/config.hpp"
#include "broker/host/plugin_host.hpp"
#include "broker/passwords.hpp"
#include "plugins/sdk/web.hpp"

#include <map>

namespace airmail {

class house_paths;

/// Owned by the broker; outlives the service.
class web_house final : public sdk::web_house {
public:
    struct parts {
        host::plugin_host& host;
        house_paths& house;
        passwords& crypto;
        std::function<void(std::function<void()>)> on_http_thread;   // runs there; house_paths lives on it
        std::function<std::string()> not_ready, metrics;
        std::function<std::vector<sdk::web_listener>()> listeners;
        std::function<std::vector<sdk::web_certificate>()> certificates;
        std::function<std::string()> address;
        std::string directory;
    };
    /// `settings` is read here and not kept: a reload replaces it on another thread.
    web_house(parts p, config::config const& settings);

    void call(std::string_view method, std::string params, sdk::web_who const& who, std::string const& request_id, sdk::web_answer done) override;
    void rest(std::string verb, std::string path, std::string query, std::string body, sdk::web_who const& who, std::string const& request_id, sdk::web_answer done) override;
    std::optional<sdk::web_who> key(std::string const& token) override;
    std::vector<sdk::web_method> methods() const override;
    bool compute(std::function<void()> job) override { return p_.crypto.run(std::move(job)); }
    std::string metrics() override { return p_.metrics(); }
    std::string not_ready() override { return p_.not_ready(); }
    std::string version() const override;
    std::string directory() const override { return p_.directory; }
    std::vector<sdk::web_listener> listeners() const override { return p_.listeners(); }
    std::vector<sdk::web_certificate> certificates() const override { return p_.certificates(); }
    std::vector<sdk::web_setting> settings() const override { return settings_; }
    std::int64_t number(std::string_view key, std::int64_t otherwise) const override;
    std::string address_of_page() const override { return p_.address(); }
    void log(int level, std::string const& text) override;

private:
    parts p_;
    std::vector<sdk::web_setting> settings_;   // as started
    std::map<std::string, std::int64_t, std::less<>> numbers_;
};

}
