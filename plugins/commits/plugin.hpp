#pragma once
// ota.commits: rings the bell of this registry after every batch of the built-in plugins (commits/bell.hpp).

#include "plugins/commits/bell.hpp"
#include "plugins/sdk/plugin.hpp"

namespace airmail::plugins {

class commits_plugin final : public sdk::plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "ota.commits"; }
    static sdk::declaration declare() { return {}; }
    void start() override {
        // The images lie in the data directory, beside the registry.
        auto images = ctx.option("ota_firmware_dir");
        bell_ = bell::of(images.substr(0, images.rfind('/')));
    }
    void committed() override {
        if (bell_) bell_->ring();
    }

private:
    std::shared_ptr<bell> bell_;
};

}
