#pragma once
// Many short texts in few blocks: a reference is 4 bytes instead of a string's 32. Texts are dropped by count only; the owner
// copies the living into a new arena when `wasteful()` says so.

#include <cassert>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace airmail::router {

/// Chunks of 64 KiB; a text is at most 65,535 bytes and never crosses a chunk. Bound: 4 GiB.
class text_arena {
public:
    std::uint32_t put(std::string_view text) {
        assert(text.size() < chunk);
        if (chunks_.empty() || used_ + text.size() > chunk) {
            chunks_.push_back(std::make_unique_for_overwrite<char[]>(chunk));
            used_ = 0;
        }
        auto const at = static_cast<std::uint32_t>((chunks_.size() - 1) << 16 | used_);
        if (!text.empty()) std::memcpy(chunks_.back().get() + used_, text.data(), text.size());
        // A text that ends the chunk leaves used_ at 65,536, which the next put() sees as full.
        used_ += text.size();
        if (used_ == chunk) ++used_;
        living_ += text.size();
        return at;
    }
    std::string_view at(std::uint32_t ref, std::size_t size) const { return {chunks_[ref >> 16].get() + (ref & 0xFFFF), size}; }
    void drop(std::size_t size) { living_ -= size; }
    bool wasteful() const { return chunks_.size() > 16 && living_ * 2 < chunks_.size() * chunk; }
    std::size_t footprint() const { return chunks_.size() * chunk; }

private:
    static constexpr std::size_t chunk = 65536;
    std::vector<std::unique_ptr<char[]>> chunks_;
    std::size_t used_ = 0, living_ = 0;
};

}
