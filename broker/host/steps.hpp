#pragma once
// The transaction of a batch, opened late: nothing is begun until somebody writes, so a batch that only reads or publishes
// pays no sync. Within it every step (one hook of one plugin) can be undone alone; its savepoint is late as well.
// Owned by: a lane. Throws storage::sqlite::error.

#include "storage/sqlite/db.hpp"

#include <string>
#include <vector>

namespace airmail::host {

class steps {
public:
    explicit steps(storage::sqlite::db& d) : db_(d) {}

    /// Before every statement that may write: BEGIN IMMEDIATE and the savepoints of all steps we stand in.
    void write() {
        if (!open_) db_.exec("BEGIN IMMEDIATE"), open_ = true;
        for (std::size_t i = 0; i < marks_.size(); ++i)
            if (!marks_[i]) db_.exec("SAVEPOINT s" + std::to_string(i)), marks_[i] = true;
    }
    void enter() { marks_.push_back(false); }
    /// Ends the innermost step, keeping or undoing what it wrote.
    void leave(bool keep) {
        bool marked = marks_.back();
        marks_.pop_back();
        if (!marked || !alive()) return;
        auto name = "s" + std::to_string(marks_.size());
        if (!keep) db_.exec("ROLLBACK TO " + name);
        db_.exec("RELEASE " + name);
    }
    void commit() {
        if (open_) db_.exec("COMMIT"), open_ = false;
    }
    void roll_back() noexcept {
        try {
            if (alive()) db_.exec("ROLLBACK");
        } catch (storage::sqlite::error const&) {}   // SQLite has rolled back by itself
        open_ = false;
        marks_.assign(marks_.size(), false);
    }
    bool open() const { return open_; }
    /// False when SQLite ended the transaction on its own (disk full, I/O error): the whole batch must run again.
    bool alive() const { return open_ && db_.in_transaction(); }
    bool lost() const { return open_ && !db_.in_transaction(); }
    std::size_t depth() const { return marks_.size(); }

private:
    storage::sqlite::db& db_;
    bool open_ = false;
    std::vector<bool> marks_;
};

}
