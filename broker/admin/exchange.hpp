#pragma once
// One HTTP request and its answer, free of any HTTP library: what routes and plugins see.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace airmail::admin {

/// Where a request came in; decides what it may ask for before any role is looked at.
enum class door {
    public_https,   // 8443 from anywhere: signed /fw/ only, until http_admin_bind
    admin_https,    // 8443 on loopback or on http_admin_bind: everything, by API key
    control,        // the Unix socket: everything, role admin by SO_PEERCRED
    metrics,        // 9464: /metrics, /healthz, /readyz
};

/// Owned by the connection while it is answered.
struct request {
    door from = door::public_https;
    std::string verb, path, query, headers, body;    // headers: "name: value\n", names in lower case
    std::string body_file, body_sha256;              // an upload that was streamed to disk, and its digest (hex)
    std::uint64_t body_size = 0;
    std::string caller, role, scope, request_id, peer, bearer;
    std::string range, if_range;
    std::string cookie, kind;                        // kind of caller: user, key, control
    bool upgrade = false;                            // asks for a WebSocket
};

/// Value of a header without the blanks around it, empty when it is not there. @param name in lower case
std::string_view header(request const& r, std::string_view name);

/// An image that is no plain file: encrypted at rest. Owned by: its transfer, on the HTTP thread.
class content {
public:
    virtual ~content() = default;
    virtual std::uint64_t size() const = 0;
    /// False: the disk has changed it, or it cannot be read; nothing of `piece` is sent then.
    virtual bool read(std::uint64_t at, std::span<std::uint8_t> piece) = 0;
};

/// Either `body`, or the file at `file_path` (Range, If-Range and HEAD are then answered by the server).
struct response {
    int status = 200;
    std::string content_type = "application/json", headers, body;
    std::string_view lasting;                         // the body, valid for ever, instead of `body`
    std::string file_path, etag, revoke_token;
    std::shared_ptr<content> opened;                  // instead of the file at `file_path`: what it holds
    std::uint64_t rate_bytes_s = 0, byte_budget = 0;  // 0 = unlimited
    std::uint64_t file_bytes = 0;                     // the first bytes of the file stand for all of it; 0 = the whole
};

/// Called exactly once, on the HTTP thread.
using responder = std::function<void(response)>;

/// An RFC 9457 problem: {"type","title","status","detail","code","request_id"}; `code` is room.errc.
response problem(int status, std::string_view code, std::string_view detail, std::string_view request_id);

}
