#include "tools/airmailctl/api.hpp"

#include "storage/firmware/digest.hpp"

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
#include <boost/json/value_to.hpp>
#include <chrono>
#include <fstream>
#include <thread>

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

namespace {

/// A piece is what a cut connection can cost, and what stands in memory.
constexpr std::size_t piece_bytes = 8u << 20;

/// Worth another try: nobody answered, the broker has trouble of its own, or it is elsewhere in the file than we thought.
bool passing(trouble const& t) {
    auto const* o = t.problem().if_object();
    auto const* status = o ? o->if_contains("status") : nullptr;
    auto const n = status && status->is_int64() ? status->get_int64() : 0;
    return t.code() == exit_code::unreachable || n == 409 || n == 429 || (n >= 500 && n != 507);
}

/// Half a second, one, two ... ten; a minute in all without a step forward, then the trouble is told.
class patience {
public:
    void again(trouble const& t) {
        if (!passing(t) || spent_ >= std::chrono::seconds(60)) throw t;
        std::this_thread::sleep_for(next_);
        spent_ += next_, next_ = std::min(next_ * 2, std::chrono::milliseconds(10'000));
    }
    void forward() { *this = {}; }

private:
    std::chrono::milliseconds next_{500}, spent_{0};
};

}

void api::append(std::string const& path, std::uint64_t offset, std::string piece, std::function<void(std::uint64_t)> const& progress) {
    http::request<http::string_body> request(http::verb::patch, path, 11);
    request.set(http::field::content_type, "application/octet-stream");
    request.set("Upload-Offset", std::to_string(offset));
    request.body() = std::move(piece);
    request.prepare_payload();
    try {
        travel(target_, request, progress);
    } catch (boost::system::system_error const& e) {
        unreachable(target_.url.empty() ? target_.socket : target_.url, e.code().message());
    }
}

json::value api::upload(std::string const& query, std::string const& file, std::function<void(std::uint64_t, std::uint64_t)> const& progress) {
    auto const digest = storage::firmware::hash_file(file);
    std::ifstream in(file, std::ios::binary | std::ios::ate);
    if (!digest || !in) throw trouble(exit_code::failed, "cannot read " + file + (digest ? "" : ": " + digest.error().message()));
    auto const total = static_cast<std::uint64_t>(in.tellg());
    auto const name = file.substr(file.rfind('/') + 1);
    auto const begun = post("/api/v1/firmware/uploads", json::object{{"size_bytes", total}, {"name", name}, {"sha256", storage::firmware::to_hex(*digest)}});
    auto const path = std::string(begun.at("path").as_string());
    auto offset = json::value_to<std::uint64_t>(begun.at("offset"));
    patience wait;
    for (bool lost = false; offset < total;) {
        try {
            if (lost) offset = json::value_to<std::uint64_t>(get(path).at("offset")), lost = false;
            std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, total - offset)), '\0');
            in.seekg(static_cast<std::streamoff>(offset));
            if (!in.read(piece.data(), static_cast<std::streamsize>(piece.size()))) throw trouble(exit_code::failed, file + " has become shorter while it was read");
            auto const size = piece.size();
            if (size) append(path, offset, std::move(piece), [&](std::uint64_t sent) { if (progress) progress(std::min(offset + sent, total), total); });
            offset += size, wait.forward();
            if (progress) progress(offset, total);
        } catch (trouble const& t) { wait.again(t), lost = true; }
    }
    for (;;) {
        try {
            return post(path + "/finish" + query, json::object{});
        } catch (trouble const& t) { wait.again(t); }
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
