#pragma once
// Hashes whose results peers cannot steer: devices choose topics and client ids, so every table keyed by them uses this.
// SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012) under a key drawn once per process.

#include <cstdint>
#include <string_view>

namespace airmail::router {

/// The same on every shard of this process, different in the next process. Any thread.
std::uint64_t keyed_hash(std::string_view text);
/// Mixes another word into a hash.
constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
    hash ^= word * 0x9E3779B97F4A7C15ULL;
    hash ^= hash >> 32;
    hash *= 0xD6E8FEB86659FD93ULL;
    return hash ^ hash >> 29;
}

}
