#pragma once
// A device's disk: two slots as real files and state.json, in a directory of its own.
//   DIR/slot_a   DIR/slot_b   DIR/state.json (replaced by rename: survives our death, not the host's power)

#include "storage/firmware/digest.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace airmail::sim {

/// How far the update under way is.
enum class stage : std::uint8_t { idle, downloading, installing, rebooting, testing, rolled_back };

/// Everything that a device remembers over a restart. Saved before each step that follows from it.
struct device_memory {
    char active = 'a';
    std::string version_a, version_b;
    std::uint64_t security_counter = 0, seq = 0, status_seq = 0, boots = 0;
    std::string last_command_id, last_result;      // what is told again when the same command comes again
    std::map<std::string, std::string> settings;
    // The update under way.
    stage at = stage::idle;
    std::string command_id, campaign_id, version, url, checksum;
    std::uint64_t size_bytes = 0, release_counter = 0;
    // What the faults have done already, and the book that a run is judged by.
    std::uint64_t faults_done = 0;
    std::map<std::string, std::uint64_t> slot_writes;   // command_id -> times a slot was begun for it
    std::vector<std::string> command_ids;               // in order of first arrival

    std::string const& version_of(char slot) const { return slot == 'a' ? version_a : version_b; }
    std::string const& running() const { return version_of(active); }
    char inactive() const { return active == 'a' ? 'b' : 'a'; }
    void set_version(char slot, std::string v) { (slot == 'a' ? version_a : version_b) = std::move(v); }

    std::string to_json() const;
    static std::optional<device_memory> parse(std::string_view json);
};

/// Owned by: one device. Files are open only while an image is written.
class slots {
public:
    /// Makes the directory, and slot_a with a small image of `version` when there is none.
    slots(std::string directory, std::string const& model, std::string const& version);
    ~slots();
    slots(slots const&) = delete;
    slots& operator=(slots const&) = delete;

    device_memory const& memory() const { return memory_; }
    device_memory& memory() { return memory_; }
    /// Throws std::runtime_error when the disk says no.
    void save();

    std::string path(char slot) const { return directory_ + "/slot_" + slot; }
    std::string active_path() const { return path(memory_.active); }
    /// SHA-256 of a slot's file, hex; empty when there is none.
    std::string digest_of(char slot) const;
    /// Bytes free on this disk for us.
    std::uint64_t free_bytes() const;

    /// Opens the inactive slot. With `resume` what is there (at most `size_max`) stays and is hashed again; otherwise it is emptied.
    /// @return the number of bytes kept
    std::uint64_t begin_write(bool resume, std::uint64_t size_max);
    /// Appends and hashes. False when the disk is full.
    bool append(storage::firmware::byte_view piece);
    bool writing() const { return fd_ >= 0; }
    std::uint64_t written() const { return written_; }
    storage::firmware::digest256 written_digest() const { return hash_.finish(); }
    void end_write();

private:
    std::string directory_;
    device_memory memory_;
    int fd_ = -1;
    std::uint64_t written_ = 0;
    storage::firmware::sha256 hash_;
};

}
