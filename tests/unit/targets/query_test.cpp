#include "plugins/targets/query.hpp"

#include "plugins/targets/time_point.hpp"
#include "storage/sqlite/db.hpp"

#include <doctest/doctest.h>
#include <random>

using namespace airmail::plugins::targets;
namespace sqlite = airmail::storage::sqlite;

namespace {

constexpr std::int64_t now = 1'795'000'000'000;      // 2026-11-18

device_facts device() {
    device_facts d;
    d.serial_no = "SN-0042", d.device_id = "u42", d.model = "TX-100", d.version = "v1.0.2", d.status = "online", d.registration = "accepted";
    d.last_seen = now - 3'600'000, d.created_at = now - 86'400'000, d.updated_at = now, d.keys_version = 3, d.ever_seen = true;
    d.tags = {"lab", "Berlin"}, d.attributes = {{"group", "eu/north"}, {"rev", "7"}}, d.settings = {{"interval", "300"}};
    return d;
}

bool holds(char const* text, device_facts const& d = device()) {
    auto q = query::parse(text);
    INFO(text);
    if (!q) FAIL(q.error().sentence(text));
    return q->matches(d, now);
}

std::string refused(char const* text) {
    auto q = query::parse(text);
    return q ? "accepted" : q.error().sentence(text);
}

}

TEST_CASE("the fields of a device, in hawkBit's words and in ours") {
    for (auto yes : {"model==TX-100", "model==tx-1*", "model!=TX-200", "id==SN-0042", "controllerid==SN-*", "status=in=(online,updating)", "tag==lab",
                     "tag==berlin", "tag!=roof", "tag=in=(roof,lab)", "tag=out=(roof,attic)", "group==eu/*", "attribute.rev=gt=6", "attribute.rev=lt=10",
                     "setting.interval==300", "attribute.floor=is=null", "attribute.rev=not=null", "last_seen=gt=now-2h", "last_seen=lt=now-30m",
                     "lastcontrollerrequestat<${OVERDUE_TS}", "last_seen=ge=2026-11-17", "created_at=lt=1795000000", "keys_version==3", "keys_version=ge=3",
                     "security_counter=is=null", "ever_seen==true", "registration==accepted", "boot_slot=is=null",
                     "model==TX-100;fw=lt=1.1.0", "model==TX-200 or (tag==lab and fw=ge=1.0)"})
        CHECK_MESSAGE(holds(yes), yes);
    for (auto no : {"model==TX", "id==sn-0042", "tag==la", "tag!=lab", "attribute.floor==3", "attribute.floor=lt=3", "attribute.rev=lt=abc;attribute.rev=gt=abc",
                    "security_counter==0", "security_counter=lt=9", "ever_seen==false", "status!=online", "setting.interval=lt=30"})
        CHECK_MESSAGE(!holds(no), no);
    // != and =out= are the opposite of == and =in=, also where there is nothing to compare.
    CHECK(holds("attribute.floor!=3"));
    CHECK(holds("attribute.floor=out=(3,4)"));
    CHECK(holds("security_counter!=0"));
}

TEST_CASE("versions compare as semantic versions") {
    for (auto yes : {"fw==1.0.2", "fw==v1.0.2", "version==1.0.2+build9", "fw=lt=1.0.10", "fw=gt=1.0.2-rc.1", "fw==1.0.*", "fw==\">=1.0 <1.1\"", "fw==\"~1.0.1\"",
                     "fw==\"^1.0.0\"", "fw!=\"<1.0\"", "fw=in=(1.0.1,1.0.2)"})
        CHECK_MESSAGE(holds(yes), yes);
    for (auto no : {"fw=lt=1.0.2", "fw=gt=1.0.2", "fw==1.0.20", "fw==\"^2\"", "fw==\"~1.1\"", "fw==\"^0.9\"", "fw=out=(1.0.2)"}) CHECK_MESSAGE(!holds(no), no);
    auto odd = device();
    odd.version = "nightly";
    CHECK(!holds("fw=lt=9", odd));
    CHECK(!holds("fw=ge=0", odd));
    CHECK(holds("fw==nightly", odd));
    CHECK(holds("fw==night*", odd));
    CHECK(holds("fw!=1.0", odd));
}

TEST_CASE("what cannot be meant is refused, with its place") {
    CHECK(refused("modle==TX").starts_with("at character 1, before \"modle==TX\": no field \"modle\" (known: serial_no, device_id, model, fw,"));
    CHECK(refused("model==a;fw=lt=new").starts_with("at character 16, before \"new\": \"new\" is not a version"));
    CHECK(refused("last_seen=gt=yesterday").starts_with("at character 14, before \"yesterday\": \"yesterday\" is not a time"));
    CHECK(refused("last_seen=gt=2026-02-30").find("is not a time") != std::string::npos);
    CHECK(refused("keys_version==three").find("is not a whole number") != std::string::npos);
    CHECK(refused("tag=lt=a").find("has no order") != std::string::npos);
    CHECK(refused("model=lt=a*").find("a wildcard goes with") != std::string::npos);
    CHECK(refused("keys_version==1*").find("a wildcard goes with texts") != std::string::npos);
    CHECK(refused("ever_seen==maybe").find("true or false") != std::string::npos);
    CHECK(refused("fw==\"<< 1\"").find("not a range of versions") != std::string::npos);
    CHECK(refused("model=is=empty").find("go with null") != std::string::npos);
    CHECK(refused("attribute.==1").find("no field") != std::string::npos);
}

