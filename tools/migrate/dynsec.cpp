#include "tools/migrate/dynsec.hpp"

#include "acl/password.hpp"
#include "acl/pattern.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fmt/core.h>
#include <map>
#include <vector>

namespace airmail::migrate {
namespace {

namespace json = boost::json;

json::object const* object(json::value const& v) { return v.if_object(); }
std::string text(json::object const& o, std::string_view key) {
    auto const* v = o.if_contains(key);
    return v && v->is_string() ? std::string{v->as_string().data(), v->as_string().size()} : std::string{};
}
std::int64_t number(json::object const& o, std::string_view key, std::int64_t otherwise) {
    auto const* v = o.if_contains(key);
    return v && v->is_int64() ? v->as_int64() : otherwise;
}
bool flag(json::object const& o, std::string_view key, bool otherwise) {
    auto const* v = o.if_contains(key);
    return v && v->is_bool() ? v->as_bool() : otherwise;
}
std::vector<json::object const*> list(json::object const& o, std::string_view key) {
    std::vector<json::object const*> out;
    if (auto const* v = o.if_contains(key); v && v->is_array())
        for (auto const& one : v->as_array())
            if (auto const* member = object(one)) out.push_back(member);
    return out;
}
/// Names stand in line-based files: none of them may begin a new line.
bool plain(std::string const& s) {
    return !s.empty() && std::none_of(s.begin(), s.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }) && s.front() != ' ' && s.back() != ' ';
}

/// `roles` or `groups` of a client or group: the highest priority first.
std::vector<std::string> ranked(json::object const& of, std::string_view array, std::string_view name) {
    auto all = list(of, array);
    std::stable_sort(all.begin(), all.end(), [](auto const* a, auto const* b) { return number(*a, "priority", -1) > number(*b, "priority", -1); });
    std::vector<std::string> out;
    for (auto const* one : all) out.push_back(text(*one, name));
    return out;
}

struct converter {
    report& say;
    std::string const& file;
    std::map<std::string, std::string> roles;        // name -> lines
    std::map<std::string, std::pair<bool, bool>> kinds;   // name -> has allows, has denies
    std::map<std::string, std::vector<std::string>> groups;   // name -> roles
    dynsec out;

