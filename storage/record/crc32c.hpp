#pragma once
// CRC-32C (Castagnoli, RFC 3720 appendix B.4): LMDB has no checksums, so every record carries one of ours.

#include <cstddef>
#include <cstdint>

namespace airmail::storage::record {

/// Continues `crc` over `bytes` bytes at `data`; start with 0. Uses SSE 4.2 where the processor has it. Any thread.
std::uint32_t crc32c(std::uint32_t crc, void const* data, std::size_t bytes);

/// The same by table, for processors without the instruction; public so that tests compare the two.
std::uint32_t crc32c_by_table(std::uint32_t crc, void const* data, std::size_t bytes);

}
