// No broker needed: the bench is a pretend one (plugins/sdk/testing.hpp).
#include "@NAME@.cpp"

#include <plugins/sdk/testing.hpp>

#include <cstdio>

#define EXPECT(what) \
    if (!(what)) return std::printf("line %d: %s\n", __LINE__, #what), 1

int main() {
    sdk::testing::bench<@NAME@> b;
    b.message({.topic = "@NAME@/dev-1", .payload = "first", .identity = "dev-1"});
    b.message({.topic = "@NAME@/dev-1", .payload = "second", .identity = "dev-1"});
    EXPECT(b.value("SELECT count(*) FROM @NAME@_latest") == 1);
    EXPECT(b.text("SELECT payload FROM @NAME@_latest") == "second");
    EXPECT(b.published().size() == 2);
    std::puts("@NAME@: all well");
}
