// The plugin on the bench: no broker, no socket, a real SQLite in memory.
#include "hello.cpp"

#include <plugins/sdk/testing.hpp>

#include <cstdio>

#define EXPECT(what) \
    if (!(what)) return std::printf("line %d: %s\n", __LINE__, #what), 1

int main() {
    sdk::testing::bench<hello> b{{{"word", "Moin"}}};
    b.message({.topic = "greetings/anna", .payload = "hi", .identity = "anna"});
    b.message({.topic = "greetings/anna", .payload = "hi", .identity = "anna"});
    EXPECT(b.value("SELECT times FROM greetings WHERE name = 'anna'") == 2);
    EXPECT(b.take_published().at(0).payload == "Moin, anna!");
    EXPECT(b.call("hello.times", R"({"name":"anna"})").json == R"({"name":"anna","times":2})");
    EXPECT(b.call("hello.times", R"({"name":"bert"})").status == 404);
    b.hold();
    b.message({.topic = "greetings/anna", .payload = "hi", .identity = "anna"});
    b.crash();      // not committed: given again
    EXPECT(b.value("SELECT times FROM greetings WHERE name = 'anna'") == 3);
    std::puts("hello: all well");
}
