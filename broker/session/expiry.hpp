#pragma once
// Deadlines of sessions without a connection: when they end, when their will is due. A heap of 16 bytes each; an entry whose
// session came back is not searched for, it is recognised when its time comes (the session knows its own deadline).

#include <algorithm>
#include <cstdint>
#include <vector>

namespace airmail::session {

/// What is due.
enum class deadline : std::uint8_t { session_end, will };

/// Owned by: one shard. Times are of the stored clock, milliseconds.
class deadlines {
public:
    struct entry {
        std::int64_t at;
        std::uint32_t session;
        deadline what;
    };

    void add(std::int64_t at, std::uint32_t session, deadline what) {
        heap_.push_back({at, session, what});
        std::push_heap(heap_.begin(), heap_.end(), later);
    }
    /// The earliest entry at or before `now`, taken out; false when there is none.
    bool due(std::int64_t now, entry& out) {
        if (heap_.empty() || heap_.front().at > now) return false;
        out = heap_.front();
        std::pop_heap(heap_.begin(), heap_.end(), later);
        heap_.pop_back();
        return true;
    }
    bool any_due(std::int64_t now) const { return !heap_.empty() && heap_.front().at <= now; }
    std::size_t size() const { return heap_.size(); }
    /// Forgets entries that `stale` names; called when the heap has grown past twice the sessions.
    template <class Stale> void prune(Stale&& stale) {
        std::erase_if(heap_, stale);
        std::make_heap(heap_.begin(), heap_.end(), later);
    }

private:
    static bool later(entry const& a, entry const& b) { return a.at > b.at; }
    std::vector<entry> heap_;
};

}
