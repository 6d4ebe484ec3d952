#include "plugins/dashboard/api/service.hpp"

#include "plugins/dashboard/api/pages.hpp"
#include "plugins/dashboard/dashboard.hpp"
#include "plugins/dashboard/graphql/merge.hpp"
#include "plugins/dashboard/graphql/schema_text.hpp"
#include "plugins/dashboard/graphql/values.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

namespace airmail::dashboard {

namespace json = boost::json;

namespace {

constexpr int workers = 4;
constexpr std::size_t queue_max = 256, sockets_max = 2048, rates_max = 10'000;

std::int64_t wall_ms() { return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

}

sdk::web_reply problem(int status, std::string_view code, std::string_view detail, std::string_view request_id) {
    sdk::web_reply r;
    r.status = status, r.content_type = "application/problem+json";
    r.body = json::serialize(json::object{{"type", "about:blank"}, {"title", status == 401 ? "Unauthorized" : status == 403 ? "Forbidden" : status == 404 ? "Not Found" : status == 429 ? "Too Many Requests" : status < 500 ? "Bad Request" : "Error"},
                                          {"status", status}, {"detail", detail}, {"code", code}, {"request_id", request_id}});
    return r;
}

sdk::web_reply problem(refused const& e, std::string_view request_id) {
    auto r = problem(e.status, e.code, e.detail, request_id);
    if (e.retry_after_s > 0) r.headers = "Retry-After: " + std::to_string(e.retry_after_s) + "\r\n";
    return r;
}

std::string_view header(sdk::web_request const& r, std::string_view name) {
    std::string_view all = r.headers;
    while (!all.empty()) {
        auto end = all.find('\n');
        auto line = all.substr(0, end);
        if (line.size() > name.size() + 1 && line.substr(0, name.size()) == name && line[name.size()] == ':') return line.substr(std::min(line.size(), name.size() + 2));
        all = end == all.npos ? std::string_view{} : all.substr(end + 1);
    }
    return {};
}

bool same_origin(sdk::web_request const& r) {
    auto origin = header(r, "origin");
    if (origin.empty()) return true;                       // no browser
    auto at = origin.find("://");
    return at != origin.npos && origin.substr(0, at) == "https" && origin.substr(at + 3) == header(r, "host");
}

std::string query_parameter(std::string_view query, std::string_view name) {
    auto decode = [](std::string_view s) {
        std::string out;
        for (std::size_t i = 0; i < s.size(); ++i) {
            auto hex = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
            if (s[i] == '%' && i + 2 < s.size() && hex(s[i + 1]) >= 0 && hex(s[i + 2]) >= 0) out += static_cast<char>(hex(s[i + 1]) * 16 + hex(s[i + 2])), i += 2;
            else out += s[i] == '+' ? ' ' : s[i];
        }
        return out;
    };
    while (!query.empty()) {
        auto end = query.find('&');
        auto part = query.substr(0, end);
        auto equals = part.find('=');
        if (decode(part.substr(0, equals)) == name) return equals == part.npos ? std::string{} : decode(part.substr(equals + 1));
        query = end == query.npos ? std::string_view{} : query.substr(end + 1);
    }
    return {};
}

service::service() : schema_(graphql::schema_text()) {}
service::~service() { stop(); }
std::unique_ptr<sdk::web_service> make_service() { return std::make_unique<service>(); }

void service::start(sdk::web_house& house) {
    house_ = &house, directory_ = house.directory();
    users_ = std::make_unique<people>(directory_, wall_ms, house.number("limit_jwt_life", access_life_s));
    shared_ = std::make_unique<shared>(house, *users_, cache_, wall_ms() / 1000, wall_ms);
    graphql::limits bounds;
    bounds.depth = static_cast<int>(house.number("http_graphql_depth", bounds.depth)), bounds.aliases = static_cast<int>(house.number("http_graphql_aliases", bounds.aliases));
    bounds.cost = house.number("http_graphql_cost", bounds.cost), bounds.page = house.number("limit_graphql_page", bounds.page);
    per_second_ = static_cast<double>(house.number("http_graphql_rate", 50));
    engine_ = std::make_unique<engine>(*shared_, bounds);
    hub_ = std::make_unique<hub>(*engine_, directory_, wall_ms);
    own_ = std::make_unique<reader>(directory_ + "/registry.db", wall_ms);
    users_->changed = [this] {
        // Whoever is no longer what he was loses his socket now, not at the next look.
        std::vector<std::shared_ptr<socket_session>> open;
        {
            std::lock_guard hold(sockets_lock_);
            for (auto& [n, s] : sockets_)
                if (auto kept = s.lock()) open.push_back(std::move(kept));
        }
        work([open = std::move(open)](reader&) {
            for (auto const& s : open) s->look(wall_ms());
        });
    };
    for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { worker(); });
    threads_.emplace_back([this] { watch(); });
    hub_->start();
    if (auto token = users_->setup_token(); !token.empty())
        house.log(1, "the dashboard has no user yet; make the first admin (once, here): " + house.address_of_page() + "/setup?token=" + token);
}

void service::stop() {
    {
        std::lock_guard hold(queue_lock_);
        if (stop_) return;
        stop_ = true;
    }
    if (shared_) shared_->stopping = true;                 // whoever waits for the HTTP thread's answer would wait in vain
    wake_.notify_all(), tick_.notify_all();
    for (auto& t : threads_) t.join();
    threads_.clear();
    if (hub_) hub_->stop();
    queue_.clear();
}

void service::worker() {
    pthread_setname_np(pthread_self(), "airmail-dash");
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 5);          // people wait for devices, not devices for people
    reader db(directory_ + "/registry.db", wall_ms);
    for (;;) {
        std::unique_lock hold(queue_lock_);
        wake_.wait(hold, [this] { return stop_ || !queue_.empty(); });
        if (stop_) return;
        auto job = std::move(queue_.front());
        queue_.pop_front();
        hold.unlock();
        try {
            job(db);
        } catch (std::exception const& e) { house_->log(3, std::string{"dashboard: "} + e.what()); }
    }
}

