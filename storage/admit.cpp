#include "storage/admit.hpp"

namespace airmail::storage {

namespace {

struct judge {
    bool readonly;
    std::function<bool(session_number)> const& known;

    // For sessions and as retained it stays until somebody takes it; what only plugins want is gone when they have applied it.
    bool operator()(put_message const& m) const {
        if (!m.references.empty() || m.retain_set) return false;
        return !readonly || (m.consumers == 0 && !m.qos2_in);   // a retained message cleared, for one
    }
    // A client that comes back for what it is owed must get in: its queue is what fills the disk.
    bool operator()(put_session const& s) const { return !readonly || known(s.record.number); }
    bool operator()(put_subscription const&) const { return !readonly; }
    bool operator()(put_state const& s) const { return !readonly || s.value.empty(); }

    bool operator()(settle const&) const { return true; }
    bool operator()(advance const&) const { return true; }   // changes a row in place, on the way to settling it
    bool operator()(forget_qos2_in const&) const { return true; }
    bool operator()(drop_session const&) const { return true; }
    bool operator()(drop_subscription const&) const { return true; }
};

}

bool admitted(change const& c, disk_level level, std::function<bool(session_number)> const& known) {
    return level == disk_level::plenty || std::visit(judge{level == disk_level::readonly, known}, c);
}

}
