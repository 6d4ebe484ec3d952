// What leaves a lane after the commit, in the order it was asked for.
#include "broker/host/lane.hpp"

namespace airmail::host {

void lane::leave() {
    auto leaving = std::exchange(effects_, {});
    for (auto& e : leaving) std::visit([this](auto& x) { perform(x); }, e);
}

void lane::perform(publish_effect const& e) {
    env_.out.publish({e.who->id, e.topic, e.payload, e.content_type, e.response_topic, e.correlation_data, e.traceparent, e.expiry_s, e.qos, e.retain});
}

void lane::perform(reply_effect& e) {
    if (e.done) e.done(e.status, std::move(e.json));
}

void lane::perform(late_reply_effect& e) {
    auto node = pending_.extract(e.handle);
    if (node.empty()) return;     // its deadline was quicker
    auto& p = node.mapped();
    if (p.asked) deliver(std::make_unique<event>(answer_event{p.asked, e.status, std::move(e.json)}));
    else if (p.done) p.done(e.status, std::move(e.json));
}

void lane::perform(http_effect& e) {
    auto node = pending_.extract(e.handle);
    if (!node.empty() && node.mapped().http) node.mapped().http(std::move(e.answer));
}

void lane::perform(revoke_effect const& e) { env_.out.revoke(e.token); }
void lane::perform(disconnect_effect const& e) { env_.out.disconnect(e.identity, e.reason); }

void lane::perform(connect_effect& e) {
    auto node = connects_.extract(e.handle);
    if (node.empty()) return;
    auto l = node.mapped().who;
    if (e.what != sdk::verdict::ok || l->remaining.empty()) return l->answer(e.what, std::move(e.role));
    auto* next = l->remaining.back();
    l->remaining.pop_back();
    auto post = std::make_unique<event>(connect_event{l, next});
    if (!next->home->offer(post)) l->answer(sdk::verdict::refuse, {});
}

void lane::perform(timer_effect const& e) {
    if (!timers_.set({e.who, e.id}, e.due_ms)) log(sdk::level::error, e.who->id, "timer not set: 65,536 are running");
}

void lane::perform(remote_call_effect& e) {
    auto answer = [this, id = e.asked](int status, std::string json) {
        deliver(std::make_unique<event>(answer_event{id, status, std::move(json)}));
    };
    caller who{.name = e.from, .role = "admin"};
    auto post = std::make_unique<event>(call_event{e.what, std::move(e.params), std::move(who), answer});
    if (!e.what->who->home->offer(post)) answer(503, R"({"code":"host.busy"})");
}

void lane::perform(state_effect const& e) { env_.out.state_put(e.who->number, e.key, e.value); }

}
