#pragma once
// REST over open_uploads: a file that comes in pieces, and what it becomes at the end. The words are those of tus 1.0
// (Upload-Offset, Upload-Length, 409 at another offset), so that whoever knows them knows this; begin and finish speak JSON.
//
//   POST /api/v1/firmware/uploads {size_bytes, name?, sha256?} -> 201 {upload_id, offset}, 200 when it was open already
//   PATCH .../{id}  Upload-Offset: n  -> 204 Upload-Offset: m      HEAD, GET .../{id} -> how far it is      DELETE -> taken back
//   POST .../{id}/finish              -> what POST /api/v1/firmware would have said

#include "broker/open_uploads.hpp"

#include "plugins/sdk/web.hpp"

#include <map>

namespace airmail {

/// Owned by rest; on the HTTP thread.
class upload_paths {
public:
    struct services {
        /// The route that takes a whole file (`body_file` of the request); `done` from any thread.
        std::function<void(admin::request, admin::responder)> take;
        /// Runs something on the HTTP thread.
        std::function<void(std::function<void()>)> home;
        /// A line of the audit: who (in the request) did `action` to `target`.
        std::function<void(admin::request const&, std::string action, std::string target, std::string detail)> record;
    };
    /// Handles of our paths in route_match::ref; above those of house_paths, below the dashboard's.
    static constexpr std::uint64_t first_ref = 1u << 16, last_ref = first_ref + 15;

    upload_paths(open_uploads& uploads, services s) : uploads_(uploads), services_(std::move(s)) {}

    admin::route_match match(std::string_view verb, std::string_view path) const;
    void serve(admin::route_match const& m, admin::request r, admin::responder done);
    /// Where the body of a PATCH goes; null with `refusal`.
    std::unique_ptr<admin::upload> begin(admin::request const& r, admin::response& refusal);
    static std::vector<sdk::web_method> methods();

private:
    using handler = void (upload_paths::*)(admin::request const&, std::string const& id, admin::responder);
    struct path { char const* name; char const* verb; char const* pattern; char const* doc; handler answer; };
    static std::vector<path> const& paths();

    void create(admin::request const& r, std::string const&, admin::responder done);
    void list(admin::request const& r, std::string const&, admin::responder done);
    void show(admin::request const& r, std::string const& id, admin::responder done);
    void appended(admin::request const& r, std::string const& id, admin::responder done);
    void take_back(admin::request const& r, std::string const& id, admin::responder done);
    void finish(admin::request const& r, std::string const& id, admin::responder done);
    void finished(std::string const& id, admin::response const& answer);

    open_uploads& uploads_;
    services services_;
    /// What a finish has said, for a client whose connection broke before it heard: the last 64.
    std::map<std::string, admin::response> said_;
    std::vector<std::string> said_order_;
};

}
