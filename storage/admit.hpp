#pragma once
// What may still be written when the disk has little room (disk_watch.hpp). Pure.

#include "storage/disk_watch.hpp"

namespace airmail::storage {

/// @param known is there a session record behind a number? Its next record takes the place of the last one.
bool admitted(change const& c, disk_level level, std::function<bool(session_number)> const& known);

}
