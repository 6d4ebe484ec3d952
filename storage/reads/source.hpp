#pragma once
// What is asked, and what a source of answers is. Used on the reads thread only.

#include "storage/replicate/deadline.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::storage::reads {

namespace asio = boost::asio;

enum class place : std::uint8_t { memory, redis, sqlite, postgres };
inline constexpr std::array<std::string_view, 4> place_names{"memory", "redis", "sqlite", "postgres"};
inline std::string_view name_of(place p) { return place_names[static_cast<std::size_t>(p)]; }

enum class subject : std::uint8_t { device, campaign };

/// What came of a question.
struct answer {
    enum class kind { known, unknown, unreachable, busy } what = kind::unknown;
    std::string json;                  // known: the value of the subject's Redis key
    place from = place::memory;        // known: who said so
    std::string why;                   // unreachable: one line
};
using answered = std::function<void(answer)>;

/// One question on its way from source to source.
struct question {
    subject about = subject::device;
    std::string id;                    // serial_no (or device_id, which SQLite knows), campaign_id
    answered done;
    // Filled in by whoever knew.
    std::string json;                  // empty: nobody yet
    place from = place::memory;
    std::int64_t version = 0;          // of the outbox: the answer is at least as new
    // Filled in by Redis when it did not.
    bool missed = false;
    std::string guard;                 // of the key at that moment; "" = none
    std::string key() const { return (about == subject::device ? "device:" : "campaign:") + id; }
};

class source {
public:
    virtual ~source() = default;
    /// False = away; nobody waits for it.
    virtual bool there() const = 0;
    /// Fills in what it knows. `open` outlives the call. @return empty, or why it could not say: then it is away.
    virtual asio::awaitable<std::string> find(std::vector<question*> const& open) = 0;
    /// Connects, and again after a loss, until the thread ends. Sources that need none return at once.
    virtual asio::awaitable<void> keep() { co_return; }
    /// Why it is away, one line; empty = it is there. Any thread.
    virtual std::string trouble() const { return {}; }
};

}
