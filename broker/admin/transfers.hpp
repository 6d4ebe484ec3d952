#pragma once
// Every file transfer under way, by its revocation token, so that a cancelled command's download is cut at once.
// Owned by the HTTP thread.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace airmail::admin {

class transfers {
public:
    /// Registers a transfer for as long as the returned ticket lives. `cut` closes its socket; called at most once.
    class ticket {
    public:
        ticket() = default;
        ticket(transfers& home, std::string token, std::function<void()> cut);
        ticket(ticket&& o) noexcept : home_(o.home_), id_(o.id_) { o.home_ = nullptr; }
        ticket& operator=(ticket&& o) noexcept;
        ~ticket() { leave(); }

    private:
        void leave();
        transfers* home_ = nullptr;
        std::uint64_t id_ = 0;
    };

    /// Cuts every transfer that carries the token. Returns how many.
    std::size_t revoke(std::string_view token);
    std::size_t open() const { return by_id_.size(); }

private:
    struct entry { std::string token; std::function<void()> cut; };
    std::unordered_map<std::uint64_t, entry> by_id_;
    std::unordered_multimap<std::string, std::uint64_t> by_token_;
    std::uint64_t next_ = 1;
};

/// Paces one transfer: at most `rate` bytes a second, in bursts of a quarter second. Pure: time comes in.
class pacer {
public:
    explicit pacer(std::uint64_t rate_bytes_s) : rate_(rate_bytes_s) {}
    /// Milliseconds to wait after `sent` more bytes, so that the average stays at the rate; 0 = go on.
    std::int64_t after(std::uint64_t sent, std::int64_t now_ms);

private:
    std::uint64_t rate_, total_ = 0;
    std::int64_t begin_ms_ = -1;
};

}
