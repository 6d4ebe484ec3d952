#pragma once
// What is remembered of each device between heartbeats: a dense table in RAM, saved in chunks of 128. Pure.
// A device costs about 120 bytes here; an unchanged heartbeat touches one slot and nothing else.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace airmail::plugins::heartbeat {

/// FNV-1a, 64 bits: the same in every run, since it is stored.
std::uint64_t hash_text(std::string_view s, std::uint64_t h = 14695981039346656037ull);

struct slot {
    std::string serial;
    std::uint64_t content = 0;         // hash of what the registry keeps; 0 = it must be told
    std::uint64_t boot = 0, result = 0;    // hashes of boot_id and last_command_id + last_result; 0 = none
    std::int64_t last_seen = 0;        // unix ms
    std::uint32_t rhythm = 0;          // learnt distance of heartbeats, ms; 0 = not yet
    bool first = false;                // the next heartbeat is the first of its session
    bool watched = false;              // the campaign wants every heartbeat
    bool dirty = false;                // last_seen is newer than the registry's
};

class slot_table {
public:
    static constexpr std::size_t per_chunk = 128;

    slot& of(std::string_view serial);             // makes one
    slot* find(std::string_view serial);
    /// Marks the chunk of this slot as to be saved.
    void changed(slot const& s);
    std::vector<slot>& all() { return slots_; }

    /// Chunks changed since the last call.
    std::vector<std::uint64_t> take_changed();
    std::string save(std::uint64_t chunk) const;
    /// Chunks come in ascending order. False: damaged (what was read before the damage stays).
    bool load(std::uint64_t chunk, std::string_view bytes);

private:
    std::vector<slot> slots_;                      // bound: devices with a certificate of ours
    std::unordered_map<std::string, std::uint32_t> index_;
    std::vector<bool> changed_;
};

}