/// Once a second: deadlines of the sockets.
void service::watch() {
    pthread_setname_np(pthread_self(), "airmail-look");
    for (;;) {
        {
            std::unique_lock hold(queue_lock_);
            tick_.wait_for(hold, std::chrono::seconds(1), [this] { return stop_; });
            if (stop_) return;
        }
        std::vector<std::shared_ptr<socket_session>> open;
        {
            std::lock_guard hold(sockets_lock_);
            for (auto& [n, s] : sockets_)
                if (auto kept = s.lock()) open.push_back(std::move(kept));
        }
        for (auto const& s : open) s->look(wall_ms());
    }
}

bool service::work(std::function<void(reader&)> job) {
    {
        std::lock_guard hold(queue_lock_);
        if (stop_ || queue_.size() >= queue_max) return ++busy_, false;
        queue_.push_back(std::move(job));
    }
    wake_.notify_one();
    return true;
}

std::int64_t service::now_ms() const { return wall_ms(); }

std::optional<sdk::web_who> service::who_of(std::string const& token, std::int64_t* expires_at) {
    if (token.size() > token_bytes_max) return std::nullopt;
    *expires_at = 0;
    if (token.substr(0, 3) == "am_") return house_->key(token);
    return users_->authenticate(token, expires_at);
}

bool service::too_fast(sdk::web_who const& who, std::string const& peer) {
    if (who.kind == "control" || per_second_ <= 0) return false;
    auto const burst = per_second_ * 4;
    std::lock_guard hold(rates_lock_);
    auto now = wall_ms();
    if (rates_.size() >= rates_max) rates_.clear();
    bool over = false;
    // A user behind many addresses, or an address with many users: both are somebody.
    for (auto const& [key, share] : {std::pair{"u " + who.name, 1.0}, std::pair{"a " + peer, 4.0}}) {
        auto& b = rates_[key];
        if (b.at_ms == 0) b.tokens = burst * share, b.at_ms = now;
        b.tokens = std::min(burst * share, b.tokens + static_cast<double>(now - b.at_ms) * per_second_ * share / 1000), b.at_ms = now;
        if (b.tokens < 1) over = true;
        else b.tokens -= 1;
    }
    limited_ += over;
    return over;
}

std::optional<json::object> service::root_arguments(graphql::selection const& root, json::object const& variables, std::string& why) const {
    auto const* f = schema_.root(graphql::operation_kind::subscription)->field(root.name);
    return f ? graphql::coerce_arguments(f->arguments, root.arguments, variables, why) : std::nullopt;
}

bool service::exists(std::string const& field, std::string const& id) {
    auto const* text = field == "campaignProgress" ? "SELECT 1 FROM campaigns WHERE campaign_id = ?1" : "SELECT 1 FROM devices WHERE (tenant = 0 AND serial_no = ?1) OR device_id = ?1";
    try {
        return !own_->sql(text, {id}).empty();
    } catch (sdk::error const&) { return false; }
}

