#include "broker/upload_paths.hpp"

#include "broker/path_pattern.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <charconv>

namespace airmail {

namespace json = boost::json;

namespace {

constexpr std::string_view root = "/api/v1/firmware/uploads";
constexpr std::size_t said_max = 64;

std::optional<std::uint64_t> number(std::string_view s) {
    std::uint64_t n = 0;
    auto const [end, ec] = std::from_chars(s.data(), s.data() + s.size(), n);
    return !s.empty() && ec == std::errc() && end == s.data() + s.size() ? std::optional(n) : std::nullopt;
}

std::string offset_lines(open_upload const& u) {
    return "Upload-Offset: " + std::to_string(u.offset) + "\r\nUpload-Length: " + std::to_string(u.size) + "\r\nCache-Control: no-store\r\n";
}

json::object shown(open_upload const& u) {
    return {{"upload_id", u.id}, {"name", u.name}, {"size_bytes", u.size}, {"offset", u.offset}, {"sha256", u.sha256}, {"by", u.by}, {"finishing", u.finishing},
            {"created_at", u.created_ms / 1000}, {"touched_at", u.touched_ms / 1000}, {"path", std::string(root) + "/" + u.id}};
}

admin::response answer(json::object const& o, int status = 200) {
    admin::response out;
    out.status = status, out.body = json::serialize(o), out.headers = "Cache-Control: no-store\r\n";
    return out;
}

admin::response refused(open_uploads::refusal const& why, std::string const& request_id) {
    auto out = admin::problem(why.status, why.code, why.detail, request_id);
    if (why.status == 429) out.headers += "Retry-After: 60\r\n";
    return out;
}

admin::response unknown(std::string const& id, std::string const& request_id) {
    return admin::problem(404, "firmware.no_upload", "no upload " + id + ": it has ended, or nobody went on with it in time", request_id);
}

}

std::vector<upload_paths::path> const& upload_paths::paths() {
    static std::vector<path> const all = {
        {"firmware.upload_begin", "POST", "/api/v1/firmware/uploads", "Begins an upload that may be cut and go on: size_bytes, name, sha256. The same file of the same caller is found again.", &upload_paths::create},
        {"firmware.uploads", "GET", "/api/v1/firmware/uploads", "Uploads that have begun and not ended.", &upload_paths::list},
        {"firmware.upload_show", "GET", "/api/v1/firmware/uploads/{id}", "How far an upload is.", &upload_paths::show},
        {"firmware.upload_offset", "HEAD", "/api/v1/firmware/uploads/{id}", "The same in the headers Upload-Offset and Upload-Length.", &upload_paths::show},
        {"firmware.upload_append", "PATCH", "/api/v1/firmware/uploads/{id}", "The bytes from Upload-Offset on; 409 names the offset when another was meant.", &upload_paths::appended},
        {"firmware.upload_cancel", "DELETE", "/api/v1/firmware/uploads/{id}", "Takes it back; its bytes are removed.", &upload_paths::take_back},
        {"firmware.upload_finish", "POST", "/api/v1/firmware/uploads/{id}/finish", "All bytes are here: checks signature and digest, and keeps the image. Answers like POST /api/v1/firmware.", &upload_paths::finish},
    };
    return all;
}

std::vector<sdk::web_method> upload_paths::methods() {
    std::vector<sdk::web_method> out;
    for (auto const& p : paths()) out.push_back({p.name, "operator", p.verb, p.pattern, p.doc});
    return out;
}

admin::route_match upload_paths::match(std::string_view verb, std::string_view path) const {
    admin::route_match out;
    if (!path.starts_with(root)) return out;
    for (std::size_t i = 0; i < paths().size(); ++i) {
        auto const& p = paths()[i];
        if (!id_in(p.pattern, path)) continue;
        if (verb != p.verb) {
            out.what = admin::route_match::kind::wrong_verb;
            out.verbs += (out.verbs.empty() ? "" : ", ") + std::string(p.verb);
            continue;
        }
        out = {};
        out.what = admin::route_match::kind::method;
        out.role = "operator", out.name = p.name, out.ref = first_ref + i, out.body_to_file = verb == "PATCH";
        return out;
    }
    return out;
}

void upload_paths::serve(admin::route_match const& m, admin::request r, admin::responder done) {
    auto const& p = paths().at(m.ref - first_ref);
    (this->*p.answer)(r, std::string(*id_in(p.pattern, r.path)), std::move(done));
}

void upload_paths::create(admin::request const& r, std::string const&, admin::responder done) {
    boost::system::error_code ec;
    auto const body = json::parse(r.body, ec);
    auto const* o = ec ? nullptr : body.if_object();
    auto text = [&](char const* name) {
        auto const* v = o ? o->if_contains(name) : nullptr;
        return v && v->is_string() ? std::string(v->as_string()) : std::string();
    };
    auto const* size = o ? o->if_contains("size_bytes") : nullptr;
    auto const bytes = size ? json::try_value_to<std::uint64_t>(*size) : boost::system::result<std::uint64_t>(0);
    auto const made = uploads_.create(r.caller, text("name"), bytes ? *bytes : 0, text("sha256"));
    if (!made) return done(refused(made.error(), r.request_id));
    if (made->anew) services_.record(r, "firmware.upload_begin", made->id, json::serialize(json::object{{"name", made->name}, {"size_bytes", made->size}}));
    auto out = answer(shown(*made), made->anew ? 201 : 200);
    out.headers += "Location: " + std::string(root) + "/" + made->id + "\r\n" + "Upload-Offset: " + std::to_string(made->offset) + "\r\n";
    done(std::move(out));
}

void upload_paths::list(admin::request const&, std::string const&, admin::responder done) {
    json::array all;
    for (auto const& u : uploads_.list()) all.push_back(shown(u));
    done(answer({{"uploads", std::move(all)}}));
}

void upload_paths::show(admin::request const& r, std::string const& id, admin::responder done) {
    auto const u = uploads_.find(id);
    if (!u) return done(unknown(id, r.request_id));
    auto out = answer(shown(*u));
    out.headers = offset_lines(*u);
    done(std::move(out));
}

std::unique_ptr<admin::upload> upload_paths::begin(admin::request const& r, admin::response& refusal) {
    std::string const id(id_in("/api/v1/firmware/uploads/{id}", r.path).value_or(""));
    auto const at = number(admin::header(r, "upload-offset"));
    if (!at) {
        refusal = admin::problem(400, "firmware.no_offset", "Upload-Offset: the byte at which this body begins", r.request_id);
        return nullptr;
    }
    auto to = uploads_.append(id, *at);
    if (to) return std::move(*to);
    refusal = refused(to.error(), r.request_id);
    if (auto const u = uploads_.find(id)) refusal.headers += offset_lines(*u);
    return nullptr;
}

/// The body of a PATCH is whole; open_uploads has counted it as it came.
void upload_paths::appended(admin::request const& r, std::string const& id, admin::responder done) {
    auto const u = uploads_.find(id);
    if (!u) return done(unknown(id, r.request_id));
    admin::response out;
    out.status = 204, out.headers = offset_lines(*u);
    done(std::move(out));
}

void upload_paths::take_back(admin::request const& r, std::string const& id, admin::responder done) {
    auto const u = uploads_.find(id);
    if (!u) return done(unknown(id, r.request_id));
    if (u->finishing) return done(admin::problem(409, "firmware.upload_finishing", "it is whole, and being checked", r.request_id));
    uploads_.forget(id);
    services_.record(r, "firmware.upload_cancel", id, json::serialize(json::object{{"name", u->name}, {"offset", u->offset}}));
    done(answer({{"deleted", id}}));
}

void upload_paths::finish(admin::request const& r, std::string const& id, admin::responder done) {
    if (auto const told = said_.find(id); told != said_.end()) return done(told->second);
    auto const u = uploads_.find(id);
    if (!u) return done(unknown(id, r.request_id));
    if (u->finishing) return done(admin::problem(409, "firmware.upload_finishing", "it is being checked already; ask again in a moment", r.request_id));
    if (!uploads_.begin_finish(id)) {
        auto out = admin::problem(409, "firmware.upload_unfinished", "it has " + std::to_string(u->offset) + " of " + std::to_string(u->size) + " bytes", r.request_id);
        out.headers += offset_lines(*u);
        return done(std::move(out));
    }
    auto whole = r;
    whole.verb = "POST", whole.path = "/api/v1/firmware", whole.body.clear();
    whole.body_file = uploads_.path_of(id), whole.body_sha256 = u->sha256, whole.body_size = u->size;
    services_.take(std::move(whole), [this, id, done = std::move(done)](admin::response a) {
        services_.home([this, id, done, a = std::move(a)] {
            finished(id, a);
            done(a);
        });
    });
}

/// Taken, or so wrong that no byte of it can be of use: its files go. Else it may be tried again.
void upload_paths::finished(std::string const& id, admin::response const& answer) {
    bool const ended = answer.status < 300 || answer.status == 422 || answer.status == 400;
    if (!ended) return uploads_.leave_finish(id);
    uploads_.forget(id);
    said_[id] = answer;
    said_order_.push_back(id);
    if (said_order_.size() <= said_max) return;
    said_.erase(said_order_.front());
    said_order_.erase(said_order_.begin());
}

}
