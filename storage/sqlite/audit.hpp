#pragma once
// The audit log: who did what, in a chain of hashes. On the SQLite thread, in the transaction of the deed.

#include "storage/sqlite/db.hpp"

namespace airmail::storage::sqlite {

struct audit_entry {
    std::uint32_t tenant = 0;
    std::int64_t at_ms = 0;                // unix milliseconds
    std::string actor, role, action, target, outcome = "ok";
    std::string detail = "{}";             // JSON; never secrets
    std::string request_id, traceparent;
};

/// Appends; returns its number. Throws error.
std::int64_t audit_append(db& d, audit_entry const& e);

struct audit_verdict {
    bool good = true;
    std::int64_t rows = 0;
    std::int64_t broken_at = 0;            // first row that does not fit
    std::string why, head;                 // head: hash of the last row, to be kept elsewhere: it also shows a cut tail
};
/// Walks the whole chain.
audit_verdict audit_verify(db& d);

}
