#pragma once
// The transaction of a batch, opened late: nothing is begun until somebody writes, so a batch that only reads or publishes
// pays no sync. Within it every step (one hook of one plugin) can be undone alone; its savepoint is late as well. The step that opens
// the transaction needs none: its beginning is the transaction's. That is more than one statement saved: under a savepoint SQLite
// keeps the old pages of every statement in a list and walks all of it after each, so a step of many writes would cost their square.
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
        if (!open_) {
            db_.exec("BEGIN IMMEDIATE"), open_ = true;
            if (!marks_.empty()) marks_[0] = mark::transaction;
        }
        for (std::size_t i = 0; i < marks_.size(); ++i)
            if (marks_[i] == mark::none) db_.exec("SAVEPOINT s" + std::to_string(i)), marks_[i] = mark::savepoint;
    }
    void enter() { marks_.push_back(mark::none); }
    /// Ends the innermost step, keeping or undoing what it wrote.
    void leave(bool keep) {
        auto how = marks_.back();
        marks_.pop_back();
        if (how == mark::none || !alive()) return;
        if (how == mark::transaction) {
            if (!keep) db_.exec("ROLLBACK"), open_ = false;
            return;
        }
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
        marks_.assign(marks_.size(), mark::none);
    }
    bool open() const { return open_; }
    /// False when SQLite ended the transaction on its own (disk full, I/O error): the whole batch must run again.
    bool alive() const { return open_ && db_.in_transaction(); }
    bool lost() const { return open_ && !db_.in_transaction(); }
    std::size_t depth() const { return marks_.size(); }

private:
    enum class mark : unsigned char { none, savepoint, transaction };      // how its beginning is found again
    storage::sqlite::db& db_;
    bool open_ = false;
    std::vector<mark> marks_;
};

}
