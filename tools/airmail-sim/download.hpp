#pragma once
// One HTTPS download, from a byte on: TLS on the descriptor as the MQTT client does it, nothing kept between reads but the head.

#include "tools/airmail-sim/device.hpp"
#include "tools/airmail-sim/http_head.hpp"
#include "tools/client/tls.hpp"
#include "tools/client/wire.hpp"

#include <functional>

namespace airmail::sim {

/// Owned by: the io_context's thread. Keeps itself alive until it ends or stop().
class download : public std::enable_shared_from_this<download> {
public:
    using clock = std::chrono::steady_clock;
    using on_data = std::function<bool(storage::firmware::byte_view)>;
    using on_end = std::function<void(fetch_end)>;

    /// Begins; always answers later, through `end`, and never after stop().
    static std::shared_ptr<download> start(boost::asio::io_context& io, client::tls_context const& tls, std::string const& url, std::uint64_t from, std::uint64_t size, on_data data, on_end end);
    void stop();
    /// Ends a download that has heard nothing for `patience`.
    void tick(clock::time_point now, std::chrono::seconds patience);

private:
    enum class phase : std::uint8_t { connecting, shaking_hands, asking, reading_head, reading_body, over };
    explicit download(boost::asio::io_context& io) : wire_(io), io_(io) {}

    void connect(https_url const& url);
    void wait(bool to_read);
    void step();
    bool shake_hands();
    bool ask();
    bool read();
    bool take(storage::firmware::byte_view in);
    bool head_done(std::string_view text);
    bool stopped_after(fetch_end how);
    void end(fetch_end how);

    client::wire wire_;
    boost::asio::io_context& io_;
    on_data data_;
    on_end end_;
    std::string text_;                  // the request, then the head of the answer
    std::uint64_t from_ = 0, size_ = 0, left_ = 0;
    clock::time_point heard_ = clock::now();
    phase phase_ = phase::connecting;
};

}
