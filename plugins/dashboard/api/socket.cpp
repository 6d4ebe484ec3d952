#include "plugins/dashboard/api/socket.hpp"

#include "plugins/dashboard/api/service.hpp"
#include "plugins/dashboard/graphql/merge.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace airmail::dashboard {

namespace json = boost::json;

namespace {

constexpr std::int64_t init_ms = 10'000, token_grace_s = 60;
constexpr std::size_t running_max = 100;

}

socket_session::socket_session(service& home, std::shared_ptr<sdk::web_socket> to, std::string peer, std::uint64_t number)
    : home_(home), to_(std::move(to)), peer_(std::move(peer)), number_(number), opened_ms_(home.now_ms()) {}

void socket_session::send(json::object o) { to_->send(json::serialize(o)); }

void socket_session::close(int code, std::string reason) {
    over_ = true;
    to_->close(code, std::move(reason));
}

void socket_session::message(std::string_view text) {
    std::lock_guard hold(lock_);
    if (over_) return;
    boost::system::error_code ec;
    auto v = json::parse(text, ec);
    auto const* o = ec ? nullptr : v.if_object();
    auto type = o ? text_of(*o, "type") : std::string{};
    if (type == "connection_init") return init(*o);
    if (type == "ping") {
        json::object pong{{"type", "pong"}};
        if (auto const* p = o->if_contains("payload")) pong["payload"] = *p;
        return send(std::move(pong));
    }
    if (type == "pong") return;
    if (type == "subscribe") return subscribe(*o);
    if (type == "complete") {
        auto id = text_of(*o, "id");
        running_.erase(id), home_.subscriptions().remove(number_, id);
        return;
    }
    close(4400, "Invalid message");
}

void socket_session::init(json::object const& m) {
    if (ready_) return close(4429, "Too many initialisation requests");
    auto const* payload = m.if_contains("payload");
    if (payload && !payload->is_object() && !payload->is_null()) return close(4400, "Invalid message");
    auto token = payload && payload->is_object() ? text_of(payload->get_object(), "token") : std::string{};
    auto who = home_.who_of(token, &expires_at_);
    if (!who || rank(who->role) == 0) return close(4403, "Forbidden");
    who_ = std::move(*who), ready_ = true;
    send({{"type", "connection_ack"}});
}

void socket_session::subscribe(json::object const& m) {
    auto id = text_of(m, "id");
    auto const* payload = m.if_contains("payload") ? m.at("payload").if_object() : nullptr;
    auto const* variables = payload ? payload->if_contains("variables") : nullptr;
    if (id.empty() || id.size() > 128 || !payload || !payload->contains("query") || !payload->at("query").is_string() || (variables && !variables->is_object() && !variables->is_null()))
        return close(4400, "Invalid message");
    if (!ready_) return close(4401, "Unauthorized");
    if (running_.contains(id)) return close(4409, "Subscriber for " + id + " already exists");
    auto fail = [&](std::vector<graphql::request_error> const& errors) { send({{"id", id}, {"type", "error"}, {"payload", std::move(engine::failure(errors).body["errors"])}}); };
    if (running_.size() >= running_max) return fail({{"Too many operations on this socket.", {}, "graphql.too_many"}});
    auto s = std::make_shared<subscription>();
    if (auto errors = home_.gql().prepare(text_of(*payload, "query"), text_of(*payload, "operationName"), variables && variables->is_object() ? variables->get_object() : json::object{}, who_, s->what); !errors.empty())
        return fail(errors);
    if (home_.too_fast(who_, peer_)) return fail({{"Too many requests; wait a second.", {}, "http.too_many_requests"}});
    running_.insert(id);
    s->to = to_, s->id = id, s->socket = number_, s->who = who_, s->peer = peer_;
    if (s->what.op->what == graphql::operation_kind::subscription) {
        // The objects watched, from the arguments of the one root field.
        auto const& root = graphql::collect_root(s->what.doc, s->what.op->set);
        std::string why;
        auto arguments = home_.root_arguments(root, s->what.variables, why);
        if (!arguments) return running_.erase(id), fail({{why, {root.at}, "graphql.bad_argument"}});
        for (auto const& a : *arguments)
            if (a.value().is_string()) s->ids.push_back(text_of(a.value()));
            else if (a.value().is_array())
                for (auto const& x : a.value().get_array()) s->ids.push_back(text_of(x));
        if (s->ids.size() > 200) return running_.erase(id), fail({{"At most 200 devices in one subscription.", {}, "graphql.page_too_large"}});
        for (auto const& x : s->ids)
            if (!home_.exists(s->what.name, x)) return running_.erase(id), fail({{"There is no " + x + ".", {}, "registry.not_found"}});
        if (!home_.subscriptions().add(s)) running_.erase(id), fail({{"Too many subscriptions.", {}, "graphql.too_many"}});
        return;
    }
    auto self = shared_from_this();
    bool taken = home_.work([self, s](reader& db) {
        resolvers house(self->home_.common(), db, s->who, s->id, s->peer);
        auto r = self->home_.gql().execute(s->what, house);
        std::lock_guard hold(self->lock_);
        if (self->over_ || self->running_.erase(s->id) == 0) return;
        self->send({{"id", s->id}, {"type", "next"}, {"payload", std::move(r.body)}});
        self->send({{"id", s->id}, {"type", "complete"}});
    });
    if (!taken) running_.erase(id), fail({{"The server is busy.", {}, "host.busy"}});
}

void socket_session::closed() {
    {
        std::lock_guard hold(lock_);
        over_ = true;
    }
    home_.subscriptions().remove_all(number_);
    home_.forget(number_);
}

void socket_session::look(std::int64_t now_ms) {
    std::lock_guard hold(lock_);
    if (over_) return;
    if (!ready_) {
        if (now_ms - opened_ms_ > init_ms) close(4408, "Connection initialisation timeout");
        return;
    }
    if (expires_at_ && now_ms / 1000 > expires_at_ + token_grace_s) return close(4403, "token expired");
    if (!home_.still(who_)) close(4403, "Forbidden");
}

}
