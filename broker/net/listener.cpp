#include "broker/net/listener.hpp"

#include "broker/net/acceptor.hpp"
#include "broker/net/binding.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/core.h>
#include <netinet/in.h>

namespace airmail::net {
namespace {

listen_error why(listener_options const& o, int code) {
    if (!o.unix_path.empty()) {
        auto const hint = code == EEXIST ? " (not a socket: move it away)" : code == EADDRINUSE ? " (somebody listens on it)" : "";
        return {code, fmt::format("{}: {}{}", o.unix_path, std::strerror(code), hint)};
    }
    auto const device = o.device.empty() ? std::string{} : " on " + o.device;
    return {code, fmt::format("{}:{}{}: {}", o.address.empty() ? "*" : o.address, o.port, device, std::strerror(code))};
}

void set_port(bind_address& at, std::uint16_t port) {
    // The port stands at the same place in both.
    reinterpret_cast<sockaddr_in&>(at.storage).sin_port = htons(port);
}

}

boost::system::result<std::unique_ptr<listener>, listen_error> listener::open(listener_options o, neighbours const& n) {
    std::unique_ptr<listener> made{new listener};
    made->count_ = o.from.count;
    made->port_ = o.port;
    auto const from = std::make_shared<origin const>(std::move(o.from));
    auto failed = o.unix_path.empty() ? made->open_doors(o, from, n) : made->open_unix(o, from, n);
    if (failed.code) return failed;
    return made;
}

listen_error listener::open_doors(listener_options const& o, origin_ptr const& from, neighbours const& n) {
    std::string problem;
    auto addresses = addresses_of(o, problem);
    if (addresses.empty()) return {EINVAL, fmt::format("{}: {}", o.address, problem)};
    bool const shared = n.hubs.size() > 1;
    // With SO_REUSEPORT another program of ours could bind the same port unnoticed; a first, exclusive bind finds out.
    for (auto& at : addresses)
        if (shared && o.port && !listen_on(at, o, false) && errno == EADDRINUSE) return why(o, EADDRINUSE);
    for (auto& at : addresses)
        for (auto* h : n.hubs) {
            set_port(at, port_);
            auto fd = listen_on(at, o, shared);
            if (!fd && errno == EAFNOSUPPORT && at.all && o.only == listener_options::family::any) {
                auto four = o;  // a kernel without IPv6
                four.only = listener_options::family::ipv4;
                std::string ignored;
                at = addresses_of(four, ignored).front();
                set_port(at, port_);
                fd = listen_on(at, four, shared);
            }
            if (!fd) return why(o, errno);
            port_ = port_of(fd.get());
            doors_.push_back(std::make_shared<acceptor>(*h, std::move(fd), from, o.accept_budget));
        }
    return {};
}

listen_error listener::open_unix(listener_options const& o, origin_ptr const& from, neighbours const& n) {
    port_ = 0;
    file_ = unix_path::bind(o);
    if (!file_) return why(o, errno);
    // One socket, looked at by every shard: a unix socket has no SO_REUSEPORT. Who comes second finds nobody there.
    for (auto* h : n.hubs) {
        auto fd = file_->share();
        if (!fd) return why(o, errno);
        doors_.push_back(std::make_shared<acceptor>(*h, std::move(fd), from, o.accept_budget));
    }
    return {};
}

listener::~listener() = default;

void listener::start() {
    for (auto& d : doors_) d->home().shard().post_external([d] { d->start(); });
}

void listener::stop() {
    for (auto& d : doors_) d->home().shard().post_external([d] { d->stop(); });
    file_.reset();
}

void listener::reload(origin from) {
    from.count = count_;  // the cap counts those who are here already
    auto const next = std::make_shared<origin const>(std::move(from));
    for (auto& d : doors_) d->home().shard().post_external([d, next] { d->replace(next); });
}

}
