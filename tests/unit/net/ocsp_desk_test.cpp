#include "broker/net/ocsp_desk.hpp"

#include "tests/unit/net/test_ca.hpp"

#include <doctest/doctest.h>
#include <future>

using namespace airmail;
using namespace airmail::net;
using namespace std::chrono_literals;
using word = ocsp_desk::word;

namespace {

/// A desk whose authority is a function of the test, on a clock of the test's.
struct desk_rig {
    explicit desk_rig(std::size_t entries = 1000)
        : desk{{.entries = entries, .threads = 2,
                .ask = [this](auto const&, auto const&, auto, bool) -> acl::ocsp_result<acl::ocsp_answer> {
                    ++asked;
                    std::unique_lock hold{lock};
                    open_changed.wait(hold, [this] { return open; });
                    return answer;
                },
                .now = [this] { return ocsp_desk::instant{} + std::chrono::milliseconds(now_ms.load()); }},
               [this] { revoked.set_value(); }} {}
    ocsp_desk::question_ptr about(char const* name) {
        auto const c = ca.issue(name);
        return acl::ocsp_question::about(c.certificate.get(), ca.certificate());
    }
    /// Asks and waits for the word.
    word ask(ocsp_desk::question_ptr const& q, standing_ptr& who) {
        auto told = std::make_shared<std::promise<word>>();
        auto later = told->get_future();
        auto const now = desk.ask(q, rules, who, [told](word w) { told->set_value(w); });
        return now ? *now : later.get();
    }
    void shut(bool on) {
        { std::lock_guard hold{lock}; open = !on; }
        open_changed.notify_all();
    }
    void say(acl::ocsp_result<acl::ocsp_answer> a) {
        std::lock_guard hold{lock};
        answer = std::move(a);
    }
    void pass(std::chrono::milliseconds t) { now_ms += t.count(), desk.wake(); }

    test::test_ca ca;
    ocsp_rules_ptr rules = std::make_shared<ocsp_rules>(ocsp_rules{.policy = ocsp_policy::hard, .responder = "http://authority.test/"});
    std::mutex lock;
    std::condition_variable open_changed;
    bool open = true;
    acl::ocsp_result<acl::ocsp_answer> answer = acl::ocsp_answer{.is = acl::ocsp_answer::verdict::good};
    std::atomic<int> asked{0};
    std::atomic<std::int64_t> now_ms{1'000'000};
    std::promise<void> revoked;
    ocsp_desk desk;   // last: its threads look at the above
};

}

TEST_CASE("many who wait for one certificate cause one question, and all hear the answer") {
    desk_rig r;
    auto const q = r.about("dev-1");
    r.shut(true);
    std::vector<std::future<word>> all;
    for (int i = 0; i < 50; ++i) {
        auto told = std::make_shared<std::promise<word>>();
        all.push_back(told->get_future());
        standing_ptr who;
        CHECK_FALSE(r.desk.ask(q, r.rules, who, [told](word w) { told->set_value(w); }));
    }
    r.shut(false);
    for (auto& f : all) CHECK(f.get() == word::good);
    CHECK(r.asked == 1);
    standing_ptr who;
    CHECK(r.ask(q, who) == word::good);   // known now
    CHECK(r.asked == 1);
}

TEST_CASE("the table has a bound; who is connected is not forgotten for it") {
    desk_rig r{10};
    std::vector<standing_ptr> connected(5);
    std::vector<ocsp_desk::question_ptr> theirs;
    for (auto& who : connected) theirs.push_back(r.about("connected")), r.ask(theirs.back(), who);
    for (int i = 0; i < 40; ++i) {
        standing_ptr gone;
        r.ask(r.about("passing"), gone);
    }
    CHECK(r.desk.entries() <= 11);   // one may be on its way while the next is asked about
    int const before = r.asked;
    for (std::size_t i = 0; i < theirs.size(); ++i) {
        standing_ptr who;
        CHECK(r.ask(theirs[i], who) == word::good);
        CHECK(who == connected[i]);
    }
    CHECK(r.asked == before);
}

TEST_CASE("whoever is connected is asked about again in time; silence changes nothing, revoked is told") {
    desk_rig r;
    standing_ptr who;
    CHECK(r.ask(r.about("dev-1"), who) == word::good);
    r.say(acl::ocsp_failure{"nobody there", false});
    r.pass(2h);
    CHECK(r.revoked.get_future().wait_for(0s) == std::future_status::timeout);
    r.revoked = {};
    CHECK_FALSE(who->revoked());
    r.say(acl::ocsp_answer{.is = acl::ocsp_answer::verdict::revoked});
    auto heard = r.revoked.get_future();
    // The first question of these hours may have met either answer; the next one is asked when the pause is over.
    for (int i = 0; i < 10 && heard.wait_for(100ms) != std::future_status::ready; ++i) r.pass(2h);
    CHECK(heard.wait_for(0s) == std::future_status::ready);
    CHECK(who->revoked());
}

TEST_CASE("a responder that does not answer is left alone for a while, and asked again after it") {
    desk_rig r;
    r.say(acl::ocsp_failure{"nobody there", false});
    standing_ptr who;
    CHECK(r.ask(r.about("dev-1"), who) == word::silent);
    for (int i = 0; i < 20; ++i) CHECK(r.ask(r.about("dev-2"), who) == word::silent);
    CHECK(r.asked == 1);
    r.say(acl::ocsp_answer{.is = acl::ocsp_answer::verdict::good});
    r.pass(6s);
    CHECK(r.ask(r.about("dev-3"), who) == word::good);
}
