#include "broker/addresses.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <fmt/core.h>
#include <memory>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>

namespace airmail {
namespace {

/// Numeric text; empty for what is neither IPv4 nor IPv6. A link-local address keeps no zone: it cannot be listened on alone.
std::string text(sockaddr const* a) {
    char out[INET6_ADDRSTRLEN]{};
    if (a && a->sa_family == AF_INET) ::inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in const*>(a)->sin_addr, out, sizeof out);
    if (a && a->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&reinterpret_cast<sockaddr_in6 const*>(a)->sin6_addr))
        ::inet_ntop(AF_INET6, &reinterpret_cast<sockaddr_in6 const*>(a)->sin6_addr, out, sizeof out);
    return out;
}

void add(std::vector<std::string>& to, std::string a, std::string_view domain) {
    bool const six = a.find(':') != a.npos;
    if (a.empty() || (domain == "ipv4" && six) || (domain == "ipv6" && !six)) return;
    if (std::find(to.begin(), to.end(), a) == to.end()) to.push_back(std::move(a));
}

std::vector<std::string> of_host(std::string const& host, std::string_view domain, std::string& why) {
    std::vector<std::string> out;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    if (int const e = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); e != 0) return why = ::gai_strerror(e), out;
    for (auto* a = found; a; a = a->ai_next) add(out, text(a->ai_addr), domain);
    ::freeaddrinfo(found);
    return out;
}

}

std::vector<std::string> addresses_of(config::listener const& l, std::string& why) {
    auto const domain = l.text("socket_domain");
    if (l.local_only) return {"127.0.0.1", "::1"};
    // The socket itself is bound to the interface (net/binding); here we only see that there is one.
    if (auto const name = std::string(l.text("bind_interface")); !name.empty() && ::if_nametoindex(name.c_str()) == 0)
        return why = fmt::format("bind_interface {} ({}): no such interface", name, l.where("bind_interface")), std::vector<std::string>{};
    if (l.address.empty()) return {domain == "ipv4" ? "0.0.0.0" : domain == "ipv6" ? "::" : ""};
    auto all = of_host(l.address, domain, why);
    if (all.empty()) why = fmt::format("address {}: {}", l.address, why.empty() ? "no such host in this socket_domain" : why);
    return all;
}

}
