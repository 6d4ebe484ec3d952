#pragma once
// The HTTP side of the broker: one thread, one io_context, Beast over our own streams. Serves signed firmware to devices, the
// API to operators, the control socket to airmailctl, and metrics. Routes and roles: routes.hpp. Knows no plugin.
//
//   accept -> (TLS) -> header -> decide -> login -> body (memory | disk) -> backend.serve -> bytes | file range, paced

#include "broker/admin/backend.hpp"
#include "broker/admin/transfers.hpp"

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace airmail::net { class tls_context; }

namespace airmail::admin {

/// Bounds; every one has a directive (http_*, limit_http_*).
struct http_limits {
    std::uint32_t header_bytes_max = 8 << 10;
    std::uint64_t body_bytes_max = 64 << 10;
    std::uint64_t upload_bytes_max = 4ull << 30;
    std::chrono::seconds deadline{10};              // header, body piece, or a write without progress
    std::chrono::seconds idle{60};                  // keep-alive connection without a request
    std::uint64_t linger_bytes_max = 16 << 20;      // of a refused body, dropped so that the peer reads the answer
    std::chrono::seconds linger{5};                 // and for how long, in all
    std::uint32_t connections_max = 12'000;         // beyond it: accepted and closed, counted
};

/// What the server counts; read by the metrics page. Written by the HTTP thread only.
struct http_counters {
    std::uint64_t connections = 0, connections_refused = 0, requests = 0, bytes_sent = 0, files_sent = 0, transfers_cut = 0;
    std::uint64_t responses_4xx = 0, responses_5xx = 0, handshakes_failed = 0;
    std::uint64_t lingered = 0, lingers_cut = 0;    // cut: by the bound or the deadline
};

/// Owned by the broker. Construct, listen, start; stop() joins the thread.
class http_server {
public:
    http_server(backend& house, http_limits limits);
    ~http_server();

    /// Binds now, so that a taken port is an error at start (throws boost::system::system_error). Returns the port.
    /// `tls` answers the context for the next handshake, so that a reload needs no restart. A peer counts as admin_https
    /// when its address is loopback, or when `admin_everywhere`.
    std::uint16_t listen_https(std::string const& address, std::uint16_t port, std::function<std::shared_ptr<net::tls_context const>()> tls, bool admin_everywhere);
    /// Plain HTTP for /metrics, /healthz, /readyz.
    std::uint16_t listen_metrics(std::string const& address, std::uint16_t port);
    /// The control socket, mode 0660; peers must be root or our own user (SO_PEERCRED). Replaces a stale socket file.
    void listen_control(std::string const& path);

    void start();
    void stop();
    /// Runs it on the HTTP thread; any thread, returns at once.
    void run(std::function<void()> f);
    /// Cuts transfers that carry the token; any thread, returns at once.
    void revoke(std::string token);
    http_counters const& counters() const { return counters_; }
    std::size_t transfers_open() const { return transfers_.open(); }

    /// Shared by the sessions; HTTP thread only.
    struct world {
        backend& house;
        http_limits limits;
        transfers& open;
        http_counters& count;
        boost::asio::io_context& io;
    };

    struct door_keeper;

private:
    boost::asio::io_context io_{1};
    transfers transfers_;
    http_counters counters_;
    http_limits limits_;
    world world_;
    std::vector<std::unique_ptr<door_keeper>> doors_;
    std::thread thread_;
};

}
