#pragma once
// Numbered changes of the schema, per owner ("core", then each plugin by its id). Each runs once, in a transaction, and is
// remembered with a checksum: a changed past is refused, and so is a database that has steps this program does not know.

#include "storage/sqlite/db.hpp"

namespace airmail::storage::sqlite {

struct migration {
    std::uint32_t number = 0;          // 1, 2, 3 ... without gaps
    std::string name;                  // for people: "core tables"
    std::string sql;                   // any number of statements
};

/// Brings `owner` up to date. @param now_ms unix milliseconds, recorded. @return how many steps ran.
/// Throws error: a step failed (nothing of that step stays), a stored checksum differs ("... was changed after it ran"), or
/// the database is newer ("... at step 7, this program knows 5: start a newer airmaild or restore a backup").
std::size_t migrate(db& d, std::string_view owner, std::span<migration const> steps, std::int64_t now_ms);

/// The core tables: airmail_applied, airmail_dead_letters, audit_log, api_keys, users, outbox, airmail_outbox_cursors.
std::vector<migration> core_migrations();

/// migrate(d, "core", core_migrations(), now_ms).
std::size_t migrate_core(db& d, std::int64_t now_ms);

}
