#include "tools/crashtest/laboratory.hpp"

#include "tools/client/blocking_client.hpp"
#include "tools/crashtest/cast.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <random>
#include <set>

namespace airmail::crashtest {

namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// Owned by: run().
class laboratory {
public:
    laboratory(victim& broker, plan const& p) : broker_(broker), plan_(p), dice_(p.seed), written_(static_cast<std::size_t>(p.writers)) {
        for (unsigned w = 0; w < written_.size(); ++w) writers_.push_back(std::make_unique<writer>(io_, w, p.window, written_[w]));
    }

    verdict run() {
        if (!starts()) return out_;
        first_day();
        for (round_ = 0; round_ < plan_.rounds && out_.failed_starts == 0; ++round_) {
            if (plan_.progress) plan_.progress(round_);
            day();
            crash();
            if (!starts()) break;
            morning_after();
            ++out_.rounds;
        }
        if (out_.failed_starts == 0) last_day();
        for (auto const& w : written_) out_.published += static_cast<std::uint64_t>(w.size()), out_.acknowledged += w.count();
        return out_;
    }

private:
    /// Lets the clients live until `done`. @return whether it became true in time
    template <class Done> bool live_until(Done done, milliseconds patience) {
        auto const deadline = clock::now() + patience;
        while (!done()) {
            if (clock::now() > deadline) return false;
            io_.restart();
            io_.run_for(milliseconds(2));
        }
        return true;
    }
    milliseconds some(milliseconds least, milliseconds most) { return milliseconds(std::uniform_int_distribution<std::int64_t>(least.count(), most.count())(dice_)); }

    bool starts() {
        auto const began = clock::now();
        auto const why = broker_.start();
        out_.slowest_start_ms = std::max<std::int64_t>(out_.slowest_start_ms, std::chrono::duration_cast<milliseconds>(clock::now() - began).count());
        if (why.empty()) return true;
        ++out_.failed_starts;
        out_.note("it does not start: " + why);
        return false;
    }
    void arrive(actor& a) {
        if (a.gone()) a.connect(broker_.way_in(a.id()));
    }

    /// The readers subscribe; one of them leaves, and everything is owed to it from now on.
    void first_day() {
        for (auto* r : {&here_, &away_}) arrive(*r);
        if (!live_until([&] { return here_.subscribed() && away_.subscribed(); }, plan_.patience)) out_.failed_starts = 1, out_.note("nobody could subscribe");
        away_.leave();
        live_until([&] { return away_.gone(); }, plan_.patience);
    }

    void everybody(bool with_away) {
        std::vector<actor*> all{&here_, &keeper_};
        for (auto& w : writers_) all.push_back(w.get());
        if (with_away) all.push_back(&away_);
        for (auto* a : all) arrive(*a);
        bool const came = live_until([&] { return std::all_of(all.begin(), all.end(), [](auto* a) { return a->ready(); }); }, plan_.patience);
        if (!came) ++out_.failed_starts, out_.note("a client could not come back");
        for (auto* a : all) {
            if (known_.contains(a->id()) && a->ready() && !a->present()) ++out_.sessions_lost, out_.note("session of " + a->id() + " is gone");
            if (a->ready()) known_.insert(a->id());
        }
    }

    void day() {
        everybody(round_ % 5 == 4);
        for (int i = 0; i < 3; ++i) {
            auto& n = newcomers_.emplace_back(std::make_unique<newcomer>(io_, fmt::format("crash-new-{}-{}", round_, i)));
            n->filter = fmt::format("new/{}/{}", round_, i);
            arrive(*n);
        }
        mortal_ = std::make_unique<newcomer>(io_, fmt::format("crash-will-{}", round_));
        auto o = broker_.way_in(mortal_->id());
        auto const topic = fmt::format("crash/will/{}", round_), words = std::to_string(round_);
        o.will = client::publication{.topic = topic, .payload = words, .qos = 2};
        mortal_->connect(o);
        auto const until = clock::now() + some(milliseconds(20), plan_.load_most);
        live_until([&] { return clock::now() >= until; }, plan_.load_most);
    }

    void crash() {
        broker_.kill();
        if (mortal_->ready()) wills_.push_back(round_);
        // Everything the dead broker had written is read to its end first: an acknowledgement that was sent counts.
        live_until([&] {
            bool quiet = here_.gone() && keeper_.gone() && away_.gone() && mortal_->gone();
            for (auto& w : writers_) quiet = quiet && w->gone();
            for (auto& n : newcomers_) quiet = quiet && n->gone();
            return quiet;
        }, plan_.patience);
        if (mortal_->ready() && (wills_.empty() || wills_.back() != round_)) wills_.push_back(round_);
        for (int i = 0; i < plan_.kills_in_recovery; ++i) {
            broker_.launch();
            io_.restart();
            auto const until = clock::now() + some(milliseconds(0), plan_.recovery_most);
            live_until([&] { return clock::now() >= until; }, plan_.recovery_most);
            broker_.kill();
            ++out_.kills_in_recovery;
        }
    }

