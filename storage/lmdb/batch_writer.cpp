#include "storage/lmdb/batch_writer.hpp"

#include "storage/liveness.hpp"

namespace airmail::storage::lmdb {

using record::kind;

batch_writer::batch_writer(environment const& e, MDB_txn* t, record::encoder& enc, lsn& next)
    : env_(e), txn_(t), enc_(enc), next_(next), log_(t, e.log), refs_(t, e.ref), ref_(t, e.ref) {}

int batch_writer::append_at(lsn at, kind k, record::byte_view body) {
    auto key = key_of(at);
    auto mk = val(key);
    MDB_val value{record::head_bytes + body.size(), nullptr};
    int rc = mdb_cursor_put(log_.get(), &mk, &value, MDB_APPEND | MDB_RESERVE);
    if (rc == 0) record::seal(static_cast<std::uint8_t*>(value.mv_data), at, k, body);
    return rc;
}

int batch_writer::put_references(put_message const& c, lsn at) {
    for (auto const& r : c.references) {   // sorted by session, so the whole table only grows at its end
        auto key = key_of(at, r.session);
        auto mk = val(key);
        std::array<std::uint8_t, record::delivery::bytes> value;
        record::delivery{.qos = r.qos, .retain = r.retain, .subscription_id = r.subscription_id}.pack(value.data(), key);
        auto mv = val(value);
        if (int rc = mdb_cursor_put(refs_.get(), &mk, &mv, MDB_APPEND); rc != 0) return rc;
    }
    return 0;
}

/// One change each; returns LMDB's code.
struct change_putter {
    batch_writer& w;
    placed& out;

    int operator()(put_message const& c) const {
        out.at = w.next_;
        auto rows = message_rows::of(c, w.next_);
        w.next_ = rows.after;
        int rc = 0;
        if (rows.body != 0) {
            rc = w.append_at(rows.body, kind::message, w.enc_.message(*c.body, c.consumers));
            if (rc == 0) rc = w.put_references(c, rows.body);
        }
        if (rc == 0 && rows.retained != 0)
            rc = w.append_at(rows.retained, kind::retained,
                             c.retain_clear ? w.enc_.retained_cleared(c.body->tenant(), c.body->topic()) : w.enc_.retained(rows.body));
        if (rc == 0 && rows.qos2_in != 0)
            rc = w.append_at(rows.qos2_in, kind::qos2_in, w.enc_.qos2_in(c.qos2_in->first, c.qos2_in->second));
        return rc;
    }

    /// Finds a reference; the cursor stands on it. 0 and out.found, or 0 and not found.
    int find(lsn message, session_number session, MDB_val& value) const {
        auto key = key_of(message, session);
        auto mk = val(key);
        int rc = w.ref_.seek(mk, value, MDB_SET);
        out.found = rc == 0;
        return rc == MDB_NOTFOUND ? 0 : rc;
    }
    int operator()(storage::settle const& c) const {
        MDB_val value;
        int rc = find(c.message, c.session, value);
        return rc == 0 && out.found ? mdb_cursor_del(w.ref_.get(), 0) : rc;
    }
    int operator()(advance const& c) const {
        MDB_val old;
        int rc = find(c.message, c.session, old);
        if (rc != 0 || !out.found) return rc;
        auto key = key_of(c.message, c.session);
        auto d = record::delivery::unpack(view(old), key);
        if (!d) return out.found = false, 0;   // damaged: named at the next start, and nothing is built on it
        d->state = c.state;
        d->packet_id = c.packet_id;
        std::array<std::uint8_t, record::delivery::bytes> value;
        d->pack(value.data(), key);
        auto mk = val(key);
        auto mv = val(value);
        return mdb_cursor_put(w.ref_.get(), &mk, &mv, MDB_CURRENT);
    }

    /// Taken out with the next transaction: a PUBREL that is replayed after a crash does no harm. [MQTT-4.3.3-11]
    int operator()(storage::forget_qos2_in const&) const { return 0; }

    int append(kind k, record::byte_view body) const { return out.at = w.next_, w.append(k, body); }
    int operator()(storage::put_session const& c) const { return append(kind::session, w.enc_.session(c.record)); }
    int operator()(storage::drop_session const& c) const { return append(kind::session, w.enc_.session_dropped(c.session)); }
    int operator()(storage::put_subscription const& c) const { return append(kind::subscription, w.enc_.subscription(c.record)); }
    int operator()(storage::drop_subscription const& c) const {
        return append(kind::subscription, w.enc_.subscription_dropped(c.session, c.filter));
    }

    int operator()(put_state const& c) const {
        auto key = state_key(c.plugin, c.key);
        auto mk = val(key);
        if (c.value.empty()) {
            int rc = mdb_del(w.txn_, w.env_.slot, &mk, nullptr);
            return rc == MDB_NOTFOUND ? 0 : rc;
        }
        MDB_val value{state_head_bytes + c.value.size(), nullptr};
        int rc = mdb_put(w.txn_, w.env_.slot, &mk, &value, MDB_RESERVE);
        if (rc == 0) seal_state(static_cast<std::uint8_t*>(value.mv_data), key, c.value);
        return rc;
    }
};

int batch_writer::put(change const& c, placed& out) {
    out = {};
    return std::visit(change_putter{*this, out}, c);
}

}
