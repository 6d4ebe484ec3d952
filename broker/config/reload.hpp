#pragma once
// What differs between two configurations, and what of it can be applied while running.

#include "broker/config/config.hpp"

namespace airmail::config {

/// One directive whose value differs. `place` is empty for a global one, else the listener's or plugin's name.
struct change {
    std::string name, place, before, after;   // before/after: effective values as text; repeated ones joined by ", "
    bool now = false;                         // true: applied by the reload; false: needs a restart
};

/// In table order. A listener or plugin that came or went is one change named "listener" / "airmail_plugin".
std::vector<change> differences(config const& running, config const& wanted);

}
