// Logging in, as the door sees it: who has to wait, who failed, who succeeded. Who someone is, the protocol decides.

#include "broker/codec/connack.hpp"
#include "broker/handlers/home.hpp"
#include "broker/log/log.hpp"
#include "broker/net/connection.hpp"
#include "broker/net/counters.hpp"

namespace airmail::net {
namespace {

/// Seconds, rounded up, and up to half as many more, told by the name: those who were refused together do not come together.
std::int64_t retry_after_s(std::int64_t wait_ms, std::string_view name) {
    auto const s = wait_ms / 1000 + 1;
    return s + static_cast<std::int64_t>(std::hash<std::string_view>{}(name) % static_cast<std::uint64_t>(s / 2 + 1));
}

}

bool connection::held_off(codec::connect_view const& c, std::string_view assigned_id) {
    auto const key = handlers::key_of(rules(), certificate_.get(), c, c.client_id);
    caller who;
    if (!certificate_ && c.user_name) who.user = *c.user_name;
    if (assigned_id.empty()) who.client.append(key.identity).append(1, '\0').append(c.client_id);
    auto const wait = hub_.others().front.wait(who, hub_.shard().now());
    if (wait == 0) return caller_ = std::make_unique<caller>(std::move(who)), false;
    codec::connack_view answer{.code = codec::reason::connection_rate_exceeded};
    bytes user;
    codec::append_user_property(user, "retry_after_s", std::to_string(retry_after_s(wait, who.client)));
    answer.props.add(codec::prop::user_property);
    answer.props.user_properties = user;
    answer.props.user_property_count = 1;
    codec::encode(out(), answer, protocol);
    close(answer.code, "held off: it came or failed too often");
    return true;
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
