#pragma once
// Is data.mdb's own structure whole? LMDB has no checksums and trusts what it maps: a flipped bit in a page makes it crash, or lose
// a part of the tree without a word. So the file is read once at the start, page by page, bounds checked at every step, before
// LMDB sees it. What lies inside records is covered by their own checksums (record/).
//
// Format: LMDB 0.9, data version 1, 64 bits, little endian (lmdb's mdb.c: MDB_meta, MDB_page, MDB_node).

#include "storage/store.hpp"

namespace airmail::storage::lmdb {

/// Reads DIRECTORY/data.mdb and follows every tree. Opening thread; costs one pass over the file.
/// errc::damaged with the page and what is wrong in `why`; errc::io. A file that is not there or empty is whole.
boost::system::result<void> check_pages(std::string const& directory, std::string& why);

}
