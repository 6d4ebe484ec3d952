#pragma once
// How fast wills go out. When a network fails thousands of clients are lost in one moment; all their wills at once would stop the shard
// and fill the queues of those who listen, where whatever does not fit is dropped. So few are under way at a time, and while somebody
// who listens has a queue that is more than half full they wait, but not for ever: who takes nothing shall not silence the others.
//
//   may? -- began -> routed (crowded?) -> ended -> next_turn: room again

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace airmail::session {

/// Owned by: one shard. Times are of the shard, milliseconds. A will that waits stays in its session, so nothing grows here.
class will_pace {
public:
    /// Of all shards together, under way: not yet stored where that is owed, or begun in this turn. A quarter of what a queue may hold by
    /// default, so that those between half full and told fit in.
    static constexpr std::uint32_t wills_max = 256;
    static constexpr std::size_t bytes_max = 1 << 20;
    static constexpr std::int64_t hold_ms = 50, hold_most_ms = 800, patience_ms = 5'000;

    explicit will_pace(unsigned shards) : most_{std::max(wills_max / shards, 1U)}, most_bytes_{bytes_max / shards} {}
    bool may(std::int64_t now) const { return wills_ < most_ && bytes_ < most_bytes_ && now >= held_until_; }
    void began(std::size_t bytes) { ++wills_, bytes_ += bytes; }
    /// One of those under way met a queue that is more than half full. Called before its ended().
    void crowded(std::int64_t now) {
        met_ = true;
        if (since_ == never) since_ = now, hold_ = hold_ms;
        if (now < held_until_) return;   // one of the same batch
        // Each one that goes although it is crowded is a question whether there is room again: asked less and less often. Who has had
        // his time is heard no more, only a whole batch is followed by a rest.
        bool const heard = now - since_ < patience_ms;
        if (heard) held_until_ = now + hold_, hold_ = std::min(hold_ * 2, hold_most_ms);
        else if (++unheard_ % most_ == 0) held_until_ = now + hold_ms;
    }
    void ended(std::size_t bytes) {
        ++over_wills_, over_bytes_ += bytes;
        if (!met_) since_ = never;   // somebody takes them: patience begins anew
        met_ = false;
    }
    void next_turn() {
        wills_ -= over_wills_, bytes_ -= over_bytes_;
        over_wills_ = 0, over_bytes_ = 0;
    }

private:
    static constexpr std::int64_t never = -1;
    std::uint32_t most_, wills_ = 0, over_wills_ = 0;
    std::size_t most_bytes_, bytes_ = 0, over_bytes_ = 0;
    std::int64_t held_until_ = 0, since_ = never, hold_ = hold_ms;
    std::uint32_t unheard_ = 0;
    bool met_ = false;
};

}
