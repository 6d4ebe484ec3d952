#include "broker/gate.hpp"

#include "broker/handlers/operate.hpp"
#include "broker/log/log.hpp"
#include "broker/log/sparing.hpp"

namespace airmail {

handlers::wanted gate::wanted_by(std::string_view topic) const {
    auto const who = host_.topics(topic);
    return {who.consumers, who.durable, who.loose};
}

void gate::on_session(handlers::session_event const& e) {
    host::session_event out;
    out.change = static_cast<sdk::session_change>(e.what);  // the same four, in the same order, in the C ABI
    out.identity = std::string(e.identity);
    out.client_id = std::string(e.client_id);
    out.topic = std::string(e.topic);
    out.note = std::string(e.note);
    out.connection = e.connection;
    out.at_ms = e.at_ms;
    host_.post(std::move(out));
}

codec::reason gate::before_publish(session::session const& from, std::string_view topic, codec::publish_view const& p) {
    if (!topic.starts_with("$CONTROL/") || topic.ends_with("/response")) return codec::reason::success;
    if (topic == control_api::topic && control_ && serves_control_.load(std::memory_order_relaxed)) {
        say(control_api::response_topic, control_->answer(as_text(p.payload)));
        return codec::reason::no_matching_subscribers;   // it was for us
    }
    // mosquitto_ctrl waits for an answer on TOPIC/response: silence would look like a broker that hangs.
    thread_local log::sparing lines{20};   // as for other refusals (B29)
    if (lines.may(world_.store->now_ms())) log::warn("broker", {{"id", from.name()}, {"client_id", from.client_id()}, {"topic", topic}}, "a $CONTROL request was refused: users and rules are files here");
    if (topic == control_api::topic)
        say(control_api::response_topic, R"({"responses":[{"command":"","error":"Airmail answers $CONTROL/broker/v1 only with enable_control_api true"}]})");
    else
        say(std::string{topic} + "/response",
            R"({"responses":[{"command":"","error":"Airmail does not serve $CONTROL: users and rules are in password_file and acl_file (airmailctl migrate mosquitto makes them), and take effect with SIGHUP"}]})");
    return codec::reason::not_authorized;
}

void gate::say(std::string_view topic, std::string_view words) {
    storage::message_fields f;
    f.qos = 1;
    f.topic = topic;
    f.payload = as_bytes(words);
    f.received_at_ms = world_.store->now_ms();
    handlers::publish(world_, storage::message::make(f));
}

bool gate::authenticate(handlers::login const& l, handlers::login_done done) {
    if (!host_.decides_logins()) return false;
    host_.connect(l.identity, l.user, l.password, l.address, [done = std::move(done)](sdk::verdict v, std::string role) { done(v == sdk::verdict::ok, std::move(role)); });
    return true;
}

}