    void role(json::object const& r);
    void client(json::object const& c, std::map<std::string, std::vector<std::string>> const& members);
    void section(std::string const& head, std::vector<std::string> const& of);
};

void converter::role(json::object const& r) {
    auto const name = text(r, "rolename");
    std::string lines;
    bool allows = false, denies = false;
    auto acls = list(r, "acls");
    std::stable_sort(acls.begin(), acls.end(), [](auto const* a, auto const* b) { return number(*a, "priority", -1) > number(*b, "priority", -1); });
    for (auto const* a : acls) {
        auto const type = text(*a, "acltype"), topic = text(*a, "topic");
        bool const allow = flag(*a, "allow", false);
        std::string_view action;
        if (type == "publishClientSend") action = "publish";
        else if (type == "publishClientReceive") action = "receive";
        else if (type == "subscribeLiteral" || type == "subscribePattern" || type == "subscribe") action = "subscribe";
        else if (type.starts_with("unsubscribe")) continue;   // always allowed here
        if (action.empty() || !plain(topic) || !acl::valid_filter(topic)) {
            say.refused(file, fmt::format("role {}: {} \"{}\" cannot be said in our rules{}", name, type, topic, allow ? "; what it allows is denied" : ""));
            // A deny that is lost would open: the role denies everything instead.
            if (!allow) lines += "deny all #\n", denies = true;
            continue;
        }
        (allow ? allows : denies) = true;
        lines += fmt::format("{} {} {}\n", allow ? "allow" : "deny", action, topic);
        if (type == "subscribeLiteral") say.changed(file, fmt::format("role {}: subscribeLiteral {} covers narrower filters too", name, topic));
    }
    if (allows && denies) say.changed(file, fmt::format("role {}: priorities are gone: a deny that matches always wins, so it may allow less than before", name));
    roles[name] = lines;
    kinds[name] = {allows, denies};
    say.maps(file, fmt::format("role {}: {} rules", name, std::count(lines.begin(), lines.end(), '\n')));
}

void converter::section(std::string const& head, std::vector<std::string> const& of) {
    out.rules += "\n" + head + "\n";
    std::vector<std::string> said;
    bool allows = false, denies = false;
    for (auto const& r : of) {
        auto const at = roles.find(r);
        if (at == roles.end() || std::find(said.begin(), said.end(), r) != said.end()) continue;
        said.push_back(r);
        out.rules += "# role " + r + "\n" + at->second;
        allows |= kinds[r].first, denies |= kinds[r].second;
    }
    if (allows && denies && said.size() > 1) say.changed(file, head + ": several roles, some of which deny: a deny that matches always wins");
}

void converter::client(json::object const& c, std::map<std::string, std::vector<std::string>> const& members) {
    auto const name = text(c, "username");
    if (!plain(name) || name.find(':') != name.npos) return say.refused(file, "a client whose name cannot stand in a password file is left out");
    auto const bound = text(c, "clientid");
    if (!bound.empty()) return say.refused(file, "client " + name + " may log in as client id " + bound + " only, which our password file cannot say: it is left out");
    auto hash = text(c, "encoded_password");
    if (hash.empty() && !text(c, "password").empty()) hash = fmt::format("$7${}${}${}", number(c, "iterations", 101), text(c, "salt"), text(c, "password"));
    if (flag(c, "disabled", false)) say.changed(file, "client " + name + " is disabled: it has no password here, so it cannot log in");
    else if (!acl::is_password_hash(hash)) say.refused(file, "client " + name + " has no password that can be verified: it cannot log in");
    else out.passwords += name + ":" + hash + "\n";
    auto of = ranked(c, "roles", "rolename");
    for (auto const& g : ranked(c, "groups", "groupname"))
        if (auto const at = groups.find(g); at != groups.end()) of.insert(of.end(), at->second.begin(), at->second.end());
    if (auto const more = members.find(name); more != members.end())
        for (auto const& g : more->second)
            if (auto const at = groups.find(g); at != groups.end()) of.insert(of.end(), at->second.begin(), at->second.end());
    section("user " + name, of);
}

}

std::optional<dynsec> convert_dynsec(std::string_view text_in, std::string const& file, report& say, std::string& why) {
    boost::system::error_code ec;
    json::parse_options limits;
    limits.max_depth = 16;
    auto const doc = json::parse(json::string_view{text_in.data(), text_in.size()}, ec, {}, limits);
    if (ec || !doc.is_object()) return why = file + ": " + (ec ? ec.message() : "expected a JSON object"), std::nullopt;
    auto const& root = doc.as_object();
    converter c{say, file, {}, {}, {}, {}};
    c.out.rules = "airmail 1\n# Made by airmailctl migrate mosquitto from " + file + "; a role stands in full under each user that has it.\n";
    for (auto const* r : list(root, "roles")) c.role(*r);
    std::map<std::string, std::vector<std::string>> members;
    for (auto const* g : list(root, "groups")) {
        c.groups[text(*g, "groupname")] = ranked(*g, "roles", "rolename");
        for (auto const* m : list(*g, "clients")) members[text(*m, "username")].push_back(text(*g, "groupname"));
    }
    for (auto const* one : list(root, "clients")) c.client(*one, members);
    auto anonymous = text(root, "anonymousGroup");
    if (auto const* o = root.if_contains("anonymousGroup"); o && o->is_object()) anonymous = text(o->as_object(), "groupname");
    if (auto const at = c.groups.find(anonymous); at != c.groups.end()) c.section("anonymous", at->second);
    c.out.rules += "\neverybody\n";
    json::object const none;
    auto const* access = root.if_contains("defaultACLAccess");
    auto const& defaults = access && access->is_object() ? access->as_object() : none;
    if (flag(defaults, "publishClientSend", false)) c.out.rules += "allow publish #\n";
    if (flag(defaults, "publishClientReceive", true)) c.out.rules += "allow receive #\n";
    if (flag(defaults, "subscribe", false)) c.out.rules += "allow subscribe #\n";
    say.changed(file, "users are changed in the files now, and take effect with SIGHUP; $CONTROL/dynamic-security requests are refused");
    return std::move(c.out);
}

}
