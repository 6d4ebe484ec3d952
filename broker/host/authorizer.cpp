// What a plugin's SQL may touch. Asked when a statement is compiled, for every scope but the house's own.
#include "broker/host/lane.hpp"

#include <algorithm>
#include <sqlite3.h>

namespace airmail::host {

namespace {

bool declares(instance const& i, std::string_view table) {
    return std::any_of(i.what.tables.begin(), i.what.tables.end(), [&](auto const& t) { return t.name == table; });
}

bool of_the_house(std::string_view table) { return table.starts_with("airmail_") || table == "outbox" || table == "outbox_folded" || table == "audit_log" || table == "api_keys" || table == "users"; }

}

storage::sqlite::permission lane::may(storage::sqlite::action const& a) const {
    using storage::sqlite::permission;
    auto const& i = *seats_.at(a.scope - 1);
    // The triggers of replicated tables write the outbox; nobody else does.
    if (!a.trigger.empty()) return permission::allow;
    switch (a.code) {
    case SQLITE_SELECT: case SQLITE_FUNCTION: case SQLITE_RECURSIVE: return permission::allow;
    case SQLITE_SAVEPOINT: return i.migrating ? permission::allow : permission::deny;     // transactions are the lane's
    case SQLITE_TRANSACTION: case SQLITE_ATTACH: case SQLITE_DETACH: return permission::deny;
    case SQLITE_PRAGMA: return permission::deny;
    case SQLITE_READ: case SQLITE_INSERT: case SQLITE_UPDATE: case SQLITE_DELETE:
        if (i.migrating && (a.first.starts_with("sqlite_") || a.first == "airmail_migrations")) return permission::allow;
        if (a.first == "json_each" || a.first == "json_tree") return permission::allow;
        if (of_the_house(a.first)) return shared_ && a.code == SQLITE_READ ? permission::allow : permission::deny;
        // Built-ins are one family and may look into one another's tables; a foreign plugin sees its own.
        return shared_ || declares(i, a.first) || a.first.empty() ? permission::allow : permission::deny;
    case SQLITE_CREATE_INDEX: case SQLITE_CREATE_TRIGGER: case SQLITE_DROP_INDEX: case SQLITE_DROP_TRIGGER:
        return i.migrating && declares(i, a.second) ? permission::allow : permission::deny;
    case SQLITE_REINDEX: return i.migrating ? permission::allow : permission::deny;
    case SQLITE_CREATE_TABLE:     // the ledger of migrations is made "if not exists"
        return i.migrating && (declares(i, a.first) || a.first == "airmail_migrations") ? permission::allow : permission::deny;
    case SQLITE_DROP_TABLE: return i.migrating && declares(i, a.first) ? permission::allow : permission::deny;
    case SQLITE_ALTER_TABLE: return i.migrating && declares(i, a.second) ? permission::allow : permission::deny;
    default: return permission::deny;
    }
}

}
