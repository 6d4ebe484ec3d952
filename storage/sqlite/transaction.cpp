#include "storage/sqlite/db.hpp"

namespace airmail::storage::sqlite {

transaction::transaction(db& d) : db_(d) { db_.exec("BEGIN IMMEDIATE"); }
transaction::~transaction() {
    if (!open_ || !db_.in_transaction()) return;           // SQLite has rolled back by itself, e.g. on a full disk
    try {
        db_.exec("ROLLBACK");
    } catch (error const&) {
    }
}
void transaction::commit() {
    db_.exec("COMMIT");
    open_ = false;
}

savepoint::savepoint(db& d, std::string name) : db_(d), name_(quote_name(name)) {
    if (!db_.in_transaction()) outer_.emplace(db_);
    db_.exec("SAVEPOINT " + name_);
}
savepoint::~savepoint() {
    if (!open_ || !db_.in_transaction()) return;
    try {
        db_.exec("ROLLBACK TO " + name_);
        db_.exec("RELEASE " + name_);
    } catch (error const&) {
    }
}
void savepoint::release() {
    db_.exec("RELEASE " + name_);
    open_ = false;
    if (outer_) outer_->commit();
}

std::string quote_name(std::string_view name) {
    std::string out = "\"";
    for (char c : name) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + '"';
}

}
