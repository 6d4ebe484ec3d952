#include "tools/client/inflight.hpp"

#include <doctest/doctest.h>

using airmail::client::inflight;

TEST_CASE("packet ids go round without 0, and an unanswered one is never given again [MQTT-2.2.1-3]") {
    inflight f;
    CHECK(f.add(inflight::state::sent, 1).id == 1);
    for (int i = 0; i < 65534; ++i) {
        REQUIRE(f.has_id());
        auto const id = f.add(inflight::state::sent, 1).id;
        REQUIRE(id != 0);
        REQUIRE(id != 1);
        f.erase(f.find(id));
    }
    CHECK_FALSE(f.has_id());  // id 1 is still out
    f.erase(f.find(1));
    CHECK(f.has_id());
    CHECK(f.next_id() == 1);
}

TEST_CASE("answers out of order are found") {
    inflight f;
    for (int i = 0; i < 5; ++i) f.add(inflight::state::sent, 2);
    f.erase(f.find(3));
    CHECK(f.find(3) == f.end());
    CHECK(f.find(5)->id == 5);
    CHECK(f.size() == 4);
}
