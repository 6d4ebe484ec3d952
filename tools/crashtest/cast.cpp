#include "tools/crashtest/cast.hpp"

#include <charconv>
#include <fmt/core.h>

namespace airmail::crashtest {

namespace {

int number_in(std::string_view text) {
    int n = -1;
    std::from_chars(text.data(), text.data() + text.size(), n);
    return n;
}

std::string_view text_of(codec::publish_view const& p) { return {reinterpret_cast<char const*>(p.payload.data()), p.payload.size()}; }

}

actor::actor(boost::asio::io_context& io, std::string id) : id_(std::move(id)) {
    client::handlers h;
    h.on_connack = [this](client::client&, codec::connack_view const& p) {
        if (codec::failed(p.code)) return;
        ready_ = true, present_ = p.session_present;
        on_ready();
    };
    h.on_message = [this](client::client&, codec::publish_view const& p) { on_message(p); };
    h.on_ack = [this](client::client&, client::ack_event const& a) { on_ack(a); };
    mqtt_ = client::client::make(io, std::make_shared<client::handlers const>(std::move(h)));
}

actor::~actor() { mqtt_->drop(); }

void actor::connect(client::connect_options o) {
    ready_ = present_ = false;
    o.client_id = id_;
    o.clean_start = false;
    o.session_expiry = 86'400;
    (void)mqtt_->connect(o);
}

writer::writer(boost::asio::io_context& io, unsigned number, int window, writer_book& book)
    : actor(io, fmt::format("crash-writer-{}", number)), number_(number), window_(window), book_(book) {}

void writer::on_ready() {
    if (!present()) under_way_.clear();   // the client counts them as lost; the judge misses what was acknowledged
    while (static_cast<int>(under_way_.size()) < window_ && !finishing_) next();
}

void writer::next() {
    int const n = book_.next(), qos = 1 + n % 2;
    auto const topic = fmt::format("crash/{}/{}/{}", number_, qos, n % 3);
    auto const payload = fmt::format("{} {:{}}", n, "", n % 7 * 40);   // of several sizes, so that pages split unevenly
    if (auto id = mqtt().publish({.topic = topic, .payload = payload, .qos = static_cast<std::uint8_t>(qos)})) under_way_[*id] = n;
}

void writer::on_ack(client::ack_event const& a) {
    auto const at = under_way_.find(a.packet_id);
    if (at == under_way_.end()) return;
    if (!codec::failed(a.codes.front())) book_.acknowledged(at->second);
    under_way_.erase(at);
    if (!finishing_) next();
}

void reader::on_ready() {
    client::subscription const all{.filter = "crash/#", .qos = 2};
    if (!subscribed_) (void)mqtt().subscribe({&all, 1});
}

void reader::on_message(codec::publish_view const& p) {
    int const n = number_in(text_of(p));
    if (p.topic.starts_with("crash/will/")) return book.take_will(n, verdict_);
    book.take(static_cast<unsigned>(number_in(p.topic.substr(6))), p.topic, p.qos, n, verdict_);
}

void keeper::on_ready() {
    if (topic_ < 0 || !present()) next();
}

void keeper::next() {
    topic_ = -1;
    if (finishing_) return;
    topic_ = ++number_ % 8;
    auto const topic = fmt::format("kept/{}", topic_);
    auto& book = topics[topic];
    book.open = number_, book.open_clears = number_ / 8 % 3 == 2;
    auto const payload = book.open_clears ? std::string{} : std::to_string(number_);
    (void)mqtt().publish({.topic = topic, .payload = payload, .qos = 1, .retain = true});
}

void keeper::on_ack(client::ack_event const& a) {
    if (a.type != codec::packet_type::puback || topic_ < 0) return;
    auto& book = topics[fmt::format("kept/{}", topic_)];
    if (!codec::failed(a.codes.front())) book.settled = book.open, book.cleared = book.open_clears;
    book.open = 0;
    next();
}

void newcomer::on_ready() {
    client::subscription const own{.filter = filter, .qos = 1};
    if (!filter.empty() && !subscribed) (void)mqtt().subscribe({&own, 1});
}

}
