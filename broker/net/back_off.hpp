#pragma once
// Names that come too often, and how long they have to wait. One table, used for failed logins (by address, by user) and for
// clients that flap. Time comes from the caller.
//
//   within the window: 1 .. tries, free      -> tries reached: held for `first`      -> again after that: held twice as long, ...
//                                                                                        quiet for the last wait: forgotten

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace airmail::net {

/// Times are milliseconds.
struct back_off_policy {
    std::uint32_t tries = 10;             // in one window before the first wait; 0 = no limit
    std::int64_t window = 60'000;
    std::int64_t first = 60'000;          // doubles with each further event
    std::int64_t most = 3'600'000;
};

/// Any thread: asked once per connection, never for a packet.
class back_off {
public:
    /// @param names_max bound on the table; a name that finds it full is not held off, and counted (a flood of addresses must
    ///                  not become memory)
    explicit back_off(std::size_t names_max = 65'536) : names_max_{names_max} {}

    /// How long this name still has to wait at `now`; 0 = it may try. Not counted: who waits can end its wait.
    std::int64_t wait(std::string_view name, std::int64_t now) const;
    /// One more event of this name. Returns the wait that begins with it, or 0.
    std::int64_t count(std::string_view name, back_off_policy const& p, std::int64_t now);
    /// It has shown that it may: as if it had never been counted.
    void forgive(std::string_view name);
    std::size_t size() const;

private:
    struct record {
        std::int64_t window_began = 0, held_until = 0, forgotten_at = 0;
        std::uint32_t events = 0, waits = 0;
    };
    struct hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view s) const noexcept { return std::hash<std::string_view>{}(s); }
    };
    bool make_room(std::int64_t now);

    mutable std::mutex lock_;
    std::size_t const names_max_;
    std::int64_t swept_at_ = INT64_MIN / 2;
    std::unordered_map<std::string, record, hash, std::equal_to<>> names_;
};

}
