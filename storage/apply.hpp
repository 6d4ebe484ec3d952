#pragma once
// A committed batch, told to the memory of what counts. Shared by both journals.

#include "storage/journal.hpp"
#include "storage/liveness.hpp"

namespace airmail::storage {

/// Numbers `c` takes from the log: what it adds to the next free LSN.
lsn rows_of(change const& c);

/// Applies every change of `b`, whose `out` is filled, in order. After the commit. Writer thread.
void apply(liveness& l, batch const& b);

}
