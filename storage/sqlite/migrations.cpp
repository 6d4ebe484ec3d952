#include "storage/sqlite/migrations.hpp"

#include "storage/sqlite/fingerprint.hpp"

#include <map>

namespace airmail::storage::sqlite {

namespace {

constexpr std::string_view ledger =
    "CREATE TABLE IF NOT EXISTS airmail_migrations(owner TEXT NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL,"
    " checksum TEXT NOT NULL, applied_at_ms INTEGER NOT NULL, PRIMARY KEY(owner, number)) STRICT, WITHOUT ROWID";

[[noreturn]] void refuse(db const& d, std::string_view owner, std::string const& what) {
    throw error(1, d.path() + ": " + std::string(owner) + ": " + what, {});
}

std::map<std::uint32_t, std::string> applied_steps(db& d, std::string_view owner) {
    std::map<std::uint32_t, std::string> out;
    for (auto& r : d.exec("SELECT number, checksum FROM airmail_migrations WHERE owner = ?", {std::string(owner)}))
        out.emplace(std::uint32_t(std::get<std::int64_t>(r[0])), std::get<std::string>(r[1]));
    return out;
}

}

std::size_t migrate(db& d, std::string_view owner, std::span<migration const> steps, std::int64_t now_ms) {
    d.exec(ledger);
    auto done = applied_steps(d, owner);
    std::uint32_t expected = 1;
    for (auto const& s : steps)
        if (s.number != expected++) refuse(d, owner, "migration " + std::to_string(s.number) + " (" + s.name + ") is out of order");
    if (!done.empty() && done.rbegin()->first > steps.size())
        refuse(d, owner, "the database is newer than this program: it is at step " + std::to_string(done.rbegin()->first) +
                             ", this program knows " + std::to_string(steps.size()) +
                             ". Start the newer program again, or restore a backup made before the upgrade");
    std::size_t ran = 0;
    for (auto const& s : steps) {
        auto sum = sha256_hex(s.sql);
        if (auto it = done.find(s.number); it != done.end()) {
            if (it->second != sum)
                refuse(d, owner, "migration " + std::to_string(s.number) + " (" + s.name + ") was changed after it ran here");
            continue;
        }
        savepoint step(d, "migration");
        d.script(s.sql);
        d.exec("INSERT INTO airmail_migrations VALUES(?, ?, ?, ?, ?)",
               {std::string(owner), std::int64_t(s.number), s.name, sum, now_ms});
        step.release();
        ++ran;
    }
    return ran;
}

std::size_t migrate_core(db& d, std::int64_t now_ms) { return migrate(d, "core", core_migrations(), now_ms); }

}
