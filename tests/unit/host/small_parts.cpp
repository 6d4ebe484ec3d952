#include "broker/host/message_properties.hpp"
#include "broker/host/ring.hpp"
#include "broker/host/schema.hpp"
#include "broker/host/timers.hpp"
#include "broker/host/topic_index.hpp"
#include "broker/host/waker.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <thread>

using namespace airmail::host;

TEST_CASE("the index finds what a filter matches and nothing else [MQTT-4.7.1-2] [MQTT-4.7.2-1]") {
    topic_index x;
    char const* filters[] = {"devices/+/heartbeat", "devices/{id}/status", "devices/#", "#", "+/b", "a/b", "$ota/+", "a//c"};
    for (std::uint32_t i = 0; i < std::size(filters); ++i) x.add(filters[i], i);
    auto found = [&](std::string_view topic) {
        std::vector<std::uint32_t> v;
        x.match(topic, [&](std::uint32_t n) { v.push_back(n); });
        std::sort(v.begin(), v.end());
        return v;
    };
    using v = std::vector<std::uint32_t>;
    CHECK(found("devices/1/heartbeat") == v{0, 2, 3});
    CHECK(found("devices/1/status") == v{1, 2, 3});
    CHECK(found("devices") == v{2, 3});
    CHECK(found("a/b") == v{3, 4, 5});
    CHECK(found("a//c") == v{3, 7});
    CHECK(found("$ota/x") == v{6});
    CHECK(found("$SYS/x").empty());
    CHECK(found("devices/1/heartbeat/deeper") == v{2, 3});
}

TEST_CASE("a ring is full at its bound, keeps order, and refuses without losing") {
    ring<std::unique_ptr<int>> r{4};
    for (int i = 0; i < 4; ++i) CHECK(r.push(std::make_unique<int>(i)));
    auto extra = std::make_unique<int>(9);
    CHECK_FALSE(r.push(std::move(extra)));
    CHECK(extra);
    std::unique_ptr<int> out;
    for (int i = 0; i < 4; ++i) CHECK((r.pop(out) && *out == i));
    CHECK_FALSE(r.pop(out));
}

TEST_CASE("many threads push, one reads, nothing is lost; the sleeper is woken") {
    ring<int> r{64};
    waker w;
    constexpr int each = 20'000;
    std::vector<std::thread> writers;
    for (int t = 0; t < 3; ++t)
        writers.emplace_back([&, t] {
            for (int i = 0; i < each; ++i) {
                while (!r.push(t * each + i)) std::this_thread::yield();
                w.wake();
            }
        });
    std::vector<int> last(3, -1);
    bool ordered = true;
    for (int got = 0; got < 3 * each;) {
        int v = 0;
        if (r.pop(v)) {
            ordered = ordered && v % each > last[v / each];
            last[v / each] = v % each, ++got;
            continue;
        }
        w.drowsy();
        if (r.empty()) w.sleep(1000);
        else w.stay_awake();
    }
    for (auto& t : writers) t.join();
    CHECK(ordered);
}

TEST_CASE("timers come in order of due time, replace and cancel") {
    timers t;
    for (auto [id, due] : {std::pair{1, 30}, {2, 10}, {3, 20}, {1, 5}}) CHECK(t.set({nullptr, std::uint64_t(id)}, due));
    CHECK(t.set({nullptr, 3}, -1));
    CHECK(*t.next() == 5);
    CHECK(t.take(10)->second == 1);
    CHECK(t.take(10)->second == 2);
    CHECK_FALSE(t.take(100));
}

TEST_CASE("schemas say what is wrong and where") {
    schema s{R"({"type":"object","required":["id"],"additionalProperties":false,"properties":{
        "id":{"type":"string","minLength":1,"maxLength":3},"list":{"type":"array","maxItems":2,"items":{"type":["integer","null"]}},
        "state":{"enum":["a","b"]},"ratio":{"type":"number","minimum":0}}})"};
    CHECK(s.violation(R"({"id":"abc","list":[1,null],"state":"a","ratio":0.5})") == "");
    CHECK(s.violation(R"({})") == "/id: missing");
    CHECK(s.violation(R"({"id":""})") == "/id: below 1");
    CHECK(s.violation(R"({"id":"äöü"})") == "");      // three code points
    CHECK(s.violation(R"({"id":"a","x":1})") == "/x: not allowed");
    CHECK(s.violation(R"({"id":"a","list":[1,"b"]})") == "/list/1: must be [\"integer\",\"null\"]");
    CHECK(s.violation(R"({"id":"a","list":[1,2,3]})") == "/list: above 2");
    CHECK(s.violation(R"({"id":"a","state":"c"})") == "/state: not one of [\"a\",\"b\"]");
    CHECK(s.violation(R"({"id":"a","ratio":-1})") == "/ratio: below 0");
    CHECK(s.violation("[[[[") != "");
    CHECK(schema::problem(R"({"oneOf":[]})") == "keyword \"oneOf\" is not supported");
}

TEST_CASE("properties that plugins see are read from the stored bytes [MQTT-3.3.2-4]") {
    std::vector<std::uint8_t> b{0x01, 1, 0x03, 0, 1, 'j', 0x08, 0, 2, 'r', 't', 0x09, 0, 1, 7, 0x26, 0, 1, 'k', 0, 1, 'v', 0x26, 0, 11,
                                't', 'r', 'a', 'c', 'e', 'p', 'a', 'r', 'e', 'n', 't', 0, 2, '0', '0'};
    auto p = read_message_properties(b);
    CHECK(p.content_type == "j");
    CHECK(p.response_topic == "rt");
    CHECK(p.correlation_data == "\x07");
    CHECK(p.traceparent == "00");
    CHECK(read_message_properties({}).content_type.empty());
}
