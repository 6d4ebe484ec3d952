#include "storage/lmdb/recover.hpp"

#include "storage/record/message_generated.h"
#include "storage/record/qos2_in_generated.h"
#include "storage/record/retained_generated.h"
#include "storage/record/session_generated.h"
#include "storage/record/subscription_generated.h"

#include <algorithm>

namespace airmail::storage::lmdb {

using record::kind;

namespace {

constexpr std::size_t lines_max = 100;

std::string row_name(MDB_val const& value, lsn at) {
    auto bytes = view(value);
    auto k = bytes.size() > 1 ? static_cast<kind>(bytes[1]) : kind::none;
    return "data.mdb: log record " + std::to_string(at) + " (" + record::name(k) + "): ";
}

}

void recoverer::damaged(std::string line) {
    ++out_.damaged;
    if (out_.lines.size() < lines_max) out_.lines.push_back(std::move(line));
}

boost::system::result<recovered> recoverer::run(recovery const& r, std::string& why) {
    transaction t{env_, false};
    int rc = t.begun();
    if (rc == 0) rc = scan_log(t.get());
    if (newer_) return why = "data.mdb: a record was written by a newer version", errc::version;
    if (rc == 0) {
        live_.forget_sessions_without_record();
        rc = hand_out(t.get(), r);
    }
    if (rc == 0) rc = scan_references(t.get(), r);
    if (rc != 0) return why = std::string{"data.mdb: "} + mdb_strerror(rc), to_errc(rc);
    for (auto at : wanted_) live_.wanted(at);
    if (r.on_retained) {
        std::vector<lsn> all;
        live_.each_retained([&](lsn m) { all.push_back(m); });
        std::sort(all.begin(), all.end());
        for (auto m : all)
            if (load(t.get(), m, kind::message)) r.on_retained(m, decoder_.make_message());
    }
    return std::move(out_);
}

int recoverer::scan_log(MDB_txn* t) {
    cursor c{t, env_.log};
    if (c.opened() != 0) return c.opened();
    MDB_val key, value;
    int rc = c.seek(key, value, MDB_FIRST);
    for (; rc == 0 && !newer_; rc = c.seek(key, value, MDB_NEXT)) {
        if (key.mv_size != sizeof(lsn)) {
            damaged("data.mdb: a log key of " + std::to_string(key.mv_size) + " bytes");
            continue;
        }
        row(t, out_.last = get_be64(key.mv_data), value);
    }
    return rc == MDB_NOTFOUND ? 0 : rc;
}

void recoverer::row(MDB_txn* t, lsn at, MDB_val const& value) {
    auto k = decoder_.open(at, view(value));
    if (!k) {
        newer_ = k.error() == errc::version;
        live_.useless(at);
        return damaged(row_name(value, at) + decoder_.why());
    }
    switch (*k) {
    case kind::none: break;
    case kind::message: {
        live_.message_born(at);
        auto bits = decoder_.message().consumers();
        if (bits == 0) break;
        wanted_.push_back(at);
        for (; bits != 0; bits &= bits - 1) out_.newest_for[static_cast<std::size_t>(__builtin_ctz(bits))] = at;
        break;
    }
    case kind::retained: retained_row(t, at); break;
    case kind::session: {
        auto const& s = decoder_.session();
        saw_session(s.number());
        if (s.dropped()) live_.drop_session(s.number(), at);
        else live_.put_session(s.number(), at);
        break;
    }
    case kind::subscription: {
        auto const& s = decoder_.subscription();
        auto filter = live_.names().filter({s.filter()->c_str(), s.filter()->size()});
        saw_session(s.session());
        if (s.dropped()) live_.drop_subscription(s.session(), filter, at);
        else live_.put_subscription(s.session(), filter, at);
        break;
    }
    case kind::qos2_in:
        saw_session(decoder_.qos2_in().session());
        live_.put_qos2_in(decoder_.qos2_in().session(), decoder_.qos2_in().packet_id(), at);
        break;
    }
}

void recoverer::retained_row(MDB_txn* t, lsn at) {
    auto const& r = decoder_.retained();
    if (r.message() == 0) {
        auto const* topic = r.topic();
        std::string_view name = topic ? std::string_view{topic->c_str(), topic->size()} : std::string_view{};
        return live_.clear_retained(live_.names().topic(r.tenant(), name), at);
    }
    auto key = key_of(r.message());
    auto mk = val(key);
    MDB_val value;
    // A message that is missing here was superseded and cleaned before this row had its turn; a damaged one was named.
    if (mdb_get(t, env_.log, &mk, &value) != 0) return live_.useless(at);
    auto k = message_decoder_.open(r.message(), view(value));
    if (!k || *k != kind::message) return live_.useless(at);
    auto const& m = message_decoder_.message();
    live_.hold_retained(live_.names().topic(m.tenant(), {m.topic()->c_str(), m.topic()->size()}), r.message(), at);
}

bool recoverer::load(MDB_txn* t, lsn at, kind k) {
    auto key = key_of(at);
    auto mk = val(key);
    MDB_val value;
    if (mdb_get(t, env_.log, &mk, &value) != 0) return false;
    auto opened = decoder_.open(at, view(value));
    return opened && *opened == k;
}

int recoverer::hand_out(MDB_txn* t, recovery const& r) {
    std::vector<lsn> sessions, subscriptions;
    std::vector<std::pair<lsn, std::pair<session_number, std::uint16_t>>> ids;
    live_.each_session([&](session_number n, liveness::session_entry const& e) {
        sessions.push_back(e.record);
        for (auto const& s : e.subscriptions) subscriptions.push_back(s.second);
        for (auto const& q : e.qos2_in) ids.push_back({q.second, {n, q.first}});
    });
    std::sort(sessions.begin(), sessions.end());
    std::sort(subscriptions.begin(), subscriptions.end());
    std::sort(ids.begin(), ids.end());
    if (r.on_session)
        for (auto at : sessions)
            if (load(t, at, kind::session)) r.on_session(decoder_.make_session());
    if (r.on_subscription)
        for (auto at : subscriptions)
            if (load(t, at, kind::subscription)) r.on_subscription(decoder_.make_subscription());
    if (r.on_qos2_in)
        for (auto const& [at, id] : ids) r.on_qos2_in(id.first, id.second);
    return 0;
}

int recoverer::scan_references(MDB_txn* t, recovery const& r) {
    cursor refs{t, env_.ref}, log{t, env_.log};
    if (refs.opened() != 0 || log.opened() != 0) return refs.opened() != 0 ? refs.opened() : log.opened();
    MDB_val key, value;
    int rc = refs.seek(key, value, MDB_FIRST);
    for (; rc == 0; rc = refs.seek(key, value, MDB_NEXT)) {
        if (key.mv_size == sizeof(ref_key)) reference_row(log, key, value, r);
        else damaged("data.mdb: a ref key of " + std::to_string(key.mv_size) + " bytes");
    }
    return rc == MDB_NOTFOUND ? 0 : rc;
}

void recoverer::reference_row(cursor& log, MDB_val const& key, MDB_val const& value, recovery const& r) {
    auto at = get_be64(key.mv_data);
    auto session = get_be32(static_cast<std::uint8_t*>(key.mv_data) + 8);
    if (at != message_at_) {
        auto lk = key_of(message_at_ = at);
        auto mk = val(lk);
        MDB_val row;
        message_good_ = log.seek(mk, row, MDB_SET) == 0;
        if (message_good_) {
            auto k = decoder_.open(at, view(row));   // damaged ones were named by scan_log
            message_good_ = k && *k == kind::message;
        }
        if (message_good_) {
            auto const* payload = decoder_.message().payload();
            message_payload_ = payload ? payload->size() : 0;
            message_expires_ = decoder_.message().expires_at_ms();
        }
    }
    auto d = record::delivery::unpack(view(value), view(key));
    if (!d) {
        damaged("data.mdb: ref record " + std::to_string(at) + " of session " + std::to_string(session) + ": checksum does not match");
        return live_.orphan(at, session);
    }
    if (!message_good_ || !live_.has_session(session)) return live_.orphan(at, session);
    live_.refer(at, session);
    if (!r.on_reference) return;
    reference ref{.session = session, .qos = d->qos, .subscription_id = d->subscription_id, .retain = d->retain};
    r.on_reference(at, ref, d->state, d->packet_id, message_payload_, message_expires_);
}

}
