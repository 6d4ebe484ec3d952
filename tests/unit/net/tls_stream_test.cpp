#include "broker/net/tls_stream.hpp"

#include "tests/unit/net/test_ca.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <doctest/doctest.h>
#include <thread>

using namespace airmail;
namespace asio = boost::asio;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

TEST_CASE("Beast serves a request over tls_stream, bodies of a megabyte included") {
    test::scratch_dir dir;
    test::test_ca ca;
    auto server = ca.issue("localhost");
    test::write_pem(dir / "server.pem", server.certificate.get());
    test::write_pem(dir / "server.key", server.key.get());
    auto t = net::tls::make({.certificate_file = dir / "server.pem", .key_file = dir / "server.key", .request_certificate = false,
                             .require_certificate = false});
    REQUIRE(t.has_value());

    asio::io_context io{1};
    tcp::acceptor acceptor{io, tcp::endpoint{asio::ip::address_v4::loopback(), 0}};
    std::string const body(1 << 20, 'x');
    std::string answer;
    // A blocking client on a thread of its own, with nothing but OpenSSL.
    std::thread client{[&, port = acceptor.local_endpoint().port()] {
        std::unique_ptr<SSL_CTX, net::ssl_free> ctx{SSL_CTX_new(TLS_client_method())};
        asio::io_context mine;
        tcp::socket s{mine};
        s.connect({asio::ip::address_v4::loopback(), port});
        net::ssl_ptr ssl{SSL_new(ctx.get())};
        SSL_set_fd(ssl.get(), s.native_handle());
        if (SSL_connect(ssl.get()) != 1) return;
        std::string request = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
        std::thread writer{[&] {
            for (std::size_t at = 0; at < request.size();) {
                int n = SSL_write(ssl.get(), request.data() + at, static_cast<int>(std::min<std::size_t>(request.size() - at, 9000)));
                if (n <= 0) return;
                at += static_cast<std::size_t>(n);
            }
        }};
        writer.join();
        char piece[5000];
        for (int n; (n = SSL_read(ssl.get(), piece, sizeof piece)) > 0;) answer.append(piece, static_cast<std::size_t>(n));
    }};

    net::tls_stream stream{acceptor.accept(), (*t)->current()};
    boost::beast::flat_buffer buffer;
    http::request_parser<http::string_body> parser;
    parser.body_limit(2 << 20);
    http::response<http::string_body> response{http::status::ok, 11};
    boost::system::error_code failed;
    bool inline_completion = true;
    stream.async_handshake([&](boost::system::error_code ec) {
        CHECK_FALSE(inline_completion);
        if (ec) return void(failed = ec);
        http::async_read(stream, buffer, parser, [&](boost::system::error_code ec, std::size_t) {
            if (ec) return void(failed = ec);
            response.body() = parser.get().body();
            response.prepare_payload();
            http::async_write(stream, response, [&](boost::system::error_code ec, std::size_t) {
                if (ec) return void(failed = ec);
                stream.async_shutdown([&](boost::system::error_code ec) { failed = ec; });
            });
        });
    });
    inline_completion = false;
    io.run();
    client.join();
    CHECK_MESSAGE(!failed, failed.message());
    CHECK(answer.size() > body.size());
    CHECK(answer.ends_with(body));
}
