#include "broker/admin/exchange.hpp"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace airmail::admin {

std::string_view header(request const& r, std::string_view name) {
    std::string_view all = r.headers;
    for (std::size_t at = 0; at < all.size();) {
        auto const end = std::min(all.find('\n', at), all.size());
        auto const line = all.substr(at, end - at);
        if (line.size() > name.size() + 1 && line.starts_with(name) && line[name.size()] == ':') {
            auto const v = line.substr(line.find_first_not_of(' ', name.size() + 1) == line.npos ? line.size() : line.find_first_not_of(' ', name.size() + 1));
            return v.substr(0, v.find_last_not_of(" \r") == v.npos ? 0 : v.find_last_not_of(" \r") + 1);
        }
        at = end + 1;
    }
    return {};
}


static std::string_view title(int status) {
    switch (status) {
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 413: return "Content Too Large";
    case 416: return "Range Not Satisfiable";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 503: return "Service Unavailable";
    default: return status >= 500 ? "Internal Server Error" : "Error";
    }
}

response problem(int status, std::string_view code, std::string_view detail, std::string_view request_id) {
    boost::json::object o{{"type", "about:blank"}, {"title", title(status)}, {"status", status},
                          {"detail", detail},      {"code", code},           {"request_id", request_id}};
    response r;
    r.status = status;
    r.content_type = "application/problem+json";
    r.body = boost::json::serialize(o);
    return r;
}

}
