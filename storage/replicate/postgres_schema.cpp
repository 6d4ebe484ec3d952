#include "storage/replicate/postgres_schema.hpp"

#include "storage/outbox/row_sql.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <string_view>

namespace airmail::storage::replicate {

using sqlite::quote_name;

namespace {

bool is_time(std::string_view name) {
    return name == "at" || name == "at_ms" || name == "last_seen" || ((name.ends_with("_at") || name.ends_with("_at_ms")) && name != "deadline_at");
}

// Not campaign_id: a campaign may be called what its maker likes, and the document itself calls one `camp_789`.
bool is_uuid(std::string_view name) { return name == "device_id" || name == "firmware_id" || name == "campaign_device_id"; }

std::string joined(std::vector<std::string> const& names) {
    std::string out;
    for (auto const& n : names) out += (out.empty() ? "" : ", ") + quote_name(n);
    return out;
}

pg_column column_of(table const& t, outbox_column const& c) {
    pg_column p{c.name, c.name, "text", "text", "x." + quote_name(c.name), t.is_key(c.name), t.is_folded(c.name)};
    auto const x = p.from;
    if (c.is_blob) p.type = "bytea", p.raw = "json", p.from = "decode(" + x + "->>'$blob', 'hex')";
    else if (c.type == "REAL") p.type = p.raw = "double precision";
    else if (c.type == "INTEGER") p.type = p.raw = "bigint";
    // What the words of a foreign plugin's columns mean we do not know; of ours we do.
    if (!t.built_in) return p;
    if (c.type == "INTEGER" && is_time(c.name)) {
        if (p.name.ends_with("at_ms")) p.name.resize(p.name.size() - 3);
        p.type = "timestamptz";      // 0 where a time must be means never
        p.from = "timestamptz 'epoch' + " + (c.not_null && !p.key ? "nullif(" + x + ", 0)" : x) + " * interval '1 millisecond'";
    } else if (c.type == "TEXT") {
        if (t.words.contains(c.name)) p.type = t.name + "_" + c.name, p.from = x + "::" + quote_name(p.type), p.type = quote_name(p.type);
        else if (is_uuid(c.name)) p.type = "uuid", p.from = "nullif(" + x + ", '')::uuid";
        else if (c.name == "target_criteria") p.type = "jsonb", p.from = x + "::jsonb";
    }
    return p;
}

void add_enums(std::vector<std::string>& out, table const& t) {
    if (!t.built_in) return;
    for (auto const& [column, words] : t.words) {
        auto const type = t.name + "_" + column;
        std::string list;
        for (auto const& w : words) list += (list.empty() ? "" : ", ") + quote_text(w);
        out.push_back(fmt::format("DO $$ BEGIN IF to_regtype({}) IS NULL THEN CREATE TYPE {} AS ENUM ({}); END IF; END $$", quote_text(quote_name(type)), quote_name(type), list));
        for (auto const& w : words) out.push_back(fmt::format("ALTER TYPE {} ADD VALUE IF NOT EXISTS {}", quote_name(type), quote_text(w)));
    }
}

void add_table(std::vector<std::string>& out, table const& t) {
    add_enums(out, t);
    auto const columns = pg_columns(t);
    std::string body;
    for (auto const& c : columns) body += fmt::format("{} {}, ", quote_name(c.name), c.type);
    auto const name = quote_name(t.name);
    out.push_back(fmt::format("CREATE TABLE IF NOT EXISTS {} ({}airmail_node bigint NOT NULL, airmail_seq bigint NOT NULL, PRIMARY KEY ({}))", name, body, joined(pg_key(t))));
    for (auto const& c : columns) out.push_back(fmt::format("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}", name, quote_name(c.name), c.type));
    // Layout 1 had campaign_id as uuid, and rows of a campaign called otherwise were set aside.
    if (t.built_in)
        for (auto const& c : columns)
            if (c.name == "campaign_id" && c.type == "text")
                out.push_back(fmt::format("DO $$ BEGIN IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass({}) AND attname = 'campaign_id' AND atttypid = 'uuid'::regtype) THEN "
                                          "ALTER TABLE {} ALTER COLUMN campaign_id TYPE text USING campaign_id::text; END IF; END $$", quote_text(name), name));
    auto there = [&](std::vector<std::string> sources) {
        for (auto& s : sources)
            for (auto const& c : columns)
                if (c.source == s) s = c.name;
        return joined(sources);
    };
    for (auto const& u : t.unique) {
        std::string plain;
        for (auto const& c : u) plain += "_" + c;
        out.push_back(fmt::format("CREATE UNIQUE INDEX IF NOT EXISTS {} ON {} ({})", quote_name(t.name + plain + "_key"), name, there(u)));
    }
    for (auto const& [index, on] : t.indexes) out.push_back(fmt::format("CREATE INDEX IF NOT EXISTS {} ON {} ({})", quote_name(index), name, there(on)));
    out.push_back(fmt::format("INSERT INTO airmail_schema(table_name, version, applied_at) VALUES ({}, {}, now()) ON CONFLICT (table_name) DO UPDATE SET version = excluded.version, "
                              "applied_at = now() WHERE airmail_schema.version < excluded.version", quote_text(t.name), t.version));
}

/// A version as bytes that sort as Semantic Versioning says (section 11, with a fourth number), so that `< v1.1.0` is an index condition:
/// each number behind a letter for its length, then '~' for a release or '!' and the identifiers of a pre-release. What is no version
/// sorts before all that are, as in storage/firmware/semver. (An index-only scan wants the column itself beside the expression.)
constexpr char version_key[] = R"sql(CREATE OR REPLACE FUNCTION airmail_semver(v text) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT convert_to(CASE WHEN v ~ '^\s*[vV]?\d{1,20}(\.\d{1,20}){0,3}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?\s*$' THEN
  (SELECT string_agg(chr(64 + length(n)) || n, '' ORDER BY i)
   FROM (SELECT i, coalesce(nullif(ltrim(split_part(substring(v FROM '\d[\d.]*'), '.', i), '0'), ''), '0') AS n FROM generate_series(1, 4) AS i) AS core)
  || coalesce('!' || (SELECT string_agg(CASE WHEN p ~ '^\d+$' THEN '0' || chr(64 + length(p)) || p ELSE '1' || p END, chr(1) ORDER BY i)
     FROM unnest(string_to_array(substring(split_part(btrim(v), '+', 1) FROM '-(.*)$'), '.')) WITH ORDINALITY AS x(p, i)), '~')
ELSE '!' || v END, 'UTF8') $$)sql";

}

