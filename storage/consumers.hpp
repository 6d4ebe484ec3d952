#pragma once
// Who gets what was stored: each consumer is either live (handed every batch, in order) or behind (reads the log by
// itself). The step from behind to live loses nothing and doubles nothing: both sides compare the same number, the newest
// LSN promised to that consumer, under one lock that is never held during a call.

#include "storage/journal.hpp"

#include <deque>
#include <mutex>

namespace airmail::storage {

class consumers {
public:
    /// Before the writer runs. Returns its bit. At most 32.
    std::uint32_t add(consumer& c);
    std::size_t count() const { return all_.size(); }
    /// Bits that somebody answers to.
    std::uint32_t mask() const { return all_.size() >= 32 ? ~0u : (1u << all_.size()) - 1; }
    /// Opening: those with something waiting begin behind.
    void begin(std::array<lsn, 32> const& newest);

    /// After a commit: hands over. Writer thread.
    void committed(batch const& b);
    /// See store::caught_up. Any thread.
    bool caught_up(std::uint32_t bit, lsn upto);
    /// Everything up to here is applied by all that needed it. `last` = the newest LSN committed. Writer thread.
    lsn applied(lsn last) const;

private:
    enum class mode { live, handing, behind };
    struct one {
        consumer* who = nullptr;
        std::mutex lock;
        mode state = mode::live;
        bool pledged = false;      // caught_up said so while a batch was being handed over
        lsn read_to = 0;            // how far the consumer said it has read
        lsn newest = 0;            // promised; writer thread writes, under lock
        std::vector<std::pair<lsn, message_ptr>> batch;   // writer thread
    };
    static void hand_over(one& c);
    std::deque<one> all_;          // a lock cannot move
};

}
