#include "tools/migrate/import_db.hpp"

#include "acl/pattern.hpp"
#include "broker/codec/properties.hpp"
#include "broker/codec/reader.hpp"
#include "broker/codec/topic.hpp"
#include "broker/codec/writer.hpp"

#include <algorithm>
#include <condition_variable>
#include <fmt/core.h>
#include <mutex>
#include <unordered_map>

namespace airmail::migrate {
namespace {

using storage::delivery_state;

/// Mosquitto's states of a message on its way to a client.
enum state : std::uint8_t { wait_for_puback = 3, wait_for_pubrec = 5, resend_pubrel = 6, wait_for_pubcomp = 9, queued = 11 };

delivery_state state_of(client_message const& m) {
    if (m.state == wait_for_puback || m.state == wait_for_pubrec) return delivery_state::sent;
    if (m.state == resend_pubrel || m.state == wait_for_pubcomp) return delivery_state::received;
    return delivery_state::queued;
}

class importer {
public:
    importer(mosquitto_db const& db, storage::store& into, std::int64_t wall_s, report& say) : db_{db}, store_{into}, wall_s_{wall_s}, say_{say} {}

    bool run(std::string& why) {
        clients();
        subscriptions();
        messages();
        if (!wait()) return why = "the store refused: " + failure_.message(), false;
        return true;
    }
    imported done;

private:
    /// Submits, at most a few thousand at once: the store's queue is bounded.
    void submit(storage::change c, std::function<void(storage::lsn)> then = {}) {
        std::unique_lock hold{lock_};
        quiet_.wait(hold, [this] { return under_way_ < 4096; });
        ++under_way_;
        hold.unlock();
        store_.submit(std::move(c), [this, then = std::move(then)](boost::system::error_code ec, storage::lsn at) {
            if (!ec && then) then(at);
            std::lock_guard done_one{lock_};
            if (ec) failure_ = ec;
            --under_way_;
            quiet_.notify_all();
        });
    }
    bool wait() {
        std::unique_lock hold{lock_};
        quiet_.wait(hold, [this] { return under_way_ == 0; });
        return !failure_;
    }

