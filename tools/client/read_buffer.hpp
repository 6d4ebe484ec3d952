#pragma once
// The room that reads go through: one block per thread, lent for a moment, so that connections need none of their own.

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace airmail::client {

/// Lends the thread's block; when it is lent already (a callback runs another client's loop) a fresh one.
class read_buffer {
public:
    read_buffer() : bytes_(std::move(spare())) {
        if (bytes_.empty()) bytes_.resize(64 << 10);
    }
    ~read_buffer() { spare() = std::move(bytes_); }
    read_buffer(read_buffer const&) = delete;
    read_buffer& operator=(read_buffer const&) = delete;

    std::span<std::uint8_t> room() { return bytes_; }

private:
    static std::vector<std::uint8_t>& spare() {
        thread_local std::vector<std::uint8_t> one;
        return one;
    }
    std::vector<std::uint8_t> bytes_;
};

}
