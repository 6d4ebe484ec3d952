#include "plugins/dashboard/api/pages.hpp"

#include "plugins/dashboard/api/service.hpp"

#include <algorithm>

namespace airmail::dashboard {
namespace {

constexpr char safety[] = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
                          "base-uri 'none'; form-action 'self'; frame-ancestors 'none'\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Opener-Policy: same-origin\r\n"
                          "Permissions-Policy: camera=(), microphone=(), geolocation=()\r\n";

constexpr char not_built[] = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Airmail</title><h1>Airmail is up; its page was not built</h1>"
                             "<p>This airmaild was compiled without the dashboard. GraphQL (<code>/graphql</code>), REST (<code>/api/v1</code>) and <code>airmailctl</code> work. "
                             "To have the page: install Node 18 or newer, run <code>npm ci &amp;&amp; npm run build</code> in <code>plugins/dashboard/web</code>, configure and build again.</p></html>";

page_file const* find(std::string_view path) {
    auto const* end = page_files + page_file_count;
    auto const* at = std::find_if(page_files, end, [&](auto const& f) { return f.path == path; });
    return at == end ? nullptr : at;
}

std::string_view type_of(std::string_view path) {
    static constexpr std::pair<std::string_view, std::string_view> types[] = {
        {".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"}, {".css", "text/css; charset=utf-8"}, {".svg", "image/svg+xml"}, {".png", "image/png"},
        {".ico", "image/x-icon"}, {".json", "application/json"}, {".webmanifest", "application/manifest+json"}, {".woff2", "font/woff2"}, {".map", "application/json"}, {".txt", "text/plain; charset=utf-8"}};
    for (auto const& [end, type] : types)
        if (path.ends_with(end)) return type;
    return "application/octet-stream";
}

/// "gzip" and "br" are the only words looked for; q=0 refuses.
bool accepts(std::string_view header, std::string_view word) {
    auto at = header.find(word);
    if (at == header.npos) return false;
    auto rest = header.substr(at + word.size());
    return !(rest.starts_with(";q=0") && (rest.size() == 4 || rest[4] == ',' || rest.substr(4) == ".0"));
}

}

sdk::web_reply page(sdk::web_request const& r) {
    sdk::web_reply out;
    out.headers = safety;
    auto const* f = find(r.path);
    // Files lie under /assets/, or have a dot and no folder (/favicon.svg); everything else is a route of the app, such as a device's
    // page: serial numbers may have dots.
    bool const names_a_file = r.path.starts_with("/assets/") || (r.path.rfind('/') == 0 && r.path.find('.') != r.path.npos);
    if (!f && names_a_file) {
        out = problem(404, "http.not_found", "no such file", r.request_id);
        out.headers = safety;
        return out;
    }
    if (!f) f = find("/index.html");
    if (!f) {
        out.content_type = "text/html; charset=utf-8", out.body = not_built, out.headers += "Cache-Control: no-store\r\n";
        return out;
    }
    out.content_type = type_of(f->path);
    out.headers += f->path.starts_with("/assets/") ? "Cache-Control: public, max-age=31536000, immutable\r\n" : "Cache-Control: no-cache\r\n";
    out.headers += "Vary: Accept-Encoding\r\n";
    out.lasting = f->data;
    auto accepted = header(r, "accept-encoding");
    for (auto [word, end] : {std::pair{"br", ".br"}, std::pair{"gzip", ".gz"}})
        if (auto const* small = accepts(accepted, word) ? find(std::string{f->path} + end) : nullptr) {
            out.headers += std::string{"Content-Encoding: "} + word + "\r\n", out.lasting = small->data;
            break;
        }
    return out;
}

}
