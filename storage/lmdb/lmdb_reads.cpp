// Reading back, from any thread: copy out, end the transaction, then look.
#include "storage/lmdb/lmdb_journal.hpp"
#include "storage/record/message_generated.h"

namespace airmail::storage::lmdb {

using record::kind;

namespace {

/// Rows one read transaction may pass: a reader that stays keeps the writer from using freed pages again.
constexpr std::size_t rows_per_transaction = 4'096;
constexpr std::size_t state_bytes_per_transaction = 1u << 20;

}

std::shared_lock<std::shared_mutex> lmdb_journal::opened() {
    std::shared_lock gate{gate_};
    gate_opened_.wait(gate, [&] { return env_ || closing_; });
    return gate;
}

std::vector<message_ptr> lmdb_journal::fetch(std::vector<lsn> const& which) {
    std::vector<message_ptr> out(which.size());
    auto gate = opened();
    if (!env_) return out;
    transaction t{*env_, false};
    if (t.begun() != 0) return out;
    record::decoder d;
    for (std::size_t i = 0; i < which.size(); ++i) {
        auto key = key_of(which[i]);
        auto mk = val(key);
        MDB_val row;
        if (mdb_get(t.get(), env_->log, &mk, &row) != 0) continue;
        auto k = d.open(which[i], view(row));
        if (k && *k == kind::message) out[i] = d.make_message();
        else if (!k) found_damage("data.mdb: log record " + std::to_string(which[i]) + ": " + d.why());
    }
    return out;
}

std::vector<std::pair<lsn, message_ptr>> lmdb_journal::read(std::uint32_t consumer_bit, lsn after, std::size_t max) {
    std::vector<std::pair<lsn, message_ptr>> out;
    record::decoder d;
    bool more = true;
    while (more && out.size() < max) {
        auto gate = opened();
        if (!env_) break;
        transaction t{*env_, false};
        if (t.begun() != 0) break;
        cursor c{t.get(), env_->log};
        if (c.opened() != 0) break;
        auto from = key_of(after + 1);
        auto key = val(from);
        MDB_val row;
        int rc = c.seek(key, row, MDB_SET_RANGE);
        for (std::size_t n = 0; rc == 0 && n < rows_per_transaction && out.size() < max; ++n, rc = c.seek(key, row, MDB_NEXT)) {
            after = get_be64(key.mv_data);
            auto bytes = view(row);
            if (bytes.size() > 1 && bytes[1] != static_cast<std::uint8_t>(kind::message)) continue;
            auto k = d.open(after, bytes);
            if (!k) found_damage("data.mdb: log record " + std::to_string(after) + ": " + d.why());
            else if (*k == kind::message && (d.message().consumers() >> consumer_bit & 1) != 0) out.emplace_back(after, d.make_message());
        }
        more = rc == 0;
    }
    return out;
}

void lmdb_journal::scan_state(std::uint32_t plugin, std::function<void(std::uint64_t, std::vector<std::uint8_t>)> const& f) {
    std::vector<std::pair<std::uint64_t, std::vector<std::uint8_t>>> part;
    std::uint64_t from = 0;
    for (bool more = true; more;) {
        part.clear();
        {
            auto gate = opened();
            if (!env_) return;
            transaction t{*env_, false};
            if (t.begun() != 0) return;
            cursor c{t.get(), env_->slot};
            if (c.opened() != 0) return;
            auto first = state_key(plugin, from);
            auto key = val(first);
            MDB_val value;
            int rc = c.seek(key, value, MDB_SET_RANGE);
            std::size_t bytes = 0;
            for (; rc == 0 && bytes < state_bytes_per_transaction; rc = c.seek(key, value, MDB_NEXT)) {
                if (key.mv_size != sizeof(slot_key) || get_be32(key.mv_data) != plugin) break;
                slot_key k;
                std::memcpy(k.data(), key.mv_data, k.size());
                from = get_be64(k.data() + 4);
                bytes += value.mv_size;
                auto stored = open_state(k, view(value));
                if (stored) part.emplace_back(from, std::vector<std::uint8_t>{stored->begin(), stored->end()});
                else found_damage("data.mdb: slot record " + std::to_string(plugin) + "/" + std::to_string(from) + ": checksum does not match");
            }
            more = rc == 0 && bytes >= state_bytes_per_transaction && from++ != ~std::uint64_t{0};
        }
        for (auto& [key, value] : part) f(key, std::move(value));
    }
}

}
