#include "storage/sqlite/db.hpp"

namespace airmail::storage::sqlite {

namespace {

/// BEGIN, SAVEPOINT and their ends are the house's own statements, whoever's scope is set: plugins may not write them.
void run(db& d, std::string const& text) {
    struct house {
        db& d;
        std::uint32_t const before = d.scope();
        explicit house(db& o) : d(o) { d.scope(0); }
        ~house() { d.scope(before); }
    } as_house{d};
    d.exec(text);
}

}

transaction::transaction(db& d) : db_(d) { run(db_, "BEGIN IMMEDIATE"); }
transaction::~transaction() {
    if (!open_ || !db_.in_transaction()) return;           // SQLite has rolled back by itself, e.g. on a full disk
    try {
        run(db_, "ROLLBACK");
    } catch (error const&) {
    }
}
void transaction::commit() {
    run(db_, "COMMIT");
    open_ = false;
}

savepoint::savepoint(db& d, std::string name) : db_(d), name_(quote_name(name)) {
    if (!db_.in_transaction()) outer_.emplace(db_);
    run(db_, "SAVEPOINT " + name_);
}
savepoint::~savepoint() {
    if (!open_ || !db_.in_transaction()) return;
    try {
        run(db_, "ROLLBACK TO " + name_);
        run(db_, "RELEASE " + name_);
    } catch (error const&) {
    }
}
void savepoint::release() {
    run(db_, "RELEASE " + name_);
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
