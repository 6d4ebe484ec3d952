// Logging in, as the door sees it: who has to wait, who failed, who succeeded. Who someone is, the protocol decides.

#include "broker/codec/connack.hpp"
#include "broker/handlers/home.hpp"
#include "broker/handlers/retry_after.hpp"
#include "broker/log/log.hpp"
#include "broker/net/connection.hpp"
#include "broker/net/counters.hpp"

namespace airmail::net {
bool connection::held_off(codec::connect_view const& c, std::string_view assigned_id) {
    auto const key = handlers::key_of(rules(), certificate_.get(), c, c.client_id);
    caller who;
    if (!certificate_ && c.user_name) who.user = *c.user_name;
    if (assigned_id.empty()) who.client.append(key.identity).append(1, '\0').append(c.client_id);
    auto const wait = hub_.others().front.wait(who, hub_.shard().now());
    if (wait == 0) return caller_ = std::make_unique<caller>(std::move(who)), false;
    codec::connack_view answer{.code = codec::reason::connection_rate_exceeded};
    bytes user;
    auto const s = wait / 1000 + 1;
    handlers::tell_retry_after(answer.props, user, handlers::retry_after_s(s, s / 2, who.client));
    codec::encode(out(), answer, protocol);
    close(answer.code, "held off: it came or failed too often");
    return true;
}

void connection::turn_away(codec::reason r, std::string_view why, std::string_view client_id) {
    codec::connack_view answer{.code = r};
    bytes later;
    answer.props.explain(why);
    if (handlers::comes_again(r)) handlers::tell_retry_after(answer.props, later, rules().retry_after_s, client_id);
    codec::encode(out(), answer, protocol);
    close(r, why);
}

void connection::login_failed() {
    if (caller_) hub_.others().front.failed(address_, *caller_, hub_.shard().now());
    caller_.reset();
}

void connection::logged_in() {
    state_ = state::running;
    logged_in_ = true;
    hub_.others().doors.authenticated();
    heard_at_ = hub_.shard().now();
    if (caller_) hub_.others().front.succeeded(*caller_, from_->limits.flapping, heard_at_);
    caller_.reset();
    arm_timer();
    watch();
    if (!inbox_.empty() || wire_.has_pending())
        if (!again_) again_ = true, hub_.read_again(*this);
}

}
