#include "storage/sqlite/audit.hpp"

#include "storage/sqlite/fingerprint.hpp"

namespace airmail::storage::sqlite {

namespace {

constexpr std::string_view genesis = "airmail audit 1";

// Every field with its length before it: no two different rows have the same bytes.
void put(std::string& out, std::string_view field) {
    out += std::to_string(field.size());
    out += ':';
    out += field;
}

std::string link(std::string_view prev, std::int64_t seq, audit_entry const& e) {
    std::string text;
    put(text, prev);
    put(text, std::to_string(seq));
    put(text, std::to_string(e.tenant));
    put(text, std::to_string(e.at_ms));
    for (std::string_view f : {std::string_view(e.actor), std::string_view(e.role), std::string_view(e.action), std::string_view(e.target),
                               std::string_view(e.outcome), std::string_view(e.detail), std::string_view(e.request_id),
                               std::string_view(e.traceparent)})
        put(text, f);
    return sha256_hex(text);
}

std::string text_of(cell const& c) {
    auto const* s = std::get_if<std::string_view>(&c);
    return s ? std::string(*s) : std::string();
}

std::int64_t number_of(cell const& c) {
    auto const* i = std::get_if<std::int64_t>(&c);
    return i ? *i : 0;
}

}

std::int64_t audit_append(db& d, audit_entry const& e) {
    auto last = d.exec("SELECT seq, hash FROM audit_log ORDER BY seq DESC LIMIT 1");
    std::int64_t seq = last.empty() ? 1 : std::get<std::int64_t>(last[0][0]) + 1;
    std::string prev = last.empty() ? sha256_hex(genesis) : std::get<std::string>(last[0][1]);
    d.exec("INSERT INTO audit_log(seq, tenant, at_ms, actor, role, action, target, outcome, detail, request_id, traceparent, prev_hash, hash)"
           " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
           {seq, std::int64_t(e.tenant), e.at_ms, e.actor, e.role, e.action, e.target, e.outcome, e.detail, e.request_id, e.traceparent,
            prev, link(prev, seq, e)});
    return seq;
}

audit_verdict audit_verify(db& d) {
    audit_verdict v;
    std::string prev = sha256_hex(genesis);
    std::int64_t expected = 1;
    d.each("SELECT seq, tenant, at_ms, actor, role, action, target, outcome, detail, request_id, traceparent, prev_hash, hash"
           " FROM audit_log ORDER BY seq", {}, [&](std::span<cell const> c) {
        audit_entry e{std::uint32_t(number_of(c[1])), number_of(c[2]), text_of(c[3]), text_of(c[4]), text_of(c[5]), text_of(c[6]),
                      text_of(c[7]), text_of(c[8]), text_of(c[9]), text_of(c[10])};
        std::int64_t seq = number_of(c[0]);
        std::string hash = text_of(c[12]);
        if (seq != expected) v.why = "row " + std::to_string(expected) + " is missing";
        else if (text_of(c[11]) != prev) v.why = "row " + std::to_string(seq) + " does not follow the one before it";
        else if (hash != link(prev, seq, e)) v.why = "row " + std::to_string(seq) + " was changed";
        if (!v.why.empty()) {
            v.good = false;
            v.broken_at = expected;
            return false;
        }
        ++v.rows;
        ++expected;
        prev = hash;
        return true;
    });
    v.head = prev;
    return v;
}

}