sdk::web_match service::match(std::string_view verb, std::string_view path) {
    auto found = [](char const* name, char const* role = "") { return sdk::web_match{true, false, name, role, {}}; };
    auto only = [&](std::string_view verbs, char const* name, char const* role = "") {
        return verbs.find(verb) != verbs.npos ? found(name, role) : sdk::web_match{false, false, {}, {}, std::string{verbs}};
    };
    if (path == "/graphql") {
        auto m = only("GET, POST", "graphql");
        m.socket = verb == "GET";
        return m;
    }
    if (path == "/api/v1/auth/login") return only("POST", "auth.login");
    if (path == "/api/v1/auth/refresh") return only("POST", "auth.refresh");
    if (path == "/api/v1/auth/logout") return only("POST", "auth.logout");
    if (path == "/api/v1/auth/setup") return only("GET, POST", "auth.setup");
    if (path == "/api/v1/openapi.json") return only("GET", "openapi", "viewer");
    if (path == "/api/v1/devices/export") return only("GET", "device.export", "viewer");
    if (path == "/api/v1/users") return only("GET, POST", "user", "admin");
    if (path.substr(0, 14) == "/api/v1/users/") {
        auto rest = path.substr(14);
        auto slash = rest.find('/');
        if (slash == rest.npos) return only("DELETE", "user", "admin");
        if (rest.substr(slash) == "/role" || rest.substr(slash) == "/password" || rest.substr(slash) == "/disabled") return only("PUT", "user", "admin");
        return {};
    }
    if (verb != "GET" && verb != "HEAD") return {};
    for (std::string_view taken : {"/api/", "/graphql", "/fw/", "/DEFAULT/", "/metrics", "/healthz", "/readyz"})
        if (path.substr(0, taken.size()) == taken) return {};
    return found("page");
}

void service::serve(sdk::web_request r, reply_fn done) {
    auto const& p = r.path;
    if (p == "/graphql") return serve_graphql(std::move(r), std::move(done));
    if (p.substr(0, 13) == "/api/v1/auth/") {
        if (!same_origin(r)) return done(problem(403, "auth.foreign_origin", "another site's page asked for this", r.request_id));
        if (p == "/api/v1/auth/login") return login(std::move(r), std::move(done));
        if (p == "/api/v1/auth/refresh") return refresh(std::move(r), std::move(done));
        if (p == "/api/v1/auth/logout") return logout(std::move(r), std::move(done));
        return setup(std::move(r), std::move(done));
    }
    if (p.substr(0, 13) == "/api/v1/users") {
        auto rest = p.size() > 14 ? std::string_view{p}.substr(14) : std::string_view{};
        auto slash = rest.find('/');
        std::string name;
        for (char c : rest.substr(0, slash)) name += c == '+' ? "%2B" : std::string(1, c);   // a plus is a plus in a path
        name = query_parameter("n=" + name, "n");
        auto what = slash == rest.npos ? std::string{} : std::string{rest.substr(slash + 1)};
        return users_rest(std::move(r), name, what, std::move(done));
    }
    if (p == "/api/v1/openapi.json") {
        sdk::web_reply out;
        out.body = openapi();
        return done(std::move(out));
    }
    if (p == "/api/v1/devices/export") return export_devices(std::move(r), std::move(done));
    done(page(r));
}

std::shared_ptr<sdk::web_session> service::open(sdk::web_request const& r, std::shared_ptr<sdk::web_socket> socket, sdk::web_reply& refusal) {
    if (!same_origin(r)) return refusal = problem(403, "auth.foreign_origin", "another site's page asked for this", r.request_id), nullptr;
    if (!r.query.empty()) return refusal = problem(400, "auth.token_in_url", "nothing belongs behind the address; a token goes into connection_init", r.request_id), nullptr;
    if (header(r, "sec-websocket-protocol").find("graphql-transport-ws") == std::string_view::npos)
        return refusal = problem(400, "graphql.bad_subprotocol", "the subprotocol must be graphql-transport-ws", r.request_id), nullptr;
    std::lock_guard hold(sockets_lock_);
    if (sockets_.size() >= sockets_max) return refusal = problem(503, "host.busy", "2,048 sockets are open", r.request_id), nullptr;
    auto number = ++last_socket_;
    auto s = std::make_shared<socket_session>(*this, std::move(socket), r.peer, number);
    sockets_[number] = s;
    return s;
}

void service::forget(std::uint64_t socket) {
    std::lock_guard hold(sockets_lock_);
    sockets_.erase(socket);
}

std::string service::metrics() {
    if (!engine_) return {};
    auto metric = [](char const* name, char const* kind, char const* help, std::uint64_t v) {
        return std::string{"# HELP "} + name + " " + help + "\n# TYPE " + name + " " + kind + "\n" + name + " " + std::to_string(v) + "\n";
    };
    std::size_t open = 0;
    {
        std::lock_guard hold(sockets_lock_);
        open = sockets_.size();
    }
    return engine_->times().exposition() + hub_->exposition() + metric("airmail_dashboard_sockets", "gauge", "Open WebSockets.", open) +
           metric("airmail_dashboard_refused_total", "counter", "GraphQL requests refused before resolving.", engine_->refused()) +
           metric("airmail_dashboard_limited_total", "counter", "Requests answered 429.", limited_.load()) + metric("airmail_dashboard_busy_total", "counter", "Requests answered 503 because too many waited.", busy_.load()) +
           metric("airmail_dashboard_logins_failed_total", "counter", "Logins with a wrong password or name.", users_->logins_failed());
}

}
