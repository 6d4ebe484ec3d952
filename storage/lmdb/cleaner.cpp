#include "storage/lmdb/cleaner.hpp"

#include "storage/record/message_generated.h"
#include "storage/record/qos2_in_generated.h"
#include "storage/record/retained_generated.h"
#include "storage/record/session_generated.h"
#include "storage/record/subscription_generated.h"

#include <algorithm>

namespace airmail::storage::lmdb {

using record::kind;

int cleaner::run(std::size_t budget, batch_writer& w, lsn next) {
    int rc = take_listed(budget);
    // Everything listed has to be gone before the walk goes on, and every orphan before the sweep counts references.
    if (rc != 0 || done_.doomed != live_.doomed().size()) return rc;
    if (live_.sweeping()) rc = sweep(budget);
    if (rc != 0) return rc;
    auto until = live_.walk_until(next);
    return until != 0 ? walk(budget, until, w) : 0;
}

int cleaner::take_listed(std::size_t budget) {
    for (auto const& [message, session] : live_.orphans()) {
        auto key = key_of(message, session);
        auto mk = val(key);
        if (int rc = mdb_del(txn_, env_.ref, &mk, nullptr); rc != 0 && rc != MDB_NOTFOUND) return rc;
        ++done_.orphans;
    }
    auto count = std::min(live_.doomed().size(), std::max<std::size_t>(budget, 1));
    for (std::size_t i = 0; i < count; ++i) {
        auto key = key_of(live_.doomed()[i]);
        auto mk = val(key);
        if (int rc = mdb_del(txn_, env_.log, &mk, nullptr); rc != 0 && rc != MDB_NOTFOUND) return rc;
        ++done_.doomed;
    }
    return 0;
}

int cleaner::sweep(std::size_t& budget) {
    cursor c{txn_, env_.ref};
    if (c.opened() != 0) return c.opened();
    auto from = key_of(live_.sweep_from().first, live_.sweep_from().second);
    auto key = val(from);
    MDB_val value;
    int rc = c.seek(key, value, MDB_SET_RANGE);
    for (; rc == 0; rc = c.seek(key, value, MDB_NEXT)) {
        auto at = get_be64(key.mv_data);
        auto session = get_be32(static_cast<std::uint8_t*>(key.mv_data) + 8);
        if (budget == 0) return done_.swept_to = {at, session}, 0;
        --budget;
        if (!live_.is_dying(session)) continue;
        if (int del = mdb_cursor_del(c.get(), 0); del != 0) return del;
        done_.references.emplace_back(at, session);
    }
    done_.sweep_ended = rc == MDB_NOTFOUND;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

cleaner::verdict cleaner::living(kind k, cleaned::move& m) {
    auto say = [](bool lives) { return lives ? verdict::living : verdict::dead; };
    switch (k) {
    case kind::session:
        m.session = decoder_.session().number();
        return say(live_.is_living_session(m.session, m.from));
    case kind::subscription: {
        auto const& s = decoder_.subscription();
        m.session = s.session();
        m.name = live_.names().filter({s.filter()->c_str(), s.filter()->size()});
        return say(live_.is_living_subscription(m.session, m.name, m.from));
    }
    case kind::qos2_in:
        m.session = decoder_.qos2_in().session();
        m.name = decoder_.qos2_in().packet_id();
        return say(live_.is_living_qos2_in(m.session, decoder_.qos2_in().packet_id(), m.from));
    case kind::retained: {
        auto key = key_of(decoder_.retained().message());   // the topic stands in the message
        auto mk = val(key);
        MDB_val row;
        if (mdb_get(txn_, env_.log, &mk, &row) != 0) return verdict::dead;
        auto opened = message_decoder_.open(decoder_.retained().message(), view(row));
        if (!opened || *opened != kind::message) return verdict::unreadable;
        auto const& message = message_decoder_.message();
        m.topic = live_.names().topic(message.tenant(), {message.topic()->c_str(), message.topic()->size()});
        return say(live_.is_living_retained(m.topic, m.from));
    }
    case kind::message:
    case kind::none: break;
    }
    return verdict::unreadable;
}

bool cleaner::judge(lsn at, MDB_val const& row, std::vector<kept>& to_move) {
    auto bytes = view(row);
    if (bytes.size() >= record::head_bytes && bytes[1] == static_cast<std::uint8_t>(kind::message)) return live_.is_living_message(at);
    auto k = decoder_.open(at, bytes);
    if (!k) return true;   // damaged: left where it is, for whoever wants to look at it
    kept one{.move = {.kind = *k, .from = at}};
    auto said = living(*k, one.move);
    if (said != verdict::living) return said == verdict::unreadable;
    auto body = bytes.subspan(record::head_bytes);
    one.body.assign(body.begin(), body.end());
    to_move.push_back(std::move(one));
    return false;
}

int cleaner::walk(std::size_t budget, lsn until, batch_writer& w) {
    std::vector<kept> to_move;
    done_.walked_to = until;
    {
        cursor c{txn_, env_.log};
        if (c.opened() != 0) return c.opened();
        auto from = key_of(live_.walk_from());
        auto key = val(from);
        MDB_val row;
        int rc = c.seek(key, row, MDB_SET_RANGE);
        for (; rc == 0; rc = c.seek(key, row, MDB_NEXT)) {
            auto at = get_be64(key.mv_data);
            if (at >= until) break;
            if (budget == 0) {
                done_.walked_to = at;
                break;
            }
            --budget;
            auto before = to_move.size();
            if (judge(at, row, to_move)) continue;
            if (to_move.size() == before) done_.removed.push_back(at);
            if (int del = mdb_cursor_del(c.get(), 0); del != 0) return del;
        }
        if (rc != 0 && rc != MDB_NOTFOUND) return rc;
    }
    for (auto& k : to_move) {
        auto at = w.next();
        if (int rc = w.append(k.move.kind, k.body); rc != 0) return rc;
        k.move.to = at;
        done_.moved.push_back(k.move);
    }
    return 0;
}

}
