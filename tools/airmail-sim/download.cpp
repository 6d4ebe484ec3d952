#include "tools/airmail-sim/download.hpp"

#include "tools/client/read_buffer.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <map>

namespace airmail::sim {

namespace asio = boost::asio;
using asio::ip::tcp;
using client::io;

namespace {

constexpr std::size_t head_max = 16 * 1024;
constexpr int reads_a_turn = 4;         // so that one fast download does not keep the others waiting

/// Addresses of a host, asked for once: a fleet downloads from one or two. IPv4 first, as the broker's default listener has it.
tcp::endpoint address_of(asio::io_context& io, https_url const& url, boost::system::error_code& ec) {
    if (auto const literal = asio::ip::make_address(url.host, ec); !ec) return {literal, url.port};
    static std::map<std::string, asio::ip::address> known;
    auto found = known.find(url.host);
    if (found == known.end()) {
        tcp::resolver r(io);
        auto const all = r.resolve(url.host, "", ec);
        if (ec) return {};
        auto best = all.begin()->endpoint().address();
        for (auto const& one : all)
            if (one.endpoint().address().is_v4()) best = one.endpoint().address();
        found = known.emplace(url.host, best).first;
    }
    ec = {};
    return {found->second, url.port};
}

}

std::shared_ptr<download> download::start(asio::io_context& io, client::tls_context const& tls, std::string const& url, std::uint64_t from, std::uint64_t size, on_data data, on_end end) {
    std::shared_ptr<download> d(new download(io));
    d->data_ = std::move(data);
    d->end_ = std::move(end);
    d->from_ = from, d->size_ = size, d->left_ = size - from;
    auto const where = https_url::parse(url);
    if (!where || d->wire_.prepare_tls(tls, where->host)) {
        asio::post(io, [d] { d->end(fetch_end::protocol); });
        return d;
    }
    d->text_ = where->request(from);
    asio::post(io, [d, where = *where] { d->connect(where); });
    return d;
}

void download::connect(https_url const& url) {
    if (phase_ == phase::over) return;
    boost::system::error_code ec;
    auto const to = address_of(io_, url, ec);
    if (!ec) wire_.tcp().open(to.protocol(), ec);
    if (ec) return end(fetch_end::cut);
    wire_.tcp().async_connect(to, [self = shared_from_this()](boost::system::error_code ec) {
        if (self->phase_ == phase::over) return;
        if (ec || self->wire_.connected()) return self->end(fetch_end::cut);
        self->phase_ = phase::shaking_hands;
        self->step();
    });
}

void download::wait(bool to_read) {
    wire_.tcp().async_wait(to_read ? tcp::socket::wait_read : tcp::socket::wait_write, [self = shared_from_this()](boost::system::error_code ec) {
        if (self->phase_ == phase::over) return;
        ec ? self->end(fetch_end::cut) : self->step();
    });
}

/// Goes as far as it can without waiting.
void download::step() {
    heard_ = clock::now();
    if (phase_ == phase::shaking_hands && !shake_hands()) return;
    if (phase_ == phase::asking && !ask()) return;
    for (int i = 0; i < reads_a_turn; ++i)
        if (phase_ == phase::over || !read()) return;
    asio::post(io_, [self = shared_from_this()] {
        if (self->phase_ != phase::over) self->step();
    });
}

bool download::shake_hands() {
    switch (wire_.handshake()) {
    case io::done: phase_ = phase::asking; return true;
    case io::want_read: wait(true); return false;
    case io::want_write: wait(false); return false;
    default: return stopped_after(fetch_end::cut);
    }
}

bool download::ask() {
    auto const s = wire_.write({reinterpret_cast<std::uint8_t const*>(text_.data()), text_.size()});
    if (s.state == io::done) text_.erase(0, s.size);
    else if (s.state == io::want_read || s.state == io::want_write) return wait(s.state == io::want_read), false;
    else return stopped_after(fetch_end::cut);
    if (!text_.empty()) return wait(false), false;
    phase_ = phase::reading_head;
    return true;
}

bool download::read() {
    client::read_buffer lent;
    auto const room = lent.room();
    auto const s = wire_.read(room);
    switch (s.state) {
    case io::done: return take({room.data(), s.size});
    case io::want_read: wait(true); return false;
    case io::want_write: wait(false); return false;
    default: return stopped_after(fetch_end::cut);
    }
}

bool download::take(storage::firmware::byte_view in) {
    if (phase_ == phase::reading_head) {
        auto const before = text_.size();
        text_.append(reinterpret_cast<char const*>(in.data()), in.size());
        auto const end_of_head = text_.find("\r\n\r\n");
        if (end_of_head == text_.npos) return text_.size() <= head_max || stopped_after(fetch_end::protocol);
        auto const head = std::string_view(text_).substr(0, end_of_head + 2);
        if (!head_done(head)) return false;
        in = in.subspan(end_of_head + 4 - before);
        text_.clear();
        text_.shrink_to_fit();
        phase_ = phase::reading_body;
    }
    if (in.size() > left_) return stopped_after(fetch_end::protocol);
    if (!in.empty() && !data_(in)) return phase_ != phase::over && stopped_after(fetch_end::protocol);
    if (phase_ == phase::over) return false;
    left_ -= in.size();
    if (left_ == 0) return stopped_after(fetch_end::complete);
    return true;
}

bool download::head_done(std::string_view text) {
    auto const h = http_head::parse(text);
    if (!h || h->chunked) return stopped_after(fetch_end::protocol);
    if (h->status == 401 || h->status == 403 || h->status == 404) return stopped_after(fetch_end::forbidden);
    if (h->status == 410) return stopped_after(fetch_end::gone);
    if (h->status == 429 || h->status >= 500) return stopped_after(fetch_end::busy);
    // The length must be the signed one: endless data is refused before it is written.
    bool const whole = h->status == 200 && from_ == 0 && h->content_length == size_;
    bool const part = h->status == 206 && h->range_from == from_ && h->range_total == size_ && h->content_length == size_ - from_;
    return whole || part || stopped_after(fetch_end::protocol);
}

bool download::stopped_after(fetch_end how) {
    end(how);
    return false;
}

void download::end(fetch_end how) {
    if (phase_ == phase::over) return;
    auto const tell = std::move(end_);
    auto const self = shared_from_this();
    stop();
    tell(how);
}

void download::stop() {
    phase_ = phase::over;
    wire_.close();
    // data_ may be on the stack below us; it goes with the download.
    end_ = nullptr;
}

void download::tick(clock::time_point now, std::chrono::seconds patience) {
    if (phase_ != phase::over && now - heard_ > patience) end(fetch_end::cut);
}

}
