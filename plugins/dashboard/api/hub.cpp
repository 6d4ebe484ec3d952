#include "plugins/dashboard/api/hub.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

namespace airmail::dashboard {

namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t subscriptions_max = 10'000, per_socket_max = 50, unsent_max = 256 * 1024;
constexpr auto look_every = 250ms;
constexpr std::int64_t stuck_after_ms = 30'000, tick_ms = 1000;

}

hub::hub(engine& e, std::string directory, std::function<std::int64_t()> wall_ms) : engine_(e), directory_(std::move(directory)), wall_ms_(std::move(wall_ms)), bell_(plugins::bell::of(directory_)) {}

hub::~hub() { stop(); }

void hub::start() {
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), "airmail-push");
        ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 5);      // people wait for devices, not devices for people
        run();
    });
}

void hub::stop() {
    stop_ = true;
    bell_->listen(true), bell_->ring();
    if (thread_.joinable()) thread_.join();
    std::lock_guard hold(lock_);
    all_.clear();
}

bool hub::add(std::shared_ptr<subscription> s) {
    {
        std::lock_guard hold(lock_);
        auto mine = std::count_if(all_.begin(), all_.end(), [&](auto const& x) { return x->socket == s->socket; });
        if (all_.size() >= subscriptions_max || static_cast<std::size_t>(mine) >= per_socket_max) return false;
        all_.push_back(std::move(s));
    }
    bell_->listen(true), fresh_ = true, bell_->ring();
    return true;
}

void hub::remove(std::uint64_t socket, std::string const& id) {
    std::lock_guard hold(lock_);
    std::erase_if(all_, [&](auto const& s) { return s->socket == socket && s->id == id; });
    bell_->listen(!all_.empty());
}

void hub::remove_all(std::uint64_t socket) {
    std::lock_guard hold(lock_);
    std::erase_if(all_, [&](auto const& s) { return s->socket == socket; });
    bell_->listen(!all_.empty());
}

std::size_t hub::size() const {
    std::lock_guard hold(lock_);
    return all_.size();
}

void hub::run() {
    reader db(directory_ + "/registry.db", wall_ms_);
    auto looked = std::chrono::steady_clock::time_point{};
    while (!stop_) {
        bell_->wait_for(size() ? 1000ms : 60'000ms);
        if (stop_) return;
        // A newcomer is answered at once; everything else waits for its quarter of a second.
        if (!fresh_.exchange(false))
            if (auto rest = looked + look_every - std::chrono::steady_clock::now(); rest > 0ms) std::this_thread::sleep_for(rest);
        looked = std::chrono::steady_clock::now();
        try {
            look(db);
        } catch (std::exception const& e) { engine_.common().house.log(3, std::string{"subscriptions: "} + e.what()); }
    }
}

void hub::look(reader& db) {
    std::vector<std::shared_ptr<subscription>> now;
    {
        std::lock_guard hold(lock_);
        now = all_;
    }
    auto const at = wall_ms_();
    for (auto& s : now) {
        if (stop_) return;
        if (s->to->unsent() > unsent_max) {
            ++passed_over_;
            if (s->stuck_since_ms == 0) s->stuck_since_ms = at;
            else if (at - s->stuck_since_ms > stuck_after_ms) ++cut_, s->to->close(1013, "this subscriber reads too slowly");
            continue;
        }
        s->stuck_since_ms = 0;
        try {
            serve(*s, db);
        } catch (sdk::error const& e) { engine_.common().house.log(2, std::string{"subscriptions: "} + e.what()); }
    }
}

void hub::serve(subscription& s, reader& db) {
    resolvers house(engine_.common(), db, s.who, s.id, s.peer);
    auto changed = [&](std::string const& object, std::string version) {
        auto& last = s.sent[object];
        if (last == version) return false;
        last = std::move(version);
        return true;
    };
    auto const& field = s.what.name;
    if (s.sent.size() > 5000) s.sent.clear();          // what is forgotten may be told once more
    if (field == "deviceUpdated" || field == "devicesUpdated") {
        for (auto const& id : s.ids) {
            auto d = house.device(id);
            if (d.is_null()) continue;
            // What a page shows of a device also comes from its newest update.
            auto newest = db.object("SELECT rowid, updated_at, stage, progress FROM campaign_devices WHERE serial_no = ? ORDER BY rowid DESC LIMIT 1", {text_of(d, "serial_no")}, {"n", "at", "stage", "progress"});
            if (changed(id, json::serialize(d) + json::serialize(newest))) push(s, db, std::move(d));
        }
    } else if (field == "campaignProgress") {
        auto c = house.campaign(s.ids.at(0));
        if (!c.is_null() && changed(s.ids[0], json::serialize(c))) push(s, db, std::move(c));
    } else if (field == "campaignsChanged") {
        bool const first = s.sent.empty();
        s.sent[""] = "x";
        for (auto const& r : db.sql("SELECT campaign_id, updated_at, seq, n_finished, n_in_flight FROM campaigns WHERE status = 'active' OR updated_at > ? LIMIT 1000", {wall_ms_() - 10'000})) {
            auto const& id = std::get<std::string>(r[0]);
            auto n = [&](std::size_t i) { return std::to_string(std::get<std::int64_t>(r[i])) + " "; };
            if (changed(id, n(1) + n(2) + n(3) + n(4)) && !first) push(s, db, house.campaign(id));
        }
    } else if (field == "alertRaised") {
        bool const first = s.sent.empty();
        s.sent[""] = "x";
        for (auto const& r : db.sql("SELECT alert_id, last_at, count, acknowledged_at FROM alerts WHERE alert_id > (SELECT coalesce(max(alert_id), 0) - 1000 FROM alerts) AND last_at >= ?1", {s.last_alert})) {
            auto id = std::get<std::int64_t>(r[0]);
            s.last_alert = std::max(s.last_alert, std::get<std::int64_t>(r[1]));
            if (changed(std::to_string(id), std::to_string(std::get<std::int64_t>(r[1])) + " " + std::to_string(std::get<std::int64_t>(r[2]))) && !first) push(s, db, house.alert(id));
        }
    } else if (auto now = wall_ms_(); now - s.ticked_ms >= tick_ms - 50) s.ticked_ms = now, push(s, db, house.overview());
}

void hub::push(subscription& s, reader& db, json::value v) {
    resolvers house(engine_.common(), db, s.who, s.id, s.peer);
    house.event(std::move(v));
    auto r = engine_.execute(s.what, house);
    s.to->send(json::serialize(json::object{{"id", s.id}, {"type", "next"}, {"payload", std::move(r.body)}}));
    pushed_.fetch_add(1, std::memory_order_relaxed);
}

std::string hub::exposition() const {
    auto metric = [](char const* name, char const* kind, char const* help, std::uint64_t v) {
        return std::string{"# HELP "} + name + " " + help + "\n# TYPE " + name + " " + kind + "\n" + name + " " + std::to_string(v) + "\n";
    };
    return metric("airmail_dashboard_subscriptions", "gauge", "Open GraphQL subscriptions.", size()) +
           metric("airmail_dashboard_pushed_total", "counter", "States pushed to subscribers.", pushed_.load()) +
           metric("airmail_dashboard_passed_over_total", "counter", "Times a subscriber that reads slowly was passed over.", passed_over_.load()) +
           metric("airmail_dashboard_slow_cut_total", "counter", "Subscribers cut because they stood still.", cut_.load());
}

}
