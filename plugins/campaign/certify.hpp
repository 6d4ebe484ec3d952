#pragma once
// ota.certify: the broker's side of `airmailctl device certify ID`. It sends one device commands with a fault of choice, serves their
// downloads, and keeps what the device answers for whoever judges it. No campaign and no row: its ids begin with "certify-".

#include "plugins/kit/params.hpp"
#include "plugins/sdk/plugin.hpp"

#include <deque>
#include <map>
#include <string>

namespace airmail::plugins {

namespace campaign {
inline constexpr std::string_view certify_prefix = "certify-";
}

/// Owned by: the registry lane. Bounds: 16 devices, 1,000 words each; in RAM only, a restart ends a certification.
class certify_plugin final : public sdk::plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "ota.certify"; }
    static sdk::declaration declare();
    void method(sdk::call_view const& c) override;

private:
    struct bench {
        std::string command_id, firmware_id;       // the newest
        std::map<std::string, bool> cut;           // command_id -> its next download is cut
        std::deque<std::pair<std::int64_t, std::string>> heard;
        std::int64_t next = 1;
    };
    std::string send(kit::params const& p);
    std::string heard(kit::params const& p);
    std::string note(std::string_view json);
    std::string grant(kit::params const& p, int& status);
    void keep(bench& b, std::string json);
    bench* find(std::string const& serial);

    std::map<std::string, bench> benches_;
};

}
