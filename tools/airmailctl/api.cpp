#include "tools/airmailctl/api.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace airmail::ctl {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;

namespace {

[[noreturn]] void unreachable(std::string const& where, std::string const& why) {
    throw trouble(exit_code::unreachable, "cannot reach the broker at " + where + ": " + why + " (is airmaild running? --socket or --url says where)");
}

json::value understood(int status, std::string const& body) {
    boost::system::error_code ec;
    json::value v = body.empty() ? json::value(nullptr) : json::parse(body, ec);
    if (ec) v = json::value(body);
    if (status < 400) return v;
    std::string text = "HTTP " + std::to_string(status);
    if (auto const* o = v.if_object()) {
        if (auto const* d = o->if_contains("detail"); d && d->is_string()) text = std::string(d->as_string());
        if (auto const* c = o->if_contains("code"); c && c->is_string()) text += " [" + std::string(c->as_string()) + "]";
    }
    auto code = exit_code::failed;
    if (status == 404) code = exit_code::not_found;
    else if (status == 401 || status == 403 || status == 409 || status == 410 || status == 413 || status == 422 || status == 429) code = exit_code::refused;
    throw trouble(code, text, std::move(v));
}

/// Writes one request (body from memory, or from a file piece by piece) and reads the answer; the stream is any of ours.
template <class Stream, class Request> json::value exchange(Stream& s, Request& request, std::function<void(std::uint64_t)> const& progress) {
    http::serializer<true, typename Request::body_type, typename Request::fields_type> out(request);
    boost::beast::flat_buffer buffer;
    http::response_parser<http::string_body> answer;
    answer.body_limit(64u << 20);
    boost::system::error_code ec;
    std::uint64_t sent = 0;
    while (!out.is_done()) {
        sent += http::write_some(s, out, ec);
        if (ec) break;  // a refusal may be on its way while we still send: read it below
        if (progress) progress(sent);
    }
    http::read(s, buffer, answer);
    return understood(static_cast<int>(answer.get().result_int()), answer.get().body());
}

template <class Request> json::value travel(target const& to, Request& request, std::function<void(std::uint64_t)> const& progress) {
    asio::io_context io;
    request.set(http::field::user_agent, "airmailctl");
    if (to.url.empty()) {
        request.set(http::field::host, "control");
        asio::local::stream_protocol::socket s(io);
        boost::system::error_code ec;
        s.connect(asio::local::stream_protocol::endpoint(to.socket), ec);
        if (ec) unreachable(to.socket, ec.message());
        return exchange(s, request, progress);
    }
    auto parsed = boost::urls::parse_uri(to.url);
    if (!parsed || parsed->scheme() != "https") throw trouble(exit_code::usage, "--url must be https://host:port, not " + to.url);
    std::string const host(parsed->host()), port(parsed->has_port() ? std::string(parsed->port()) : "8443");
    request.set(http::field::host, host);
    if (!to.key.empty()) request.set(http::field::authorization, "Bearer " + to.key);
    try {
        asio::ssl::context tls(asio::ssl::context::tls_client);
        if (to.ca_file.empty()) tls.set_default_verify_paths();
        else tls.load_verify_file(to.ca_file);
        tls.set_verify_mode(asio::ssl::verify_peer);
        asio::ssl::stream<asio::ip::tcp::socket> s(io, tls);
        s.set_verify_callback(asio::ssl::host_name_verification(host));
        SSL_set_tlsext_host_name(s.native_handle(), host.c_str());
        asio::ip::tcp::resolver find(io);
        asio::connect(s.next_layer(), find.resolve(host, port));
        s.handshake(asio::ssl::stream_base::client);
        return exchange(s, request, progress);
    } catch (boost::system::system_error const& e) {
        unreachable(to.url, e.code().message());
    }
}

}

json::value api::send(char const* verb, std::string const& path, json::value const& body) {
    http::request<http::string_body> request(http::string_to_verb(verb), path, 11);
    if (!body.is_null()) {
        request.set(http::field::content_type, "application/json");
        request.body() = json::serialize(body);
    }
    request.prepare_payload();
    try {
        return travel(target_, request, nullptr);
    } catch (boost::system::system_error const& e) {
        unreachable(target_.url.empty() ? target_.socket : target_.url, e.code().message());
    }
}

json::value api::upload(std::string const& path, std::string const& file, std::function<void(std::uint64_t, std::uint64_t)> const& progress) {
    http::request<http::file_body> request(http::verb::post, path, 11);
    boost::system::error_code ec;
    request.body().open(file.c_str(), boost::beast::file_mode::scan, ec);
    if (ec) throw trouble(exit_code::failed, "cannot read " + file + ": " + ec.message());
    auto const total = request.body().size();
    request.set(http::field::content_type, "application/octet-stream");
    request.prepare_payload();
    try {
        return travel(target_, request, [&](std::uint64_t sent) {
            if (progress) progress(std::min(sent, total), total);
        });
    } catch (boost::system::system_error const& e) {
        unreachable(target_.url.empty() ? target_.socket : target_.url, e.code().message());
    }
}

std::string encoded(std::string_view s) {
    static constexpr char hex[] = "0123456789ABCDEF";
    std::string out;
    for (unsigned char c : s) {
        if (std::isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~') out += static_cast<char>(c);
        else out += '%', out += hex[c >> 4], out += hex[c & 15];
    }
    return out;
}

}
