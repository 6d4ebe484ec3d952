#include "broker/rest.hpp"

#include "broker/log/log.hpp"
#include "broker/log/metrics.hpp"
#include "storage/firmware/encoding.hpp"

#include <boost/json/parse.hpp>
#include <charconv>

namespace airmail {
namespace {

host::caller caller_of(admin::request const& r) { return {r.caller, r.role, r.request_id, {}, 0}; }

/// Streams an upload into the content-addressed store; what it becomes is decided by the plugin that gets the path.
class image_upload final : public admin::upload {
public:
    image_upload(storage::firmware::firmware_store& home, storage::firmware::upload u) : home_(home), upload_(std::move(u)) {}
    bool write(std::span<std::uint8_t const> piece) override {
        auto done = upload_.write(piece);
        if (!done) why_ = done.error().message();
        return done.has_value();
    }
    std::pair<std::string, std::string> finish() override {
        auto kept = upload_.finish();
        if (!kept) return why_ = kept.error().message(), std::pair<std::string, std::string>{};
        return {home_.path_of(kept->sha256), storage::firmware::to_hex(kept->sha256)};
    }
    std::string why() const override { return why_; }

private:
    storage::firmware::firmware_store& home_;
    storage::firmware::upload upload_;
    std::string why_;
};

/// Content-Length, or 0 when it does not say.
std::uint64_t announced(admin::request const& r) {
    auto const text = admin::header(r, "content-length");
    std::uint64_t n = 0;
    std::from_chars(text.data(), text.data() + text.size(), n);
    return n;
}

/// An image that lies encrypted, opened for one transfer.
class sealed_content final : public admin::content {
public:
    explicit sealed_content(storage::firmware::image_reader r) : reader_(std::move(r)) {}
    std::uint64_t size() const override { return reader_.size(); }
    bool read(std::uint64_t at, std::span<std::uint8_t> piece) override {
        auto const done = reader_.read(at, piece);
        if (!done) log::error("admin", {}, "an encrypted image cannot be read at {}: {}", at, done.error().message());
        return done.has_value();
    }

private:
    storage::firmware::image_reader reader_;
};

/// A sealed file is never sent as it is: what cannot be opened is an error, not garbage.
admin::response opened(admin::response out, storage::firmware::firmware_store const& images, std::string const& request_id) {
    if (!storage::firmware::firmware_store::is_sealed(out.file_path)) return out;
    auto image = images.reader(out.file_path);
    if (!image) {
        log::error("admin", {{"file", out.file_path}}, "an encrypted image cannot be opened: {}", image.error().message());
        return admin::problem(500, "firmware.sealed", "the image cannot be opened: " + image.error().message(), request_id);
    }
    out.opened = std::make_shared<sealed_content>(std::move(*image));
    return out;
}

/// What a key's scope is compared with: "/api/v1/firmware/x" -> "firmware.x".
std::string name_of_route(std::string_view path) {
    constexpr std::string_view root = "/api/v1/";
    std::string name(path.substr(0, root.size()) == root ? path.substr(root.size()) : path.substr(1));
    for (auto& c : name) c = c == '/' ? '.' : c;
    return name;
}

admin::response answer_of(host::http_answer a) {
    admin::response out;
    out.status = a.status ? a.status : 200;
    out.content_type = std::move(a.content_type);
    for (std::size_t at = 0; at < a.headers.size();) {  // lines of the ABI end in \n, HTTP's in \r\n
        auto end = a.headers.find('\n', at);
        if (end == a.headers.npos) end = a.headers.size();
        auto line = a.headers.substr(at, end - at);
        if (!line.empty() && line.back() == '\r') line.pop_back();
        if (!line.empty()) out.headers += line + "\r\n";
        at = end + 1;
    }
    out.body = std::move(a.body);
    out.file_path = std::move(a.file_path);
    out.etag = std::move(a.etag);
    out.revoke_token = std::move(a.revoke_token);
    out.rate_bytes_s = a.rate_bytes_s;
    out.byte_budget = a.byte_budget;
    out.file_bytes = a.file_bytes;
    return out;
}

/// A method answers JSON; errors carry {"code","detail"}, which becomes an RFC 9457 problem.
admin::response answer_of(int status, std::string json, std::string const& request_id) {
    if (status >= 400) {
        boost::system::error_code ec;
        auto const v = boost::json::parse(json, ec);
        auto const* o = ec ? nullptr : v.if_object();
        auto text = [&](char const* name, char const* otherwise) {
            auto const* m = o ? o->if_contains(name) : nullptr;
            return m && m->is_string() ? std::string(m->as_string()) : std::string(otherwise);
        };
        return admin::problem(status, text("code", "host.failed"), text("detail", "the request failed"), request_id);
    }
    admin::response out;
    out.status = status;
    out.body = std::move(json);
    return out;
}

constexpr std::uint64_t web_ref = ~std::uint64_t{0};

sdk::web_request asked_of(admin::request r) {
    sdk::web_request out;
    out.verb = std::move(r.verb), out.path = std::move(r.path), out.query = std::move(r.query), out.headers = std::move(r.headers);
    out.cookie = std::move(r.cookie), out.body = std::move(r.body), out.peer = std::move(r.peer), out.request_id = std::move(r.request_id);
    out.who = {std::move(r.caller), std::move(r.role), std::move(r.kind), std::move(r.scope)};
    return out;
}

admin::response answer_of(sdk::web_reply a) {
    admin::response out;
    out.status = a.status;
    out.content_type = std::move(a.content_type), out.headers = std::move(a.headers), out.body = std::move(a.body), out.lasting = a.lasting;
    return out;
}

}

rest::rest(parts p)
    : parts_(std::move(p)),
      upload_paths_(parts_.uploads, {[this](admin::request r, admin::responder done) {
                                         auto const to = parts_.host.match_route(r.verb, r.path);
                                         if (!to.to_route) return done(admin::problem(404, "http.not_found", "no plugin takes images here", r.request_id));
                                         call_route(to, std::move(r), std::move(done));
                                     },
                                     [this](std::function<void()> f) { parts_.on_http_thread(std::move(f)); },
                                     [this](admin::request const& r, std::string action, std::string target, std::string detail) { parts_.house.record(r, std::move(action), std::move(target), std::move(detail)); }}) {}

admin::route_match rest::match(std::string_view verb, std::string_view path) {
    using kind = admin::route_match::kind;
    if (auto own = parts_.house.match(verb, path); own.what != kind::none) return own;
    if (auto own = upload_paths_.match(verb, path); own.what != kind::none) return own;
    admin::route_match out;
    auto const found = parts_.host.match_route(verb, path);
    // The dashboard before the plugins: `/api/v1/devices/export` is no device called "export". Only its pages stand back.
    if (auto const web = parts_.web ? parts_.web->match(verb, path) : sdk::web_match{}; web.found && !(web.name == "page" && found)) {
        out.what = kind::plugin_route, out.ref = web_ref, out.inside = true;
        out.name = web.name, out.role = web.role, out.socket = web.socket;
        return out;
    } else if (!web.found && !web.verbs.empty()) {
        out.what = kind::wrong_verb, out.verbs = web.verbs;
        return out;
    }
    if (found.to_method) {
        out.what = kind::method;
        out.name = found.to_method->what.name;
        out.role = found.to_method->what.role;
    } else if (found.to_route) {
        out.what = kind::plugin_route;
        out.role = found.to_route->what.role;
        out.body_to_file = found.to_route->what.body == "file";
        out.name = name_of_route(path);
    } else if (found.other_verb) {
        out.what = kind::wrong_verb;
        for (auto const* v : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
            if (parts_.host.match_route(v, path)) out.verbs += (out.verbs.empty() ? "" : ", ") + std::string(v);
    }
    return out;
}

void rest::serve(admin::route_match const& m, admin::request r, admin::responder done) {
    if (m.ref == web_ref) return call_web(std::move(r), std::move(done));
    if (m.ref >= upload_paths::first_ref && m.ref <= upload_paths::last_ref) return upload_paths_.serve(m, std::move(r), std::move(done));
    if (m.ref) return parts_.house.serve(m, std::move(r), std::move(done));
    auto const to = parts_.host.match_route(r.verb, r.path);
    if (to.to_method) return call_method(to, std::move(r), std::move(done));
    if (to.to_route) return call_route(to, std::move(r), std::move(done));
    done(admin::problem(404, "http.not_found", "no such path: " + r.path, r.request_id));
}

void rest::call_method(host::route_match const& to, admin::request r, admin::responder done) {
    auto params = host::merge_params(to, r.query, r.body);
    if (!params) return done(admin::problem(400, "http.bad_body", "the body must be a JSON object, and the query percent-encoded UTF-8", r.request_id));
    parts_.host.call(*to.to_method, std::move(*params), caller_of(r), [done = std::move(done), id = r.request_id](int status, std::string json) {
        done(answer_of(status, std::move(json), id));
    });
}

void rest::call_route(host::route_match const& to, admin::request r, admin::responder done) {
    host::http_request ask;
    ask.who = caller_of(r);
    ask.verb = std::move(r.verb);
    ask.path = std::move(r.path);
    ask.query = std::move(r.query);
    ask.body = std::move(r.body);
    ask.headers = std::move(r.headers);
    ask.body_file = std::move(r.body_file);
    ask.body_sha256 = std::move(r.body_sha256);
    ask.body_size = r.body_size;
    ask.peer = std::move(r.peer);
    parts_.host.http(*to.to_route, std::move(ask), [done = std::move(done), &images = parts_.images, id = r.request_id](host::http_answer a) { done(opened(answer_of(std::move(a)), images, id)); });
}

void rest::call_web(admin::request r, admin::responder done) {
    parts_.web->serve(asked_of(std::move(r)), [done = std::move(done)](sdk::web_reply a) { done(answer_of(std::move(a))); });
}

std::shared_ptr<sdk::web_session> rest::open_socket(admin::request const& r, std::shared_ptr<sdk::web_socket> to, admin::response& refusal) {
    sdk::web_reply no;
    auto session = parts_.web ? parts_.web->open(asked_of(r), std::move(to), no) : nullptr;
    if (!session) refusal = answer_of(std::move(no));
    return session;
}

void rest::authenticate(std::string bearer, std::function<void(std::optional<admin::caller>)> done) {
    if (bearer.substr(0, 3) == "am_" || !parts_.web) return done(parts_.house.authenticate(bearer));
    auto const who = parts_.web->authenticate(bearer);
    if (!who) return done(std::nullopt);
    done(admin::caller{who->name, who->role, who->scope, who->kind});
}

std::unique_ptr<admin::upload> rest::begin_upload(admin::route_match const& m, admin::request const& r, admin::response& refusal) {
    if (m.ref >= upload_paths::first_ref && m.ref <= upload_paths::last_ref) return upload_paths_.begin(r, refusal);
    if (auto const why = parts_.too_low ? parts_.too_low(announced(r)) : std::string(); !why.empty()) {
        refusal = admin::problem(507, "http.disk_low", why, r.request_id);
        return nullptr;
    }
    auto begun = parts_.images.begin(parts_.upload_bytes_max);
    if (begun) return std::make_unique<image_upload>(parts_.images, std::move(*begun));
    refusal = admin::problem(503, "http.upload_refused", begun.error().message(), r.request_id);
    return nullptr;
}

std::string rest::metrics() {
    parts_.uploads.expire();               // whoever scrapes is also the clock: nothing else need wake for it
    return metrics::exposition() + (parts_.web ? parts_.web->metrics() : std::string{});
}

}
