#pragma once
// A consistent copy of everything, made while the broker runs: hot store, then registry, then images. In this order what the
// registry has applied may be newer than the log (fine: it is applied), never older than what the log has forgotten.
// The copy of the registry begins a new epoch, so that what a restored node says is newer than what it said before.

#include "storage/store.hpp"

#include <string>

namespace airmail {

struct backup_parts {
    storage::store& store;
    std::string data;          // the data directory
};

/// Writes into `target` (absolute; made 0700; must be empty). @return JSON about it, or throws std::runtime_error with one line.
std::string make_backup(backup_parts const& from, std::string const& target);

}
