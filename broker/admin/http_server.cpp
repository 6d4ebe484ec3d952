#include "broker/admin/http_server.hpp"

#include "broker/admin/door_keeper.hpp"

#include <boost/asio/post.hpp>
#include <pthread.h>

namespace airmail::admin {

http_server::http_server(backend& house, http_limits limits)
    : limits_(limits), world_{house, limits_, transfers_, counters_, io_} {}

http_server::~http_server() { stop(); }

std::uint16_t http_server::listen_https(std::string const& address, std::uint16_t port, std::function<std::shared_ptr<net::tls_context const>()> tls, bool admin_everywhere) {
    doors_.push_back(std::make_unique<door_keeper>(world_, door_keeper::tcp(address, port)));
    doors_.back()->tls = std::move(tls);
    doors_.back()->admin_everywhere = admin_everywhere;
    return doors_.back()->port();
}

std::uint16_t http_server::listen_metrics(std::string const& address, std::uint16_t port) {
    doors_.push_back(std::make_unique<door_keeper>(world_, door_keeper::tcp(address, port)));
    doors_.back()->kind = door::metrics;
    return doors_.back()->port();
}

void http_server::listen_control(std::string const& path) {
    doors_.push_back(std::make_unique<door_keeper>(world_, door_keeper::unix_path(path)));
    doors_.back()->kind = door::control;
}

void http_server::start() {
    for (auto& d : doors_) d->open();
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), "airmail-http");
        io_.run();
    });
}

void http_server::stop() {
    if (!thread_.joinable()) return;
    boost::asio::post(io_, [this] {
        for (auto& d : doors_) d->close();
        io_.stop();
    });
    thread_.join();
}

void http_server::run(std::function<void()> f) { boost::asio::post(io_, std::move(f)); }

void http_server::revoke(std::string token) {
    boost::asio::post(io_, [this, token = std::move(token)] { transfers_.revoke(token); });
}

}
