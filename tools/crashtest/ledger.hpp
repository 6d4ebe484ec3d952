#pragma once
// What was promised and what came: the judge of a crash test. It knows every message that was acknowledged, and nothing else of
// the broker. No I/O, no clock.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::crashtest {

/// What a laboratory found. Everything but the first lines must be zero.
struct verdict {
    std::uint64_t rounds = 0, kills_in_recovery = 0, published = 0, acknowledged = 0, received = 0;
    std::int64_t slowest_start_ms = 0;
    std::uint64_t lost = 0;                // acknowledged, and owed to a session that never got it
    std::uint64_t twice = 0;               // QoS 2, received more than once
    std::uint64_t out_of_order = 0;        // first deliveries of one writer, topic and QoS
    std::uint64_t sessions_lost = 0;       // CONNACK said it would be kept
    std::uint64_t subscriptions_lost = 0;  // SUBACK said so
    std::uint64_t retained_wrong = 0;      // older than what was acknowledged, or cleared and back
    std::uint64_t wills_lost = 0;          // the client fell with the broker and did not return
    std::uint64_t failed_starts = 0;
    std::vector<std::string> words;        // what was found, the first twenty

    bool kept() const { return lost + twice + out_of_order + sessions_lost + subscriptions_lost + retained_wrong + wills_lost + failed_starts == 0; }
    void note(std::string what) {
        if (words.size() < 20) words.push_back(std::move(what));
    }
};

/// The numbers one writer has published, in order, and which of them were acknowledged with success.
/// Owned by: one laboratory.
class writer_book {
public:
    int next() {
        acknowledged_.push_back(false);
        return static_cast<int>(acknowledged_.size()) - 1;
    }
    void acknowledged(int n) { acknowledged_[static_cast<std::size_t>(n)] = true; }
    bool is_acknowledged(int n) const { return acknowledged_[static_cast<std::size_t>(n)]; }
    int size() const { return static_cast<int>(acknowledged_.size()); }
    std::uint64_t count() const;

private:
    std::vector<bool> acknowledged_;
};

/// What one durable subscriber has been given, over all its connections.
/// Owned by: one laboratory.
class reader_book {
public:
    explicit reader_book(std::string name) : name_(std::move(name)) {}
    /// One delivery: `number` of `writer` on `topic`.
    void take(unsigned writer, std::string_view topic, int qos, int number, verdict& v);
    void take_will(int round, verdict& v);
    bool has(unsigned writer, int number) const;
    bool has_will(int round) const { return wills_.contains(round); }
    /// Everything the books of the writers say was acknowledged is here? Counts what is missing into `v`.
    bool complete(std::vector<writer_book> const& written) const;
    void missing(std::vector<writer_book> const& written, verdict& v) const;

private:
    std::string name_;
    std::vector<std::vector<std::uint8_t>> times_;       // writer, number -> how often
    std::map<std::pair<std::string, int>, int> newest_;  // topic and QoS -> highest number [MQTT-4.6.0-6]
    std::map<int, int> wills_;
};

/// One retained topic: what is settled, and what is still unanswered.
struct retained_book {
    int settled = 0;        // number of the last change that was acknowledged; 0 = none
    bool cleared = true;    // that change cleared the topic
    int open = 0;           // a change without an answer, 0 = none
    bool open_clears = false;

    /// May the topic hold this number now (0 = nothing)?
    bool may_be(int number) const { return number == (cleared ? 0 : settled) || (open != 0 && number == (open_clears ? 0 : open)); }
};

}
