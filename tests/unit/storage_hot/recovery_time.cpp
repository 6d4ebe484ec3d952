// How long a start takes; printed, not judged (bench/storage_commit --recovery measures the full size).
#include "storage/store.hpp"
#include "rig.hpp"

using namespace airmail::storage;
using namespace airmail::storage::test;

TEST_CASE("a start with 10,000 sessions and 50,000 queued messages hands out all of them") {
    folder f;
    rig r{f.hot()};
    REQUIRE(r.open());
    ticket last = 0;
    auto submit = [&](change c) {
        if (r.one.way_in->load() > 0.9) r.one.mail.run_until([&] { return r.one.answered(last); });
        last = r.one.submit(std::move(c));
    };
    for (session_number n = 1; n <= 10'000; ++n) submit(put_session{session(n, "client-" + std::to_string(n))});
    std::string const body(200, 'x');
    for (session_number i = 0; i < 50'000; ++i) submit(to(text("devices/x/command", body), {1 + i % 10'000, 1 + (i + 5'000) % 10'000}));
    r.one.mail.run_until([&] { return r.one.answered(last); });
    r.close();
    auto begun = std::chrono::steady_clock::now();
    REQUIRE(r.open());
    MESSAGE("recovered in " << std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count() << " s");
    CHECK(r.was.sessions.size() == 10'000);
    CHECK(r.was.references.size() == 100'000);
    CHECK(std::is_sorted(r.was.order.begin(), r.was.order.end()));
}
