#include "broker/admin/transfers.hpp"

#include <doctest/doctest.h>
#include <optional>

using namespace airmail::admin;

TEST_CASE("revoking a token cuts every transfer that carries it, and no other") {
    transfers all;
    int cut_a = 0, cut_b = 0;
    std::optional<transfers::ticket> first;
    first.emplace(all, "cmd-a", [&] { ++cut_a, first.reset(); });  // the cut ends the transfer at once
    transfers::ticket second(all, "cmd-a", [&] { ++cut_a; });
    transfers::ticket other(all, "cmd-b", [&] { ++cut_b; });
    CHECK(all.open() == 3);
    CHECK(all.revoke("cmd-a") == 2);
    CHECK(cut_a == 2);
    CHECK(cut_b == 0);
    CHECK(all.revoke("cmd-a") == 0);
    CHECK(all.revoke("never") == 0);
    CHECK(all.open() == 2);
}

TEST_CASE("a paced transfer keeps its average rate after a short burst") {
    pacer p(1000);  // bytes a second
    CHECK(p.after(250, 0) == 0);
    std::int64_t now = 0;
    std::uint64_t sent = 250;
    while (sent < 5000) {
        now += p.after(100, now);
        sent += 100;
    }
    CHECK(now >= 4600);
    CHECK(now <= 5000);
    CHECK(pacer(0).after(1 << 30, 0) == 0);
}