    void clients() {
        for (auto const& c : db_.clients) {
            bool const never = c.expiry_s == 0xFFFFFFFF;
            std::int64_t const left = never || c.session_ends_at == 0 ? c.expiry_s : c.session_ends_at - wall_s_;
            if (c.expiry_s == 0 || (!never && left <= 0)) {
                ++done.expired;
                continue;
            }
            storage::session_record r;
            r.number = store_.new_session_number();
            r.identity = c.user, r.client_id = c.id;
            r.expiry_s = c.expiry_s;
            r.listener = c.listener;
            r.protocol = 4;   // the client's next CONNECT says which it is
            r.disconnected_at_ms = std::max<std::int64_t>(1, store_.now_ms() - (never ? 0 : (c.expiry_s - left) * 1000));
            numbers_[c.id] = r.number;
            submit(storage::put_session{std::move(r)});
            ++done.sessions;
        }
    }
    void subscriptions() {
        for (auto const& s : db_.subscriptions) {
            auto const at = numbers_.find(s.client);
            if (at == numbers_.end()) continue;
            if (!codec::split_filter(s.filter)) {
                say_.changed(s.client, "its subscription \"" + s.filter + "\" is no valid filter and is left out");
                continue;
            }
            submit(storage::put_subscription{{at->second, s.filter, static_cast<std::uint8_t>(s.qos | (s.options & 0x3C)), s.id}});
            ++done.subscriptions;
        }
    }
    storage::message_ptr body(stored_message const& m, bool retain) {
        bytes scratch;
        storage::message_fields f;
        f.qos = m.qos, f.retain = retain;
        f.topic = m.topic, f.payload = m.payload;
        f.received_at_ms = store_.now_ms();
        if (m.expires_at) f.expires_at_ms = store_.now_ms() + (m.expires_at - wall_s_) * 1000;
        f.identity = m.source_user, f.client_id = m.source_id;
        // What a broker forwards, if it reads well; message expiry travels in expires_at.
        bytes block;
        codec::writer w{block};
        w.varint(static_cast<std::uint32_t>(m.properties.size()));
        block.insert(block.end(), m.properties.begin(), m.properties.end());
        codec::reader in{block};
        codec::properties known;
        auto const raw = codec::read_properties(in, known, codec::allowed::publish);
        if (in.ok()) f.properties = codec::forwardable_properties(raw, known.present, scratch);
        else say_.changed(m.topic, "the properties of one of its messages cannot be read and are left out");
        return storage::message::make(f);
    }
    void messages() {
        std::unordered_map<std::uint64_t, std::vector<client_message const*>> owed;
        for (auto const& c : db_.client_messages) owed[c.message].push_back(&c);
        std::unordered_map<std::uint64_t, bool> retained;
        for (auto const id : db_.retained) retained[id] = true;
        std::vector<stored_message const*> order;
        for (auto const& m : db_.messages) order.push_back(&m);
        std::sort(order.begin(), order.end(), [](auto const* a, auto const* b) { return a->id < b->id; });
        for (auto const* m : order) {
            if (m->expires_at && m->expires_at <= wall_s_) continue;
            one(*m, owed[m->id], retained[m->id]);
        }
    }
    void one(stored_message const& m, std::vector<client_message const*> const& owed, bool retained) {
        storage::put_message change;
        std::vector<client_message const*> again;   // two copies for one session: the second needs a record of its own
        std::vector<std::pair<storage::session_number, client_message const*>> states;
        for (auto const* c : owed) {
            auto const at = numbers_.find(c->client);
            if (at == numbers_.end()) continue;
            if (c->incoming) {
                incoming(m, *c, at->second);
                continue;
            }
            if (c->qos == 0) {
                say_.changed(c->client, "a QoS 0 message that waited for it is left out: QoS 0 is not kept on disk");
                continue;
            }
            bool const twice = std::any_of(change.references.begin(), change.references.end(), [&](auto const& r) { return r.session == at->second; });
            if (twice) {
                again.push_back(c);
                continue;
            }
            change.references.push_back({at->second, c->qos, c->subscription_id, c->retain});
            ++done.waiting;
            if (state_of(*c) != delivery_state::queued) states.emplace_back(at->second, c);
        }
        change.retain_set = retained && !m.payload.empty();
        if (change.retain_set) ++done.retained;
        if (change.retain_set || !change.references.empty()) {
            change.body = body(m, change.retain_set);
            submit(std::move(change), [this, states](storage::lsn at) {
                std::lock_guard hold{later_lock_};
                for (auto const& [session, c] : states) later_.push_back({at, session, state_of(*c), c->packet_id});
            });
        }
        if (!again.empty()) one(m, again, false);
        if (!states.empty()) advance();
    }
    /// A QoS 2 message that its publisher has not released: Mosquitto routes it at PUBREL, we at PUBLISH. So it is routed now,
    /// and its id is remembered until the PUBREL comes.
    void incoming(stored_message const& m, client_message const& c, storage::session_number from) {
        storage::put_message change;
        for (auto const& s : db_.subscriptions) {
            auto const at = numbers_.find(s.client);
            auto const parts = codec::split_filter(s.filter);
            auto const qos = std::min<std::uint8_t>(s.qos, m.qos);
            if (at == numbers_.end() || !parts || parts->shared() || qos == 0 || !acl::matches(parts->filter, m.topic, {{}, {}, true})) continue;
            if (std::any_of(change.references.begin(), change.references.end(), [&](auto const& r) { return r.session == at->second; })) continue;
            change.references.push_back({at->second, qos, s.id, false});
        }
        change.retain_set = m.retain && !m.payload.empty();
        change.qos2_in = std::pair{from, c.packet_id};
        change.body = body(m, m.retain);
        submit(std::move(change));
        say_.changed(c.client, fmt::format("its QoS 2 message {} to \"{}\" was waiting for PUBREL; it is delivered now, once", c.packet_id, m.topic));
    }
    /// What is in flight goes on with its packet id.
    void advance() {
        wait();
        std::lock_guard hold{later_lock_};
        for (auto& a : later_) submit(std::move(a));
        later_.clear();
    }

    mosquitto_db const& db_;
    storage::store& store_;
    std::int64_t wall_s_;
    report& say_;
    std::unordered_map<std::string, storage::session_number> numbers_;
    std::mutex lock_, later_lock_;
    std::condition_variable quiet_;
    std::size_t under_way_ = 0;
    boost::system::error_code failure_;
    std::vector<storage::advance> later_;
};

}

std::optional<imported> import_db(mosquitto_db const& db, storage::store& into, std::int64_t wall_s, report& say, std::string& why) {
    importer i{db, into, wall_s, say};
    if (!i.run(why)) return std::nullopt;
    if (!db.clean_shutdown) say.changed("mosquitto.db", "Mosquitto was not stopped cleanly: what it had not saved yet is not in the file");
    if (db.unknown_chunks) say.changed("mosquitto.db", std::to_string(db.unknown_chunks) + " chunks of unknown types are left out");
    return i.done;
}

}
