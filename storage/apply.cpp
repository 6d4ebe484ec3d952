#include "storage/apply.hpp"

namespace airmail::storage {

namespace {

struct applier {
    liveness& l;
    placed p;

    void operator()(put_message const& c) const {
        auto rows = message_rows::of(c, p.at);
        if (rows.body != 0) {
            l.message_born(rows.body);
            for (auto const& r : c.references) l.refer(rows.body, r.session);
        }
        if (rows.retained != 0) {
            auto topic = l.names().topic(c.body->tenant(), c.body->topic());
            if (c.retain_clear) l.clear_retained(topic, rows.retained);
            else l.hold_retained(topic, rows.body, rows.retained);
        }
        if (c.consumers != 0) l.wanted(rows.body);
        else if (rows.body != 0) l.unheld(rows.body);
        if (rows.qos2_in != 0) l.put_qos2_in(c.qos2_in->first, c.qos2_in->second, rows.qos2_in);
    }
    void operator()(settle const& c) const {
        if (p.found) l.settle(c.message, c.session);
    }
    void operator()(advance const&) const {}
    void operator()(forget_qos2_in const& c) const { l.forget_qos2_in(c.session, c.packet_id); }
    void operator()(put_session const& c) const { l.put_session(c.record.number, p.at); }
    void operator()(drop_session const& c) const { l.drop_session(c.session, p.at); }
    void operator()(put_subscription const& c) const {
        l.put_subscription(c.record.session, l.names().filter(c.record.filter), p.at);
    }
    void operator()(drop_subscription const& c) const { l.drop_subscription(c.session, l.names().filter(c.filter), p.at); }
    void operator()(put_state const&) const {}
};

}

lsn rows_of(change const& c) {
    if (auto const* m = std::get_if<put_message>(&c)) return message_rows::of(*m, 1).after - 1;
    bool one = std::holds_alternative<put_session>(c) || std::holds_alternative<drop_session>(c) ||
               std::holds_alternative<put_subscription>(c) || std::holds_alternative<drop_subscription>(c);
    return one ? 1 : 0;
}

void apply(liveness& l, batch const& b) {
    for (std::size_t i = 0; i < b.changes.size(); ++i) std::visit(applier{l, b.out[i]}, *b.changes[i]);
}

}
