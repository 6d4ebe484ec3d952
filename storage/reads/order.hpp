#pragma once
// The setting replicate_reads: which sources are asked, in which order.

#include "storage/reads/source.hpp"

namespace airmail::storage::reads {

/// Reads "memory redis sqlite" (blanks or commas). @return empty, or what is wrong with it: an unknown word, one twice, no ledger last
std::string parse_order(std::string_view text, std::vector<place>& out);

}
