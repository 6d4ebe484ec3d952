#include "storage/memory_journal.hpp"

#include "storage/apply.hpp"

namespace airmail::storage {

boost::system::error_code memory_journal::commit(batch& b) {
    {
        std::lock_guard l{lock_};
        clean();
        b.out.assign(b.changes.size(), {});
        for (std::size_t i = 0; i < b.changes.size(); ++i) store(*b.changes[i], b.out[i]);
    }
    apply(live_, b);
    ++vitals_.commits;
    return {};
}

void memory_journal::clean() {
    cleaned done{.doomed = live_.doomed().size(), .orphans = live_.orphans().size()};
    for (auto at : live_.doomed()) messages_.erase(at);
    for (auto const& o : live_.orphans()) references_.erase(o);
    if (live_.sweeping()) {
        for (auto at = references_.lower_bound(live_.sweep_from()); at != references_.end();) {
            if (live_.is_dying(at->second)) {
                done.references.push_back(*at);
                at = references_.erase(at);
            } else {
                ++at;
            }
        }
        done.sweep_ended = true;
    }
    vitals_.cleaned.fetch_add(done.rows(), std::memory_order_relaxed);
    live_.apply(done);
}

void memory_journal::store(change const& c, placed& out) {
    if (auto rows = rows_of(c); rows != 0) {
        out.at = next_;
        next_ += rows;
    }
    if (auto const* m = std::get_if<put_message>(&c)) {
        auto rows = message_rows::of(*m, out.at);
        if (rows.body == 0) return;
        messages_.emplace(rows.body, kept{m->body, m->consumers});
        for (auto const& r : m->references) references_.emplace(rows.body, r.session);
    } else if (auto const* s = std::get_if<settle>(&c)) {
        out.found = references_.erase({s->message, s->session}) != 0;
    } else if (auto const* p = std::get_if<put_state>(&c)) {
        if (p->value.empty()) states_.erase({p->plugin, p->key});
        else states_[{p->plugin, p->key}] = p->value;
    }
}

std::vector<message_ptr> memory_journal::fetch(std::vector<lsn> const& which) {
    std::vector<message_ptr> out;
    out.reserve(which.size());
    std::lock_guard l{lock_};
    for (auto at : which) {
        auto m = messages_.find(at);
        out.push_back(m == messages_.end() ? message_ptr{} : m->second.body);
    }
    return out;
}

std::vector<std::pair<lsn, message_ptr>> memory_journal::read(std::uint32_t consumer_bit, lsn after, std::size_t max) {
    std::vector<std::pair<lsn, message_ptr>> out;
    std::lock_guard l{lock_};
    for (auto m = messages_.upper_bound(after); m != messages_.end() && out.size() < max; ++m)
        if ((m->second.consumers >> consumer_bit & 1) != 0) out.emplace_back(m->first, m->second.body);
    return out;
}

void memory_journal::scan_state(std::uint32_t plugin, std::function<void(std::uint64_t, std::vector<std::uint8_t>)> const& f) {
    std::vector<std::pair<std::uint64_t, std::vector<std::uint8_t>>> copies;
    {
        std::lock_guard l{lock_};
        for (auto s = states_.lower_bound({plugin, 0}); s != states_.end() && s->first.first == plugin; ++s)
            copies.emplace_back(s->first.second, s->second);
    }
    for (auto& [key, value] : copies) f(key, std::move(value));
}

}
