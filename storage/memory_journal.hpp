#pragma once
// Level memory: the same interface with no file. Messages are held by pointer while something needs them; sessions and
// subscriptions are not kept at all, since nobody will ask after a restart.

#include "storage/journal.hpp"
#include "storage/liveness.hpp"

#include <map>
#include <mutex>
#include <set>

namespace airmail::storage {

class memory_journal final : public journal {
public:
    explicit memory_journal(vitals& v) : vitals_(v), live_(12, false) {}

    boost::system::error_code commit(batch& b) override;
    bool wants_cleaning() const override { return live_.doomed().size() >= 1'024; }
    void applied(lsn upto) override { live_.applied(upto); }
    lsn next() const override { return next_; }
    bool knows(session_number) const override { return true; }
    std::array<lsn, 32> newest_for() const override { return {}; }
    std::string trouble() const override { return {}; }
    std::vector<std::string> damaged() const override { return {}; }

    std::vector<message_ptr> fetch(std::vector<lsn> const& which) override;
    std::vector<std::pair<lsn, message_ptr>> read(std::uint32_t consumer_bit, lsn after, std::size_t max) override;
    void scan_state(std::uint32_t plugin, std::function<void(std::uint64_t, std::vector<std::uint8_t>)> const& f) override;
    boost::system::result<void> backup(std::string const&, std::string& why) override {
        return why = "level memory has nothing to copy", errc::not_found;
    }
    void close() override {}

private:
    struct kept { message_ptr body; std::uint32_t consumers = 0; };
    void store(change const& c, placed& out);
    void clean();

    vitals& vitals_;
    liveness live_;                                      // writer thread
    lsn next_ = (lsn{1} << 40) + 1;                      // epoch 1, as a new store has
    std::set<std::pair<lsn, session_number>> references_;   // writer thread
    std::mutex lock_;                                    // the two maps: writer changes, any thread reads
    std::map<lsn, kept> messages_;
    std::map<std::pair<std::uint32_t, std::uint64_t>, std::vector<std::uint8_t>> states_;
};

}
