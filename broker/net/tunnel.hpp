#pragma once
// A wire between two shards, for a peer whose socket stays where it was accepted (a WebSocket) while its session lives
// elsewhere. Bytes go by mail; both directions have a window, so that a slow side stops the other one.
//
//   socket's shard                                   session's shard
//   far_end  --deliver(whole packets), ended()-->     tunnel  --ready(EPOLLIN)--> connection
//            <--send, credit, finish, abandon---              <--read, write, finish---

#include "broker/codec/bytes.hpp"
#include "broker/net/poller.hpp"

#include <deque>
#include <memory>
#include <span>
#include <sys/uio.h>

namespace airmail::net {

/// What a step on a wire came to.
struct step_result {
    enum kind : std::uint8_t { done, wait_read, wait_write, end, failed } what = done;
    std::size_t bytes = 0;
};

/// The socket's side; called on its shard.
class far_end {
public:
    virtual ~far_end() = default;
    virtual void send(bytes b) = 0;
    /// The session's side has read `n` bytes of what was delivered.
    virtual void credit(std::size_t n) = 0;
    /// Nothing more is sent: say goodbye to the peer, then tell ended().
    virtual void finish() = 0;
    /// Nobody is there any more: close now.
    virtual void abandon() = 0;
};

/// The session's side of the wire, kept by mail under way. Its members are for the session's shard.
class near_end {
public:
    /// @param home  the session's shard, `socket_shard` where `far` lives
    near_end(shard::shard& home, unsigned socket_shard, std::weak_ptr<far_end> far) noexcept
        : home_{home}, socket_shard_{socket_shard}, far_{std::move(far)} {}

    // By mail from the socket's side.
    void deliver(bytes b);
    void taken(std::size_t n);   // the socket took `n` bytes of what was sent
    void ended();

private:
    friend class tunnel;
    template <class F> void tell(F f) {
        home_.post(socket_shard_, [far = far_, f = std::move(f)]() mutable {
            if (auto alive = far.lock()) f(*alive);
        });
    }
    void wake(std::uint32_t events);
    void consumed(std::size_t n);

    shard::shard& home_;
    unsigned const socket_shard_;
    std::weak_ptr<far_end> far_;
    watcher* owner_ = nullptr;
    std::uint32_t events_ = 0;
    std::deque<bytes> in_;
    std::size_t at_ = 0;              // read of the first of in_
    std::size_t under_way_ = 0;       // sent and not yet taken
    std::size_t uncredited_ = 0;
    bool ended_ = false, finished_ = false;
};

/// What a channel owns. Dies: the socket is closed.
class tunnel {
public:
    explicit tunnel(std::shared_ptr<near_end> n) noexcept : near_{std::move(n)} {}
    ~tunnel();
    tunnel(tunnel const&) = delete;

    step_result read(std::span<std::uint8_t> room);
    /// Takes what the window has room for.
    step_result write(std::span<iovec const> pieces);
    bool has_pending() const { return !near_->in_.empty() || near_->ended_; }
    void finish();
    /// Whom to wake, and for what; null: nobody.
    void watch(watcher* w, std::uint32_t events);

    /// Bytes under way in each direction; a single larger packet may exceed it.
    static constexpr std::size_t window_bytes = 64 * 1024;
    /// Less is not worth a letter.
    static constexpr std::size_t credit_bytes = window_bytes / 4;

private:
    std::shared_ptr<near_end> near_;
};

}
