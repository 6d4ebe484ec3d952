#include "tools/client/blocking_client.hpp"

namespace airmail::client {
namespace {

constexpr std::size_t inbox_max = 100'000;

connack_info to_info(codec::connack_view const& p) {
    using codec::prop;
    auto const& q = p.props;
    connack_info i;
    i.session_present = p.session_present;
    i.code = p.code;
    i.assigned_client_id = q.assigned_client_id;
    i.reason_string = q.reason_string;
    i.response_info = q.response_info;
    i.server_reference = q.server_reference;
    if (q.has(prop::server_keep_alive)) i.server_keep_alive = q.server_keep_alive;
    if (q.has(prop::session_expiry)) i.session_expiry = q.session_expiry;
    if (q.has(prop::maximum_packet_size)) i.maximum_packet_size = q.maximum_packet_size;
    i.receive_maximum = q.receive_maximum;
    i.topic_alias_maximum = q.topic_alias_maximum;
    i.maximum_qos = q.maximum_qos;
    i.retain_available = q.retain_available;
    i.wildcard_available = q.wildcard_available;
    i.subscription_ids_available = q.subscription_ids_available;
    i.shared_available = q.shared_available;
    i.user_properties = to_user_properties(q);
    return i;
}

}

blocking_client::blocking_client(std::chrono::milliseconds patience) : patience_(patience), client_(client::make(io_, make_handlers())) {}

blocking_client::~blocking_client() {
    client_->drop();
    io_.restart();
    io_.poll();  // the cancelled waits let go of the client
}

std::shared_ptr<handlers const> blocking_client::make_handlers() {
    handlers h;
    h.on_connack = [this](client&, codec::connack_view const& p) { connack_ = to_info(p); };
    h.on_message = [this](client&, codec::publish_view const& p) {
        if (inbox_.size() == inbox_max) {
            inbox_.pop_front();
            ++overflowed_;
        }
        inbox_.push_back(to_message(p));
    };
    h.on_ack = [this](client&, ack_event const& a) {
        if (a.packet_id == awaited_) answer_ = answer{a.packet_id, {a.codes.begin(), a.codes.end()}};
    };
    h.on_closed = [this](client&, close_info const& c) { closed_ = c; };
    return std::make_shared<handlers const>(std::move(h));
}

template <class Done> bool blocking_client::run_until(Done done, std::chrono::milliseconds patience) {
    auto const deadline = client::clock::now() + patience;
    while (!done()) {
        io_.restart();
        if (io_.run_one_until(deadline) > 0) continue;
        // Nothing ran: the time is over, or there is nothing left that could happen.
        if (client::clock::now() >= deadline || io_.stopped()) return done();
    }
    return true;
}

error_code blocking_client::why_closed() const {
    if (!closed_) return errc::call_timeout;
    return closed_->error ? closed_->error : make_error_code(errc::not_connected);
}

result<connack_info> blocking_client::connect(connect_options o) {
    connack_.reset();
    closed_.reset();
    o.timeout = std::min(o.timeout, patience_);
    if (auto const ec = client_->connect(o)) return ec;
    run_until([this] { return client_->online() || closed_; }, patience_ + std::chrono::seconds(1));
    // Accepted is accepted, even if the server closed again in the same breath: closed() tells the rest.
    if (!connack_ || codec::failed(connack_->code)) return why_closed();
    return *connack_;
}

result<std::vector<codec::reason>> blocking_client::await_answer(result<std::uint16_t> id) {
    if (!id) return id.error();
    answer_.reset();
    awaited_ = *id;
    run_until([this] { return answer_ || closed_; }, patience_);
    awaited_ = 0;
    if (!answer_) return why_closed();
    return std::move(answer_->codes);
}

result<codec::reason> blocking_client::publish(publication const& p) {
    auto const id = client_->publish(p);
    if (!id) return id.error();
    if (p.qos > 0) {
        auto const codes = await_answer(id);
        if (!codes) return codes.error();
        return codes->front();
    }
    run_until([this] { return client_->queued_bytes() == 0 || closed_; }, patience_);
    if (closed_ || client_->queued_bytes() > 0) return why_closed();
    return codec::reason::success;
}

result<std::vector<codec::reason>> blocking_client::subscribe(std::span<subscription const> filters, std::uint32_t id) {
    return await_answer(client_->subscribe(filters, id));
}

result<std::vector<codec::reason>> blocking_client::subscribe(std::string_view filter, std::uint8_t qos) {
    subscription const one[] = {{filter, qos}};
    return subscribe(one);
}

result<std::vector<codec::reason>> blocking_client::unsubscribe(std::string_view filter) {
    std::string_view const one[] = {filter};
    return await_answer(client_->unsubscribe(one));
}

result<message> blocking_client::receive() { return receive(patience_); }

result<message> blocking_client::receive(std::chrono::milliseconds patience) {
    run_until([this] { return !inbox_.empty() || closed_; }, patience);
    if (inbox_.empty()) return why_closed();
    // The acknowledgement is written before the message is handed out: a caller that stops here has not taken it twice.
    run_until([this] { return client_->queued_bytes() == 0 || closed_; }, patience);
    message m = std::move(inbox_.front());
    inbox_.pop_front();
    return m;
}

error_code blocking_client::disconnect(codec::reason why, std::span<user_property const> user) {
    if (client_->idle()) return errc::not_connected;
    client_->disconnect(why, user);
    run_until([this] { return closed_.has_value(); }, patience_);
    return closed_ ? closed_->error : make_error_code(errc::call_timeout);
}

void blocking_client::drop(bool reset) {
    client_->drop(reset);
    closed_ = close_info{};
}

result<close_info> blocking_client::wait_closed() {
    run_until([this] { return closed_.has_value(); }, patience_);
    if (!closed_) return {boost::system::in_place_error, make_error_code(errc::call_timeout)};
    return *closed_;
}

void blocking_client::run_for(std::chrono::milliseconds time) {
    run_until([] { return false; }, time);
}

}