    /// What was made in the night must be there: sessions with their subscriptions, retained topics.
    void morning_after() {
        look_at_retained();
        client::blocking_client speaker{plan_.patience};
        (void)speaker.connect(once("crash-speaker"));
        for (auto& n : newcomers_) {
            if (!n->ready()) continue;
            client::blocking_client back{plan_.patience};
            auto o = broker_.way_in(n->id());
            o.client_id = n->id(), o.clean_start = false, o.session_expiry = 1;
            auto hello = back.connect(o);
            if (!hello || !hello->session_present) {
                ++out_.sessions_lost, out_.note("session of " + n->id() + " is gone");
                continue;
            }
            if (n->subscribed) {
                (void)speaker.publish({.topic = n->filter, .payload = "are you there", .qos = 1});
                auto m = back.receive(std::min(plan_.patience, milliseconds(10'000)));
                if (!m || m->topic != n->filter) ++out_.subscriptions_lost, out_.note("subscription of " + n->id() + " is gone");
            }
            (void)back.disconnect();
        }
        newcomers_.clear();
    }

    client::connect_options once(std::string const& id) {
        auto o = broker_.way_in(id);
        o.client_id = id, o.clean_start = true, o.session_expiry = 0;
        return o;
    }

    void look_at_retained() {
        client::blocking_client probe{plan_.patience};
        if (!probe.connect(once("crash-probe"))) return void(++out_.failed_starts);
        std::map<std::string, int> found;
        std::size_t owed = 0;
        for (auto const& [topic, b] : keeper_.topics) owed += b.open == 0 && !b.cleared;
        (void)probe.subscribe("kept/#", 1);
        auto have = [&] {
            std::size_t n = 0;
            for (auto const& [topic, b] : keeper_.topics) n += b.open == 0 && !b.cleared && found.contains(topic);
            return n;
        };
        // What is owed is waited for; then a moment more, for what should not be there.
        for (;;) {
            auto m = probe.receive(have() < owed ? std::min(plan_.patience, milliseconds(10'000)) : milliseconds(30));
            if (!m) break;
            found[m->topic] = std::atoi(m->payload.c_str());
        }
        for (auto const& [topic, b] : keeper_.topics)
            if (!b.may_be(found[topic])) {
                ++out_.retained_wrong;
                out_.note(fmt::format("{} holds {}, acknowledged was {}{}, open {}", topic, found[topic], b.settled, b.cleared ? " (cleared)" : "", b.open));
            }
    }

    /// Nobody is killed any more: every acknowledgement comes, and everything owed.
    void last_day() {
        for (auto& w : writers_) w->finish();
        keeper_.finish();
        everybody(true);
        bool const settled = live_until([&] {
            return keeper_.settled() && std::all_of(writers_.begin(), writers_.end(), [](auto& w) { return w->settled(); });
        }, plan_.patience);
        if (!settled) out_.note("not everything that was published was answered");
        auto const all_wills = [&] { return std::all_of(wills_.begin(), wills_.end(), [&](int r) { return here_.book.has_will(r); }); };
        auto const complete = [&] { return all_wills() && here_.book.complete(written_) && away_.book.complete(written_); };
        // After many rounds much is owed, and a machine may be slow: as long as something comes, it is waited for.
        for (auto before = ~out_.received; before != out_.received;) {
            before = out_.received;
            if (live_until(complete, plan_.patience)) break;
        }
        for (auto* r : {&here_, &away_}) r->book.missing(written_, out_);
        for (int r : wills_)
            if (!here_.book.has_will(r)) ++out_.wills_lost, out_.note(fmt::format("the will of round {} never came", r));
        look_at_retained();
    }

    victim& broker_;
    plan plan_;
    std::mt19937 dice_;
    verdict out_;
    boost::asio::io_context io_{1};
    std::vector<writer_book> written_;
    std::vector<std::unique_ptr<writer>> writers_;
    reader here_{io_, "crash-reader", out_}, away_{io_, "crash-away", out_};
    keeper keeper_{io_};
    std::vector<std::unique_ptr<newcomer>> newcomers_;
    std::unique_ptr<newcomer> mortal_;
    std::vector<int> wills_;            // rounds whose will must come
    std::set<std::string> known_;       // sessions that exist
    int round_ = 0;
};

}

verdict run(victim& broker, plan const& p) { return laboratory(broker, p).run(); }

std::string describe(verdict const& v) {
    auto text = fmt::format("rounds {} (kills in recovery {}), published {}, acknowledged {}, received {}, slowest start {} ms\n"
                            "lost {}, QoS 2 twice {}, out of order {}, sessions lost {}, subscriptions lost {}, retained wrong {}, wills lost {}, failed starts {}\n",
                            v.rounds, v.kills_in_recovery, v.published, v.acknowledged, v.received, v.slowest_start_ms, v.lost, v.twice, v.out_of_order,
                            v.sessions_lost, v.subscriptions_lost, v.retained_wrong, v.wills_lost, v.failed_starts);
    for (auto const& w : v.words) text += "  " + w + "\n";
    return text;
}

}
