// A file that Debian's mosquitto 2.0.11 wrote (tests/fuzz/corpus/mosquitto_db): two clients, one of v5 with a subscription
// identifier; a queued message with expiry and user property; a retained one.

#include "tools/migrate/mosquitto_db.hpp"

#include <doctest/doctest.h>
#include <fstream>
#include <sstream>

using namespace airmail::migrate;

namespace {

std::vector<std::uint8_t> file() {
    std::ifstream in(CORPUS "/two_clients.db", std::ios::binary);
    std::ostringstream all;
    all << in.rdbuf();
    auto const s = all.str();
    return {s.begin(), s.end()};
}

}

TEST_CASE("everything in a file of mosquitto is read") {
    std::string why;
    auto const db = read_mosquitto_db(file(), why);
    REQUIRE_MESSAGE(db.has_value(), why);
    CHECK(db->version == 6);
    CHECK(db->clean_shutdown);
    CHECK(db->unknown_chunks == 0);
    REQUIRE(db->clients.size() == 2);
    CHECK(db->clients[0].id == "c5");
    CHECK(db->clients[0].expiry_s == 0xFFFFFFFF);
    CHECK(db->clients[0].listener == 42883);
    CHECK(db->clients[1].id == "c3");
    CHECK(db->clients[1].user == "user3");
    REQUIRE(db->subscriptions.size() == 2);
    CHECK(db->subscriptions[0].filter == "a/#");
    CHECK(db->subscriptions[0].id == 7);
    CHECK(db->subscriptions[0].qos == 1);
    REQUIRE(db->messages.size() == 2);
    CHECK(db->messages[1].topic == "a/b");
    CHECK(std::string{db->messages[1].payload.begin(), db->messages[1].payload.end()} == "hello");
    CHECK(db->messages[1].properties == std::vector<std::uint8_t>{0x26, 0, 1, 'k', 0, 1, 'v'});
    CHECK(db->messages[1].expires_at > 1'700'000'000);
    CHECK(db->retained == std::vector<std::uint64_t>{db->messages[0].id});
    REQUIRE(db->client_messages.size() == 4);
    CHECK(db->client_messages[0].subscription_id == 7);
    CHECK(db->client_messages[0].state == 11);
    CHECK(!db->client_messages[0].incoming);
}

TEST_CASE("a file that is cut anywhere is refused with the byte where it ends, or was whole until there") {
    auto const whole = file();
    std::string why;
    std::size_t whole_prefixes = 0;
    for (std::size_t n = 0; n < whole.size(); ++n) {
        why.clear();
        if (read_mosquitto_db({whole.data(), n}, why)) ++whole_prefixes;
        else CHECK(why.starts_with("byte "));
    }
    CHECK(whole_prefixes < 14);   // between chunks
}

TEST_CASE("older formats say what to do") {
    auto old = file();
    old[22] = 4;
    std::string why;
    CHECK(!read_mosquitto_db(old, why));
    CHECK(why.find("format 4; 5 and 6 are read") != std::string::npos);
}