TEST_CASE("times: days, zones, unix in seconds and milliseconds, and what counts from now") {
    auto at = [](char const* s) { return parse_time(s).value_or(time_point{false, -1}).at(now); };
    CHECK(at("2026-11-24") == 1'795'478'400'000);
    CHECK(at("2026-11-24T10:00Z") == 1'795'478'400'000 + 36'000'000);
    CHECK(at("2026-11-24T10:00:30+02:00") == 1'795'478'400'000 + 28'830'000);
    CHECK(at("1795478400") == 1'795'478'400'000);
    CHECK(at("1795478400000") == 1'795'478'400'000);
    CHECK(at("now") == now);
    CHECK(at("now-2w") == now - 1'209'600'000);
    CHECK(at("now+1m") == now + 60'000);
    for (auto bad : {"", "now-", "now-h", "now--3h", "now-3", "2026-13-01", "2026-11-24T25:00Z", "2026-11-24x", "-5", "tomorrow"}) CHECK_MESSAGE(!parse_time(bad), bad);
}

namespace {

/// The registry's tables, as far as filters look at them.
struct registry {
    sqlite::db d{":memory:"};
    registry() {
        d.script("CREATE TABLE devices(device_id TEXT, serial_no TEXT, model TEXT, current_firmware TEXT, status TEXT, registration TEXT, boot_slot TEXT,"
                 " last_seen INTEGER, created_at INTEGER, updated_at INTEGER, keys_version INTEGER, security_counter INTEGER, ever_seen INTEGER) STRICT;"
                 "CREATE TABLE device_tags(device_id TEXT, tag TEXT) STRICT;"
                 "CREATE TABLE device_attributes(device_id TEXT, key TEXT, value TEXT) STRICT;"
                 "CREATE TABLE device_configs(device_id TEXT, config_key TEXT, config_value TEXT, reported INTEGER) STRICT;");
    }
    static sqlite::value opt(std::optional<std::int64_t> v) { return v ? sqlite::value{*v} : sqlite::value{nullptr}; }
    void put(device_facts const& f) {
        d.exec("INSERT INTO devices VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
               {f.device_id, f.serial_no, f.model, f.version, f.status, f.registration, f.boot_slot, f.last_seen, f.created_at, f.updated_at,
                opt(f.keys_version), opt(f.security_counter), std::int64_t{f.ever_seen}});
        for (auto const& t : f.tags) d.exec("INSERT INTO device_tags VALUES(?, ?)", {f.device_id, t});
        for (auto const& [k, v] : f.attributes) d.exec("INSERT INTO device_attributes VALUES(?, ?, ?)", {f.device_id, k, v});
        for (auto const& [k, v] : f.settings) d.exec("INSERT INTO device_configs VALUES(?, ?, ?, 1)", {f.device_id, k, v});
    }
    std::vector<std::string> ask(condition const& c) {
        std::vector<std::string> out;
        for (auto& r : d.exec("SELECT serial_no FROM devices d WHERE " + c.sql + " ORDER BY serial_no", std::span<sqlite::value const>{c.values}))
            out.push_back(std::get<std::string>(r[0]));
        return out;
    }
};

template <class T>
T pick(std::mt19937& rng, std::initializer_list<T> of) { return of.begin()[rng() % of.size()]; }

device_facts random_device(std::mt19937& rng, int n) {
    device_facts d;
    d.serial_no = pick<char const*>(rng, {"SN-", "sn-", "x*", "a%b_"}) + std::to_string(n), d.device_id = "u" + std::to_string(n);
    d.model = pick<char const*>(rng, {"TX-100", "tx-100", "TX-200", "", "T[X]?"});
    d.version = pick<char const*>(rng, {"", "1.0.0", "v1.0.2", "1.1.0-rc.1", "1.1.0", "2.0", "nightly", "1.10.0"});
    d.status = pick<char const*>(rng, {"online", "offline", "updating"}), d.registration = pick<char const*>(rng, {"accepted", "blocked"});
    d.boot_slot = pick<char const*>(rng, {"", "A", "b"});
    d.last_seen = now - static_cast<std::int64_t>(rng() % 5) * 3'600'000, d.created_at = now - static_cast<std::int64_t>(rng() % 3) * 86'400'000, d.updated_at = now;
    if (rng() % 2) d.keys_version = rng() % 3;
    if (rng() % 2) d.security_counter = rng() % 3;
    d.ever_seen = rng() % 2;
    for (auto t : {"lab", "Lab2", "roof"})
        if (rng() % 3 == 0) d.tags.emplace_back(t);
    if (rng() % 2) d.attributes["rev"] = pick<char const*>(rng, {"7", "10", "x", " 8 ", "007", "1e1", ""});
    if (rng() % 2) d.attributes["group"] = pick<char const*>(rng, {"eu/north", "EU/south", "us"});
    if (rng() % 2) d.settings["interval"] = pick<char const*>(rng, {"30", "300"});
    return d;
}

std::string random_test(std::mt19937& rng) {
    return pick<char const*>(rng, {
        "model==TX-100", "model!=tx-1*", "model==*", "model==\"\"", "model=is=null", "model=not=null", "model=gt=TX-100", "model=in=(TX-*,\"T[X]?\")",
        "model==T\\*", "id==SN-*", "id==sn-1*", "id==\"a%b_*\"", "id==x\\**", "id=in=(SN-1,SN-2,sn-*)", "id=ge=SN-5", "device_id!=u3",
        "fw==1.0.2", "fw!=1.1.0", "fw=lt=1.1.0", "fw=ge=1.1.0-rc.1", "fw==1.*", "fw==nightly", "fw==\">=1 <1.5\"", "fw=out=(\"~1.1\",2.0)", "fw=is=null",
        "status=in=(online,updating)", "status==OFF*", "registration==accepted", "boot_slot==B", "boot_slot=is=null",
        "last_seen=gt=now-2h", "last_seen=le=now-3h", "last_seen=is=null", "created_at=lt=now-1d", "updated_at==now", "created_at=is=null",
        "keys_version==1", "keys_version!=1", "keys_version=gt=0", "keys_version=is=null", "keys_version=in=(0,2)", "security_counter=out=(1,2)",
        "ever_seen==true", "ever_seen!=true", "tag==lab", "tag!=lab", "tag==LAB*", "tag=in=(roof,lab2)", "tag=out=(roof,lab)", "tag=is=null", "tag=not=null",
        "attribute.rev==7", "attribute.rev!=7", "attribute.rev=gt=8", "attribute.rev=le=10", "attribute.rev=gt=m", "attribute.rev=is=null", "attribute.rev==\"\"",
        "attribute.rev=in=(7,1*)", "group==eu/*", "group=out=(us)", "setting.interval==30", "setting.interval=lt=100", "setting.interval=not=null"});
}

std::string random_filter(std::mt19937& rng, int deep) {
    if (deep == 0 || rng() % 3 == 0) return random_test(rng);
    std::string out = "(" + random_filter(rng, deep - 1);
    for (auto n = 1 + rng() % 2; n > 0; --n) out += pick<char const*>(rng, {";", ",", " and ", " or "}) + random_filter(rng, deep - 1);
    return out + ")";
}

}

TEST_CASE("in RAM and in SQL a filter means the same devices") {
    std::mt19937 rng{20261124};
    registry r;
    std::vector<device_facts> all;
    std::vector<std::string> versions;
    for (int i = 0; i < 60; ++i) r.put(all.emplace_back(random_device(rng, i))), versions.push_back(all.back().version);
    std::sort(all.begin(), all.end(), [](auto const& a, auto const& b) { return a.serial_no < b.serial_no; });
    int some = 0;
    for (int i = 0; i < 600; ++i) {
        auto text = random_filter(rng, 3);
        CAPTURE(text);
        auto q = query::parse(text);
        if (!q) FAIL(q.error().sentence(text));
        std::vector<std::string> in_ram;
        for (auto const& d : all)
            if (q->matches(d, now)) in_ram.push_back(d.serial_no);
        auto c = q->where(1, now, [&] { return versions; });
        CAPTURE(c.sql);
        REQUIRE(r.ask(c) == in_ram);
        some += !in_ram.empty() && in_ram.size() < all.size();
    }
    CHECK(some > 300);
}

TEST_CASE("values never become SQL, and a thousand alternatives stay within SQLite's depth") {
    registry r;
    auto d = device();
    d.model = "x' OR '1'='1";
    r.put(d);
    auto ask = [&](std::string const& text) {
        auto q = query::parse(text);
        REQUIRE(q.has_value());
        auto c = q->where(1, now, [] { return std::vector<std::string>{"v1.0.2"}; });
        CHECK(c.sql.find("OR '1'") == std::string::npos);
        return r.ask(c).size();
    };
    CHECK(ask(R"(model=="x' OR '1'='1")") == 1);
    CHECK(ask(R"(model=="y' OR '1'='1")") == 0);
    std::string list = "model=in=(a*";
    for (int i = 0; i < 900; ++i) list += ",b*";
    CHECK(ask(list + ",x*)") == 1);
    std::string any = "tag==no";
    for (int i = 0; i < 98; ++i) any += ",tag==no";
    CHECK(ask(any + ",tag==lab") == 1);
}
