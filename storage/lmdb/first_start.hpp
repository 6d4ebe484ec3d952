#pragma once
// A store that was being made when the power went: LMDB lays out its first pages with several writes, and has no way back from half of
// them. Nobody had been served from it, so the next start may begin anew.

#include <string>

namespace airmail::storage::lmdb {

/// Moves DIRECTORY/data.mdb aside as data.mdb.unfinished when it comes from a first start that did not come to its end: DIRECTORY/instance,
/// which is synced before the store serves anybody, is not there, and the file is no larger than an empty store. Nothing is deleted but
/// an earlier data.mdb.unfinished. Opening thread, under the directory's lock. @return whether it was moved
bool set_unfinished_aside(std::string const& directory);

}
