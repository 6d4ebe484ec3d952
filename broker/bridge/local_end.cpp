#include "broker/bridge/local_end.hpp"

#include "broker/codec/connect.hpp"

namespace airmail::bridge {

local_end::local_end(handlers::mqtt& home, std::shared_ptr<handlers::listener_rules const> rules, acl::identity who, std::uint64_t number)
    : home_{home}, rules_{std::move(rules)}, who_{std::move(who)}, number_{number} {}

local_end::~local_end() { leave(); }

void local_end::connect(bool clean_start, std::uint16_t receive_maximum) {
    codec::connect_view c;
    c.clean_start = clean_start;
    c.client_id = who_.client_id;
    c.props.add(codec::prop::session_expiry);
    c.props.session_expiry = clean_start ? 0 : 0xFFFFFFFF;
    c.props.add(codec::prop::receive_maximum);
    c.props.receive_maximum = receive_maximum;
    connected_ = true;
    home_.connect(*this, c, {});
}

bool local_end::send(bytes const& packet) {
    auto const f = codec::next_frame(packet);
    return !closed_ && f && f->complete() && home_.packet(*this, *f) && !closed_;
}

void local_end::leave() {
    if (!std::exchange(connected_, false)) return;
    closed_ = true;
    home_.gone(*this);
}

void local_end::drain(std::function<void(codec::frame const&)> const& f) {
    if (draining_) return;
    draining_ = true;
    while (!closed_ && !out_.empty()) {
        bytes taken;
        taken.swap(out_);   // `f` may make the handlers write more
        byte_view rest{taken};
        while (!closed_ && !rest.empty()) {
            auto const one = codec::next_frame(rest);
            if (!one || !one->complete()) break;   // the broker writes whole packets
            f(*one);
            rest = rest.subspan(one->size);
        }
    }
    draining_ = false;
}

void local_end::out_shared(byte_view head, storage::message_ptr body) {
    auto const payload = body->payload();
    out_.insert(out_.end(), head.begin(), head.end());
    out_.insert(out_.end(), payload.begin(), payload.end());
}

void local_end::close(codec::reason r, std::string_view why) {
    closed_ = true;
    why_ = why.empty() ? std::string{codec::name(r)} : std::string{why};
}

void local_end::pause_reading(bool on) {
    if (on_pause) on_pause(on);
}

}