std::vector<pg_column> pg_columns(table const& t) {
    std::vector<pg_column> out;
    for (auto const& c : t.columns) out.push_back(column_of(t, c));
    return out;
}

std::vector<std::string> pg_key(table const& t) {
    std::vector<std::string> out;
    if (t.local_key) out.push_back("airmail_node");
    for (auto const& k : t.key) out.push_back(column_of(t, t.column(k)).name);
    return out;
}

std::vector<std::string> migration_sql(std::vector<table> const& tables) {
    std::vector<std::string> out{
        "SELECT pg_advisory_xact_lock(7090433801290310)",      // two operators at once: one after the other
        "CREATE TABLE IF NOT EXISTS airmail_schema(table_name text PRIMARY KEY, version bigint NOT NULL, applied_at timestamptz NOT NULL)",
        "CREATE TABLE IF NOT EXISTS airmail_replica(node_id bigint PRIMARY KEY, seq bigint NOT NULL, at timestamptz NOT NULL)",
        fmt::format("INSERT INTO airmail_schema VALUES ('', {}, now()) ON CONFLICT (table_name) DO UPDATE SET version = excluded.version, applied_at = now() WHERE airmail_schema.version < excluded.version", layout), version_key};
    for (auto const& t : tables) add_table(out, t);
    bool devices = false;
    for (auto const& t : tables) devices |= t.name == "devices" && t.built_in;
    // "TX-100 below v1.1.0, not updated for 30 days" is one range of this index, versions compared when rows are written.
    if (devices) out.push_back("CREATE INDEX IF NOT EXISTS devices_by_release ON devices (model, airmail_semver(current_firmware), updated_at) INCLUDE (serial_no, current_firmware)");
    std::string readable;
    for (auto const& t : tables)
        if (t.name != "users" && t.name != "api_keys") readable += (readable.empty() ? "" : ", ") + quote_name(t.name);
    if (!readable.empty())
        out.push_back(fmt::format("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'airmail_reader') THEN CREATE ROLE airmail_reader NOLOGIN; END IF; "
                                  "GRANT SELECT ON {} TO airmail_reader; EXCEPTION WHEN insufficient_privilege THEN RAISE NOTICE 'role airmail_reader not made: no right to'; END $$", readable));
    return out;
}

std::string schema_problem(std::vector<table> const& tables, std::vector<std::vector<std::string>> const& have) {
    auto version_of = [&](std::string const& name) {
        for (auto const& r : have)
            if (r.size() > 1 && r[0] == name) return std::stoll(r[1]);
        return -1ll;
    };
    if (version_of("") > layout) return fmt::format("the schema is newer than this program (layout {}, this program knows {}): start the newer airmaild", version_of(""), layout);
    if (auto v = version_of(""); v >= 0 && v < layout) return fmt::format("the schema is older than this program (layout {}, this program knows {}): run airmailctl db migrate", v, layout);
    for (auto const& t : tables)
        if (auto v = version_of(t.name); v > t.version)
            return fmt::format("table {} is newer than this program (step {}, this program knows {}): start the newer airmaild", t.name, v, t.version);
        else if (v < t.version) return fmt::format("table {} is {}: run airmailctl db migrate", t.name, v < 0 ? "missing" : "older than this program");
    return {};
}

}
