#include "plugins/ddi/feedback.hpp"

#include "plugins/kit/fields.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cctype>

namespace airmail::plugins::ddi {

std::optional<feedback> parse_feedback(std::string_view text) {
    if (text.size() > kit::payload_bytes_max) return std::nullopt;
    boost::system::error_code ec;
    auto v = boost::json::parse({text.data(), text.size()}, ec);
    if (ec || !v.is_object()) return std::nullopt;
    auto const* status = v.as_object().if_contains("status");
    if (!status || !status->is_object()) return std::nullopt;
    feedback f;
    auto read = [](boost::json::object const& o, char const* name, std::string& to) {
        if (auto const* m = o.if_contains(name); m && m->is_string()) to = std::string(m->as_string());
    };
    auto const& s = status->as_object();
    read(s, "execution", f.execution);
    if (auto const* result = s.if_contains("result"); result && result->is_object()) {
        read(result->as_object(), "finished", f.finished);
        if (auto const* p = result->as_object().if_contains("progress"); p && p->is_object()) {
            if (auto const* n = p->as_object().if_contains("cnt"); n && n->is_int64()) f.count = n->as_int64();
            if (auto const* n = p->as_object().if_contains("of"); n && n->is_int64()) f.of = n->as_int64();
        }
    }
    if (auto const* d = s.if_contains("details"); d && d->is_array())
        for (auto const& line : d->as_array())
            if (line.is_string() && f.details.size() < 2048) f.details += (f.details.empty() ? "" : " ") + std::string(line.as_string());
    if (f.execution.empty()) return std::nullopt;
    return f;
}

namespace {

/// Clients have no word for why; their sentences often do.
std::string_view reason_in(std::string details) {
    std::transform(details.begin(), details.end(), details.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    auto says = [&](std::string_view what) { return details.find(what) != details.npos; };
    if (says("signature")) return "signature_invalid";
    if (says("hash") || says("checksum") || says("sha1") || says("sha256")) return "checksum_mismatch";
    if (says("no space")) return "no_space";
    if (says("compatible")) return "incompatible";
    return {};
}

}

verdict verdict_of(feedback const& f, bool cancel) {
    auto const& e = f.execution;
    bool const failed = f.finished == "failure";
    if (cancel) {
        // A client that had installed already says success too (Debian's swupdate does): the version seen decides afterwards.
        if (e == "closed" && !failed) return {.word = "cancelled", .closes = true};
        if (e == "canceled") return {.word = "cancelled", .closes = true};
        if (e == "rejected" || (e == "closed" && failed)) return {.word = "too_late"};
        return {};
    }
    if (e == "closed" && failed) return {.word = "failed", .reason = reason_in(f.details), .closes = true};
    if (e == "closed") return {.word = "completed", .closes = true, .installed = true};
    if (e == "canceled") return {.word = "cancelled", .closes = true};
    if (e == "rejected") return {.word = "deferred"};
    if (e == "download" || e == "scheduled" || e == "resumed") return {.word = "downloading"};
    if (e == "downloaded") return {.word = "downloaded"};
    if (e == "proceeding") return {.word = "downloading", .progress = f.of > 0 && f.count >= 0 ? std::clamp<std::int64_t>(f.count * 100 / f.of, 0, 100) : -1};
    return {};
}

}
