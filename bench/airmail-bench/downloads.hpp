#pragma once
// Many HTTPS downloads in one thread: opened so many at a time, read as they come, counted when the other side closes them. Beside a swarm of
// devices on the same thread, so nothing here waits: a download that is not read for `limit_http_timeout` would be closed for that.

#include <cstdint>
#include <memory>
#include <openssl/ssl.h>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::bench {

/// Owned by: the scenario. Throws failure when a download is refused or cannot be opened.
class downloads {
public:
    /// @param tls  borrowed
    downloads(SSL_CTX* tls, std::uint16_t port);
    ~downloads();
    downloads(downloads const&) = delete;
    downloads& operator=(downloads const&) = delete;

    /// Connects, and asks for the path when the handshake is done.
    void open(std::string_view path);
    /// Takes what has come, without waiting.
    void turn();

    std::size_t under_way() const { return begun_ - opened_; }     // no answer yet
    std::size_t opened() const { return opened_; }                 // were answered 200
    std::size_t closed() const { return closed_; }                 // of these: ended by the other side
    std::uint64_t bytes() const { return bytes_; }                 // of answers, read

private:
    enum class step : std::uint8_t { connecting, handshaking, asking, answered, closed };
    struct one {
        int fd = -1;
        SSL* ssl = nullptr;
        step at = step::connecting;
        std::string ask;
    };
    void go_on(one& d);
    bool wants(one& d, int result);
    void watch(one& d, bool writable);
    void read(one& d);

    SSL_CTX* tls_;
    std::uint16_t port_;
    int epoll_ = -1;
    std::vector<std::unique_ptr<one>> all_;
    std::size_t begun_ = 0, opened_ = 0, closed_ = 0;
    std::uint64_t bytes_ = 0;
};

}
