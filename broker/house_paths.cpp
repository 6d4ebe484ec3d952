#include "broker/house_paths.hpp"

#include "broker/path_pattern.hpp"

#include "acl/api_key.hpp"
#include "broker/config/value.hpp"
#include "broker/handlers/operate.hpp"
#include "storage/replicate/replicator.hpp"
#include "storage/sqlite/api_keys.hpp"
#include "storage/sqlite/audit.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/url/parse_query.hpp>
#include <boost/url/url_view.hpp>
#include <chrono>

namespace airmail {

namespace json = boost::json;
namespace sq = storage::sqlite;

namespace {

std::int64_t wall_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string parameter(admin::request const& r, std::string_view name) {
    auto parsed = boost::urls::parse_query(r.query);
    if (!parsed) return {};
    for (auto const& p : *parsed)
        if (p.key.decode() == name) return p.value.decode();
    return {};
}

int limit_of(admin::request const& r, int otherwise, int most) {
    auto const text = parameter(r, "limit");
    int const n = text.empty() ? otherwise : std::atoi(text.c_str());
    return n < 1 ? 1 : n > most ? most : n;
}

void answer(admin::responder const& done, json::object o, int status = 200) {
    admin::response out;
    out.status = status;
    out.body = json::serialize(o);
    done(std::move(out));
}

sq::audit_entry deed(admin::request const& r, std::string action, std::string target, std::string detail = "{}") {
    sq::audit_entry e;
    e.at_ms = wall_ms();
    e.actor = r.caller;
    e.role = r.role;
    e.action = std::move(action);
    e.target = std::move(target);
    e.detail = std::move(detail);
    e.request_id = r.request_id;
    return e;
}

json::value seconds(std::int64_t ms) { return ms ? json::value(ms / 1000) : json::value(nullptr); }

}

house_paths::house_paths(std::string const& database, handlers::world& world, services s)
    : db_(database), outbox_(db_, {.wall_ms = wall_ms}), world_(world), services_(std::move(s)), database_(database) {}

house_paths::~house_paths() {
    if (backup_thread_.joinable()) backup_thread_.join();
}

std::vector<house_paths::path> const& house_paths::paths() {
    static std::vector<path> const all = {
        {"key.create", "POST", "/api/v1/keys", "admin", &house_paths::create_key},
        {"key.list", "GET", "/api/v1/keys", "admin", &house_paths::list_keys},
        {"key.revoke", "DELETE", "/api/v1/keys/{id}", "admin", &house_paths::revoke_key},
        {"session.list", "GET", "/api/v1/sessions", "viewer", &house_paths::list_sessions},
        {"session.kick", "DELETE", "/api/v1/sessions/{id}", "operator", &house_paths::kick},
        {"acl.explain", "GET", "/api/v1/acl/explain", "viewer", &house_paths::explain},
        {"certificate.list", "GET", "/api/v1/certificates", "viewer", &house_paths::list_certificates},
        {"config.reload", "POST", "/api/v1/reload", "admin", &house_paths::ask_reload},
        {"acl.observed", "GET", "/api/v1/acl/observed", "admin", &house_paths::observed},
        {"audit.list", "GET", "/api/v1/audit", "admin", &house_paths::list_audit},
        {"device.status", "GET", "/api/v1/devices/{id}/status", "viewer", &house_paths::device_status},
        {"campaign.status", "GET", "/api/v1/campaigns/{id}/status", "viewer", &house_paths::campaign_status},
        {"replication.state", "GET", "/api/v1/replication", "viewer", &house_paths::replication},
        {"replication.schema", "GET", "/api/v1/replication/schema", "admin", &house_paths::replication_schema},
        {"backup.make", "POST", "/api/v1/backup", "admin", &house_paths::backup},
        {"audit.verify", "GET", "/api/v1/audit/verify", "admin", &house_paths::verify_audit},
    };
    return all;
}

void house_paths::record(admin::request const& r, std::string action, std::string target, std::string detail) {
    sq::audit_append(db_, deed(r, std::move(action), std::move(target), std::move(detail)));
}

std::vector<sdk::web_method> house_paths::methods() const {
    std::vector<sdk::web_method> out;
    for (auto const& p : paths()) out.push_back({p.name, p.role, p.verb, p.pattern, ""});
    return out;
}

admin::route_match house_paths::match(std::string_view verb, std::string_view path) const {
    admin::route_match out;
    for (std::size_t i = 0; i < paths().size(); ++i) {
        bool const fits = id_in(paths()[i].pattern, path).has_value();
        if (!fits) continue;
        if (verb == paths()[i].verb) {
            out.what = admin::route_match::kind::method;
            out.role = paths()[i].role;
            out.ref = i + 1;
            out.name = paths()[i].name;
            return out;
        }
        out.what = admin::route_match::kind::wrong_verb;
        out.verbs += (out.verbs.empty() ? "" : ", ") + std::string(paths()[i].verb);
    }
    return out;
}

void house_paths::serve(admin::route_match const& m, admin::request r, admin::responder done) {
    auto const& p = paths().at(m.ref - 1);
    std::string id;
    if (auto const raw = id_in(p.pattern, r.path); raw && !raw->empty()) {
        auto decoded = boost::urls::make_pct_string_view(*raw);
        if (!decoded) return done(admin::problem(400, "http.bad_path", "the path is not percent-encoded UTF-8", r.request_id));
        id = decoded->decode();
    }
    try {
        (this->*p.answer)(r, id, done);
    } catch (sq::error const& e) {
        done(admin::problem(500, "storage.sqlite", e.what(), r.request_id));
    }
}

std::optional<admin::caller> house_paths::authenticate(std::string const& token) {
    auto const now = wall_ms();
    if (auto found = known_.find(token); found != known_.end() && found->second.until_ms > now) return found->second.who;
    auto const id = acl::api_key_id(token);
    auto const row = id ? sq::find_api_key(db_, *id) : std::nullopt;
    if (!row) return std::nullopt;
    acl::api_key_record kept{row->key_id, row->hash, {}, row->scope, row->expires_at_ms, row->revoked_at_ms != 0};
    if (acl::check_api_key(kept, token, now)) return std::nullopt;
    admin::caller who{"key " + row->key_id + " (" + row->name + ")", row->role, row->scope};
    if (known_.size() >= 1000) known_.clear();
    known_[token] = {who, now + 10'000};
    return who;
}

void house_paths::create_key(admin::request const& r, std::string const&, admin::responder done) {
    boost::system::error_code ec;
    auto const body = json::parse(r.body, ec);
    auto const* o = ec ? nullptr : body.if_object();
    auto text = [&](char const* name) {
        auto const* v = o ? o->if_contains(name) : nullptr;
        return v && v->is_string() ? std::string(v->as_string()) : std::string();
    };
    sq::api_key_row k;
    k.name = text("name");
    k.role = text("role").empty() ? "viewer" : text("role");
    k.scope = text("scope");
    k.created_by = r.caller;
    k.created_at_ms = wall_ms();
    if (k.name.empty() || (k.role != "viewer" && k.role != "operator" && k.role != "admin"))
        return done(admin::problem(422, "key.bad_request", "a key needs a name, and a role of viewer, operator or admin", r.request_id));
    if (auto const life = text("expires"); !life.empty()) {
        auto const ms = config::to_duration(life);
        if (!ms || ms->count() <= 0) return done(admin::problem(422, "key.bad_expires", "expires must be a time with a unit, like 90d or 12h", r.request_id));
        k.expires_at_ms = k.created_at_ms + ms->count();
    }
    auto const made = acl::make_api_key();
    if (!made) return done(admin::problem(503, "key.no_randomness", made.error().message(), r.request_id));
    k.key_id = made->id;
    k.hash = made->hash;
    sq::transaction t(db_);
    sq::insert_api_key(db_, k);
    sq::audit_append(db_, deed(r, "key.create", k.key_id, json::serialize(json::object{{"name", k.name}, {"role", k.role}, {"scope", k.scope}})));
    t.commit();
    answer(done, {{"key_id", k.key_id}, {"token", made->text}, {"name", k.name}, {"role", k.role}, {"scope", k.scope}, {"expires_at", seconds(k.expires_at_ms)}}, 201);
}

void house_paths::list_keys(admin::request const&, std::string const&, admin::responder done) {
    json::array list;
    for (auto const& k : sq::list_api_keys(db_))
        list.push_back(json::object{{"key_id", k.key_id}, {"name", k.name}, {"role", k.role}, {"scope", k.scope}, {"created_by", k.created_by},
                                    {"created_at", k.created_at_ms / 1000}, {"expires_at", seconds(k.expires_at_ms)}, {"revoked_at", seconds(k.revoked_at_ms)}});
    answer(done, {{"keys", std::move(list)}});
}

void house_paths::revoke_key(admin::request const& r, std::string const& id, admin::responder done) {
    sq::transaction t(db_);
    if (!sq::revoke_api_key(db_, id, r.caller, wall_ms())) return done(admin::problem(404, "key.not_found", "no living key " + id, r.request_id));
    sq::audit_append(db_, deed(r, "key.revoke", id));
    t.commit();
    known_.clear();
    answer(done, {{"revoked", id}});
}

void house_paths::list_sessions(admin::request const& r, std::string const&, admin::responder done) {
    auto const most = static_cast<std::size_t>(limit_of(r, 100, 10'000));
    handlers::list(world_, [most, only = parameter(r, "identity"), done](std::vector<handlers::session_info> all) {
        json::array list;
        for (auto const& s : all) {
            if ((!only.empty() && s.identity != only) || list.size() >= most) continue;
            list.push_back(json::object{{"identity", s.identity}, {"client_id", s.client_id}, {"address", s.address}, {"connected", s.connected}, {"durable", s.durable},
                                        {"protocol", s.protocol}, {"filters", s.subscriptions}, {"queued", s.queued}, {"in_flight", s.in_flight}, {"expiry_s", s.expiry_s}});
        }
        answer(done, {{"sessions", std::move(list)}, {"total", all.size()}});
    });
}

void house_paths::kick(admin::request const& r, std::string const& identity, admin::responder done) {
    sq::audit_append(db_, deed(r, "session.kick", identity));
    handlers::kick(world_, identity, codec::reason::administrative_action, false, [identity, done](std::size_t cut) { answer(done, {{"identity", identity}, {"disconnected", cut}}); });
}

void house_paths::explain(admin::request const& r, std::string const&, admin::responder done) {
    auto const engine = world_.acl.get();
    auto const word = parameter(r, "action"), topic = parameter(r, "topic");
    if (!engine) return done(admin::problem(409, "acl.none", "no rules are loaded", r.request_id));
    if (topic.empty() || (word != "publish" && word != "subscribe" && word != "receive"))
        return done(admin::problem(422, "acl.bad_request", "needs topic, and action publish, subscribe or receive", r.request_id));
    acl::identity who;
    who.name = parameter(r, "identity");
    who.client_id = parameter(r, "client_id");
    who.role = parameter(r, "role");
    who.listener = static_cast<std::uint16_t>(std::atoi(parameter(r, "listener").c_str()));
    auto const what = word == "publish" ? acl::action::publish : word == "subscribe" ? acl::action::subscribe : acl::action::receive;
    auto const d = engine->check(who, what, topic);
    answer(done, {{"allowed", d.allowed}, {"identity", who.name}, {"action", word}, {"topic", topic}, {"rule", engine->explain(d)}});
}

void house_paths::observed(admin::request const&, std::string const&, admin::responder done) {
    json::array list, rules;
    for (auto const& e : services_.denials->list())
        list.push_back(json::object{{"identity", e.user}, {"client_id", e.client_id}, {"action", std::string(word(e.what))}, {"topic", e.topic}, {"rule", e.rule}, {"times", e.times}});
    for (auto const& [rule, times] : services_.denials->by_rule()) rules.push_back(json::object{{"rule", rule}, {"times", times}});
    answer(done, {{"observing", services_.observing()}, {"denials", std::move(list)}, {"rules", std::move(rules)}, {"overflow", services_.denials->overflow()}});
}

void house_paths::device_status(admin::request const& r, std::string const& id, admin::responder done) { tell_status(storage::reads::subject::device, r, id, std::move(done)); }
void house_paths::campaign_status(admin::request const& r, std::string const& id, admin::responder done) { tell_status(storage::reads::subject::campaign, r, id, std::move(done)); }

/// The value of the Redis key, byte for byte; the header says who knew it.
void house_paths::tell_status(storage::reads::subject about, admin::request const& r, std::string const& id, admin::responder done) {
    if (!services_.status) return done(admin::problem(404, "reads.off", "this broker has no update plugin, so no devices and campaigns", r.request_id));
    services_.status(about, id, [done = std::move(done), request = r.request_id, id, about](storage::reads::answer a) {
        using kind = storage::reads::answer::kind;
        auto const what = about == storage::reads::subject::device ? "device " : "campaign ";
        if (a.what == kind::unknown) return done(admin::problem(404, "reads.unknown", "no " + (what + id), request));
        if (a.what == kind::unreachable) return done(admin::problem(503, "reads.unreachable", a.why, request));
        if (a.what == kind::busy) return done(admin::problem(503, "reads.busy", a.why, request));
        admin::response out;
        out.headers = "Airmail-Source: " + std::string(storage::reads::name_of(a.from)) + "\r\n";
        out.body = std::move(a.json);
        done(std::move(out));
    });
}

void house_paths::replication(admin::request const& r, std::string const&, admin::responder done) {
    if (!services_.replication) return done(admin::problem(404, "replicate.off", "this broker copies nothing", r.request_id));
    admin::response out;
    out.body = services_.replication();
    done(std::move(out));
}

/// The statements that bring a Postgres up to date: `airmailctl db migrate` runs them with a role that may.
void house_paths::replication_schema(admin::request const&, std::string const&, admin::responder done) {
    json::array list;
    for (auto const& s : storage::replicate::replicator::migration(database_)) list.push_back(json::string(s));
    admin::response out;
    out.body = json::serialize(json::object{{"statements", std::move(list)}});
    done(std::move(out));
}

void house_paths::backup(admin::request const& r, std::string const&, admin::responder done) {
    boost::system::error_code ec;
    auto const body = json::parse(r.body, ec);
    auto const* o = ec ? nullptr : body.if_object();
    auto const* to = o ? o->if_contains("directory") : nullptr;
    if (!to || !to->is_string()) return done(admin::problem(400, "backup.no_directory", "directory: an absolute path on the broker's machine", r.request_id));
    if (!services_.backup || backing_up_->exchange(true)) return done(admin::problem(409, "backup.busy", "a backup is under way", r.request_id));
    sq::audit_append(db_, deed(r, "backup.make", std::string(to->as_string())));
    if (backup_thread_.joinable()) backup_thread_.join();
    backup_thread_ = std::thread([make = services_.backup, directory = std::string(to->as_string()), busy = backing_up_, id = r.request_id, done = std::move(done)] {
        admin::response out;
        try {
            out.body = make(directory);
        } catch (std::exception const& e) { out = admin::problem(500, "backup.failed", e.what(), id); }
        busy->store(false);
        done(std::move(out));
    });
}

void house_paths::list_audit(admin::request const& r, std::string const&, admin::responder done) {
    json::array list;
    auto text = [](sq::value const& v) { return std::get<std::string>(v); };
    for (auto const& row : db_.exec("SELECT seq, at_ms, actor, role, action, target, outcome, detail, request_id FROM audit_log ORDER BY seq DESC LIMIT ?", {std::int64_t{limit_of(r, 50, 1000)}}))
        list.push_back(json::object{{"seq", std::get<std::int64_t>(row[0])}, {"at", std::get<std::int64_t>(row[1]) / 1000}, {"actor", text(row[2])}, {"role", text(row[3])}, {"action", text(row[4])},
                                    {"target", text(row[5])}, {"outcome", text(row[6])}, {"detail", text(row[7])}, {"request_id", text(row[8])}});
    answer(done, {{"entries", std::move(list)}});
}

void house_paths::verify_audit(admin::request const&, std::string const&, admin::responder done) {
    auto const v = sq::audit_verify(db_);
    answer(done, {{"intact", v.good}, {"rows", v.rows}, {"first_bad_seq", v.broken_at}, {"why", v.why}, {"head", v.head}});
}

void house_paths::list_certificates(admin::request const& r, std::string const&, admin::responder done) {
    auto const now = wall_ms() / 1000;
    auto const text = parameter(r, "days");
    std::int64_t const within = text.empty() ? certificate_alarm_days : std::atoll(text.c_str());
    json::array servers;
    for (auto const& c : services_.certificates ? services_.certificates() : std::vector<certificate_row>{}) {
        json::object o{{"listener", c.listener}, {"not_after", c.not_after}, {"days_left", days_left(c.not_after, now)}, {"alarm", days_left(c.not_after, now) < certificate_alarm_days}};
        if (c.lists) o["revoked"] = c.revoked, o["lists"] = c.lists, o["next_update"] = c.next_update;
        servers.push_back(std::move(o));
    }
    // Of devices only those who are here can be known: what is not connected shows no certificate.
    handlers::list(world_, [done, servers = std::move(servers), now, within](std::vector<handlers::session_info> rows) mutable {
        constexpr std::size_t most = 10'000;
        json::array devices;
        std::size_t expiring = 0;
        for (auto const& s : rows) {
            if (!s.certificate_not_after || days_left(s.certificate_not_after, now) >= within) continue;
            if (++expiring > most) continue;
            devices.push_back(json::object{{"identity", s.identity}, {"client_id", s.client_id}, {"serial", s.certificate_serial}, {"not_after", s.certificate_not_after}, {"days_left", days_left(s.certificate_not_after, now)}});
        }
        answer(done, {{"servers", std::move(servers)}, {"devices", std::move(devices)}, {"devices_expiring", expiring}, {"days", within}});
    });
}

void house_paths::ask_reload(admin::request const& r, std::string const&, admin::responder done) {
    if (!services_.reload) return done(admin::problem(501, "broker.no_reload", "the program around this broker takes no reload from here", r.request_id));
    sq::audit_append(db_, deed(r, "config.reload", "configuration"));
    services_.reload([done](std::vector<std::string> said) {
        json::array lines;
        for (auto& line : said) lines.emplace_back(std::move(line));
        answer(done, {{"lines", std::move(lines)}});
    });
}

}
