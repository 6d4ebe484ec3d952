#include "plugins/standard.hpp"

#include "plugins/alert/plugin.hpp"
#include "plugins/campaign/certify.hpp"
#include "plugins/campaign/plugin.hpp"
#include "plugins/campaign/remote.hpp"
#include "plugins/cohort/plugin.hpp"
#include "plugins/commits/plugin.hpp"
#include "plugins/config_notify/plugin.hpp"
#include "plugins/ddi/plugin.hpp"
#include "plugins/firmware/keys.hpp"
#include "plugins/firmware/plugin.hpp"
#include "plugins/heartbeat/plugin.hpp"
#include "plugins/registry/plugin.hpp"
#include "plugins/status/plugin.hpp"
#include "plugins/watch/plugin.hpp"

namespace airmail::plugins {

std::vector<airmail_plugin_v1_t const*> standard() {
    using sdk::make_descriptor;
    return {make_descriptor<registry_plugin>(), make_descriptor<firmware_plugin>(), make_descriptor<campaign_plugin>(), make_descriptor<heartbeat_plugin>(),
            make_descriptor<status_plugin>(),   make_descriptor<config_plugin>(),   make_descriptor<alert_plugin>(),    make_descriptor<watch_plugin>(),
            make_descriptor<commits_plugin>(),  make_descriptor<ddi_plugin>(),      make_descriptor<certify_plugin>(), make_descriptor<command_plugin>(),
            make_descriptor<keys_plugin>(),    make_descriptor<cohort_plugin>()};
}

}
