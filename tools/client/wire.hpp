#pragma once
// One TCP socket, plain or under TLS, that never blocks. Waiting is the caller's: readiness through Asio, bytes through here.
// OpenSSL works on the descriptor itself, so an idle connection holds no buffers.

#include "broker/codec/bytes.hpp"
#include "tools/client/errc.hpp"

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>

typedef struct ssl_st SSL;

namespace airmail::client {

class tls_context;

/// What a read, write or handshake came to.
enum class io : std::uint8_t { done, want_read, want_write, closed, failed };

struct io_step {
    io state = io::done;
    std::size_t size = 0;  // bytes, when done
};

/// Owned by: one client. Not for several threads.
class wire {
public:
    using socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

    explicit wire(boost::asio::io_context& io) : socket_(io) {}

    socket& tcp() { return socket_; }
    bool secure() const { return ssl_ != nullptr; }

    /// Prepares TLS for the coming connection; `server_name` goes out as SNI and must be in the certificate.
    error_code prepare_tls(tls_context const& context, std::string const& server_name);
    /// After TCP has connected: non-blocking, no delay, TLS bound to the descriptor.
    error_code connected();
    /// One step of the TLS handshake; done at once on plain TCP.
    io handshake();

    /// Reads what is there, up to `room`. closed = orderly end.
    io_step read(std::span<std::uint8_t> room);
    /// Writes what fits.
    io_step write(byte_view data);
    /// Says that nothing more will be written; the peer sees the end after what was sent.
    void finish();
    /// Closes at once; with `reset` the peer sees RST instead of an end.
    void close(bool reset = false);

    /// After `failed`: what went wrong.
    error_code error() const { return error_; }
    /// After `failed`: OpenSSL's words, if it had any.
    std::string detail() const;

private:
    struct free_ssl {
        void operator()(SSL* s) const;
    };
    io_step judge(int n);
    io_step judge_system(ssize_t n);

    socket socket_;
    std::unique_ptr<SSL, free_ssl> ssl_;
    error_code error_;
    long verify_result_ = 0;
};

}
