#pragma once
// What a CA has issued and revoked: one JSON line per event, appended and synced, never rewritten. Part of airmailctl's ca.

#include "tools/airmailctl/ca.hpp"

namespace airmail::ctl {

struct ca_state {
    std::vector<index_entry> entries;       // in order of issue
    std::uint64_t crl_number = 0;
};

class ca_index {
public:
    /// An empty directory name keeps nothing.
    explicit ca_index(std::string directory);
    ~ca_index();
    ca_index(ca_index const&) = delete;
    ca_index& operator=(ca_index const&) = delete;

    ca_state const& state() const { return state_; }
    /// Waits for other airmailctl processes, and reads what they have appended meanwhile. Released by unlock.
    void lock();
    void unlock();
    void issued(index_entry const& e);
    void revoked(std::string const& serial, std::int64_t at);
    void crl_made(std::uint64_t number);

private:
    void append(std::string const& line);
    void read_new_lines();
    void apply(std::string_view line);
    std::string path_;
    int fd_ = -1;
    std::uint64_t read_to_ = 0;
    std::size_t lines_ = 0;
    ca_state state_;
};

}
