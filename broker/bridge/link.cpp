#include "broker/bridge/link.hpp"

#include "broker/bridge/metrics.hpp"
#include "broker/codec/disconnect.hpp"
#include "broker/codec/ping.hpp"
#include "broker/handlers/operate.hpp"
#include "broker/log/log.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <unistd.h>

namespace airmail::bridge {
namespace {

constexpr std::int64_t patience_ms = 20'000;        // from connect to the local session, each stage
constexpr std::int64_t primary_look_ms = 30'000;    // is the first address back?

std::string host_name() {
    char name[256]{};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

}

link::link(handlers::world& w, handlers::mqtt& home, config::bridge b, std::shared_ptr<handlers::listener_rules const> rules)
    : world_{w}, home_{home}, configured_{b}, settings_{std::move(b)}, rules_{std::move(rules)} {
    name();
}

link::~link() = default;

/// Numbers of connections without a socket: the top bit keeps them apart from those of sockets.
std::uint64_t link::next_connection() {
    static std::atomic<std::uint64_t> last{0};
    return std::uint64_t{1} << 63 | ++last;
}

void link::name() {
    remote_id_ = settings_.remote_client_id.empty() ? host_name() + "." + settings_.name : settings_.remote_client_id;
    local_id_ = local_id_of(settings_);
    state_topic_ = settings_.notification_topic.empty() ? "$SYS/broker/connection/" + remote_id_ + "/state" : settings_.notification_topic;
    private_ = settings_.try_private;
}

std::string local_id_of(config::bridge const& b) {
    if (!b.local_client_id.empty()) return b.local_client_id;
    return "local." + (b.remote_client_id.empty() ? host_name() + "." + b.name : b.remote_client_id);
}

void link::start() {
    // What the handlers wrote for our end in this turn is taken at its end.
    home_.on().at_turn_end([weak = weak_from_this()] {
        if (auto self = weak.lock()) self->wake();
    });
    every_second();
    notify(false);
    register_locally();
}

/// A durable local session exists before the other side was ever reached: what is published meanwhile is kept for it.
void link::register_locally() {
    bool const sends = std::any_of(settings_.topics.begin(), settings_.topics.end(), [](config::bridge_topic const& t) { return t.out; });
    if (settings_.local_clean() || !sends) {
        registered();
        if (settings_.starts != config::bridge::start::lazy) connect();
        return;
    }
    stage_ = stage::local;
    busy_at_ = home_.on().now();
    acl::identity who;
    who.name = settings_.local_user, who.client_id = local_id_, who.how = acl::proof::bridge;
    local_ = std::make_unique<local_end>(home_, rules_, std::move(who), next_connection());
    local_->connect(false, 1);
}

void link::registered() {
    registered_ = true;
    heard_.store(true, std::memory_order_release);
}

void link::connect() {
    if (stopped_ || stage_ != stage::idle || remote_) return;
    if (next_) settings_ = std::move(*next_), next_.reset(), name(), address_ = 0;
    auto const& to = settings_.addresses[address_ % settings_.addresses.size()];
    stage_ = stage::connecting;
    busy_at_ = home_.on().now();
    in_.clear();
    transport_events e;
    e.open = [weak = weak_from_this()] {
        if (auto self = weak.lock()) self->opened();
    };
    e.bytes = [weak = weak_from_this()](byte_view data) {
        if (auto self = weak.lock()) self->on_bytes(data);
    };
    e.closed = [weak = weak_from_this()](std::string why) {
        if (auto self = weak.lock()) self->lost(why);
    };
    try {
        remote_ = bridge::connect(home_.on().io(), settings_, to, std::move(e));
    } catch (std::exception const& bad) {
        lost(bad.what());
    }
}

void link::opened() {
    stage_ = stage::greeting;
    busy_at_ = home_.on().now();
    hello();
}

void link::on_bytes(byte_view data) {
    heard_at_ = home_.on().now();
    in_.insert(in_.end(), data.begin(), data.end());
    std::size_t taken = 0;
    auto const self = shared_from_this();
    // Not before our own end is there: what waits over there comes at once.
    while (remote_ && stage_ != stage::local && taken < in_.size()) {
        auto const f = codec::next_frame(byte_view{in_}.subspan(taken));
        if (!f) return lost("the other broker sent what is no MQTT packet");
        if (!f->complete()) break;
        taken += f->size;
        from_remote(*f);
    }
    if (remote_) in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(taken));
    flush();
}

void link::went_up() {
    stage_ = stage::up;
    up_since_ = busy_at_ = heard_at_ = spoke_at_ = home_.on().now();
    said_down_ = false;
    metric::up.add(1);
    log::info("bridge", {{"connection", settings_.name}}, "connected to {}:{}", settings_.addresses[address_ % settings_.addresses.size()].host, settings_.addresses[address_ % settings_.addresses.size()].port);
    notify(true);
    if (settings_.notifications && !settings_.notifications_local_only) publish_state_remotely(true);
    boost::asio::post(home_.on().io(), [weak = weak_from_this()] {
        auto self = weak.lock();
        if (!self || !self->remote_) return;
        self->on_bytes({});
        if (self->remote_) self->remote_->pause(false);
    });
}

void link::drop_transport(bool after_flush) {
    if (auto t = std::exchange(remote_, nullptr)) t->close(after_flush);
    // Not at once: its handlers may be what called us.
    if (local_) boost::asio::post(home_.on().io(), [gone = std::shared_ptr<local_end>(std::move(local_))] { gone->leave(); });
}

void link::lost(std::string const& why) {
    if (stage_ == stage::idle) return;
    bool const was_up = stage_ == stage::up;
    stage_ = stage::idle;
    if (was_up) {
        metric::up.add(-1);
        if (home_.on().now() - up_since_ >= std::chrono::milliseconds(settings_.restart_stable).count()) wait_ = {};
    }
    metric::lost.add();
    if (was_up || !said_down_) log::warn("bridge", {{"connection", settings_.name}}, "{}: {}", was_up ? "connection lost" : "cannot connect", why);
    said_down_ = true;
    drop_transport(false);
    if (was_up) notify(false);
    ++address_;
    if (settings_.starts == config::bridge::start::once && was_up) return;
    if (!stopped_) again();
}

/// Decorrelated jitter: many bridges that lost the same broker do not come back together.
void link::again() {
    using std::chrono::milliseconds;
    auto const base = milliseconds(settings_.restart_base), cap = milliseconds(settings_.restart_cap);
    auto const top = std::max(base, std::min(cap, wait_ * 3));
    wait_ = milliseconds(std::uniform_int_distribution<std::int64_t>{base.count(), top.count()}(random_));
    retry_.in(home_.on().timers(), wait_.count(), [this] {
        if (!registered_) return register_locally();
        if (settings_.starts != config::bridge::start::lazy || queued() >= settings_.threshold) connect();
    });
}

std::size_t link::queued() const {
    handlers::session_key const key{0, settings_.local_user, local_id_};
    auto* s = home_.all().find(key, handlers::hash(key));
    return s && s->sending_if() ? s->sending_if()->size() : 0;
}

void link::every_second() {
    clock_.in(home_.on().timers(), 1000, [this] { every_second(); });
    auto const now = home_.on().now();
    bool const waits = stage_ == stage::connecting || stage_ == stage::greeting || stage_ == stage::local;
    if (waits && now - busy_at_ > patience_ms) return lost(stage_ == stage::local ? "the local session does not answer" : "no answer in time");
    if (stage_ == stage::idle) {
        if (settings_.starts == config::bridge::start::lazy && registered_ && !retry_.armed() && queued() >= settings_.threshold) connect();
        return;
    }
    if (stage_ != stage::up) return;
    auto const quiet = settings_.keep_alive.count() * 1000;
    if (waiting_pong_ && now - heard_at_ > quiet + quiet / 2) return lost("the other broker is silent");
    if (now - spoke_at_ >= quiet || (!waiting_pong_ && now - heard_at_ >= quiet)) {
        codec::encode_pingreq(remote_->out());
        waiting_pong_ = true;
        spoke_at_ = now;
        remote_->flush();
    }
    if (settings_.starts == config::bridge::start::lazy && now - std::max(busy_at_, up_since_) > settings_.idle_timeout.count() * 1000 && queued() == 0) {
        stage_ = stage::idle;
        metric::up.add(-1);
        codec::encode(remote_->out(), codec::disconnect_view{}, version_of(settings_));
        drop_transport(true);
        notify(false);
        return;
    }
    look_for_primary(now);
}

void link::look_for_primary(std::int64_t now) {
    if (settings_.round_robin || address_ % settings_.addresses.size() == 0 || probe_ || now - probed_at_ < primary_look_ms) return;
    probed_at_ = now;
    transport_events e;
    e.open = [weak = weak_from_this()] {
        auto self = weak.lock();
        if (!self) return;
        if (auto p = std::exchange(self->probe_, nullptr)) p->close(false);
        self->wait_ = {};
        self->address_ = self->settings_.addresses.size() - 1;   // lost() goes one on: to the first
        self->lost("the first address answers again");
    };
    e.closed = [weak = weak_from_this()](std::string) {
        if (auto self = weak.lock()) self->probe_.reset();
    };
    probe_ = bridge::connect(home_.on().io(), settings_, settings_.addresses.front(), std::move(e));
}

void link::notify(bool up) {
    if (!settings_.notifications) return;
    storage::message_fields f;
    f.qos = 1, f.retain = true;
    f.topic = state_topic_;
    f.payload = as_bytes(std::string_view{up ? "1" : "0"});
    f.received_at_ms = world_.store->now_ms();
    handlers::publish(world_, storage::message::make(f));
}

void link::wake() {
    if (!local_) return;
    auto const self = shared_from_this();
    local_->drain([this](codec::frame const& f) { from_local(f); });
    if (local_ && local_->closed() && stage_ != stage::idle) {
        auto const why = local_->why();
        boost::asio::post(home_.on().io(), [weak = weak_from_this(), why] {
            if (auto s = weak.lock()) s->lost("the local session was ended: " + why);
        });
    }
    flush();
}

void link::flush() {
    if (!remote_ || remote_->waiting() == 0) return;
    spoke_at_ = home_.on().now();
    remote_->flush();
}

void link::change(config::bridge next) {
    bool const now = next.reload_immediate;
    next_ = std::move(next);
    if (stage_ == stage::idle && !retry_.armed()) return connect();
    if (!now) return;
    wait_ = {};
    if (stage_ != stage::idle) lost("its configuration changed");
    retry_.cancel();
    registered_ = false;
    settings_ = std::move(*next_), next_.reset(), name(), address_ = 0;
    boost::asio::post(home_.on().io(), [self = shared_from_this()] { self->register_locally(); });
}

void link::stop(bool forget) {
    stopped_ = true;
    retry_.cancel();
    clock_.cancel();
    if (auto p = std::exchange(probe_, nullptr)) p->close(false);
    if (stage_ == stage::up) {
        metric::up.add(-1);
        if (settings_.notifications && !settings_.notifications_local_only) publish_state_remotely(false);
        codec::encode(remote_->out(), codec::disconnect_view{}, version_of(settings_));
        notify(false);
    }
    stage_ = stage::idle;
    if (auto t = std::exchange(remote_, nullptr)) t->close(true);
    local_.reset();
    if (!forget) return;
    acl::identity who;
    who.name = settings_.local_user, who.client_id = local_id_, who.how = acl::proof::bridge;
    local_end last{home_, rules_, std::move(who), next_connection()};
    last.connect(true, 65535);   // a clean start ends the old session, leaving ends this one
}

}
