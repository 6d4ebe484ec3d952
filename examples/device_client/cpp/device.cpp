// A device for Airmail in C++20: libmosquitto, libcurl, OpenSSL, Boost.JSON and Asio. Besides updates it serves its owner a page of
// settings on loopback; a change there ends in devices/{id}/notify (Flow 4), and what the operator wants arrives as `config`.
//
//   ./device dev-1.pem /var/lib/dev-1 TX-100 v1.0.0 [port of the page, 0 = one that is free]
//
// All of the device runs on one io_context; libmosquitto's thread and the download's only post to it. slot_a and slot_b stand for the
// two partitions, state.json for what a boot loader remembers: written before every step, and a start goes on from it.

#include <boost/asio.hpp>
#include <boost/beast.hpp>
#include <boost/json.hpp>
#include <curl/curl.h>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <random>
#include <set>
#include <thread>
#include <unistd.h>

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace http = boost::beast::http;
namespace json = boost::json;
using namespace std::chrono_literals;

static std::vector<std::string> arguments; // for the next boot

struct refused { std::string reason; };   // ends an update; one of the reasons of examples/README.md
struct stale {};                          // an old command, or another device's: not answered

namespace {

std::int64_t now_s() { return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::string text(json::object const& o, std::string_view name) {
    auto const* v = o.if_contains(name);
    return v && v->is_string() ? std::string(v->as_string()) : std::string();
}
json::object object(json::object const& o, std::string_view name) {
    auto const* v = o.if_contains(name);
    return v && v->is_object() ? v->as_object() : json::object();
}
bool holds(json::object const& o, std::string_view list, std::string_view word) {
    auto const* v = o.if_contains(list);
    return v && v->is_array() && std::any_of(v->as_array().begin(), v->as_array().end(), [&](auto const& x) { return x.is_string() && x.as_string() == word; });
}
std::string read(fs::path const& p) {
    std::ifstream in(p, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}
std::string from_base64(std::string const& s) {
    std::string out(s.size() + 3, '\0');
    int n = s.size() % 4 ? -1 : EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<unsigned char const*>(s.data()), static_cast<int>(s.size()));
    if (n < 0) throw refused{"signature_invalid"};
    out.resize(static_cast<std::size_t>(n) - (s.ends_with("==") ? 2 : s.ends_with('=') ? 1 : 0));
    return out;
}
std::string sha256(std::string_view bytes) {
    unsigned char d[32];
    EVP_Digest(bytes.data(), bytes.size(), d, nullptr, EVP_sha256(), nullptr);
    std::string hex;
    for (auto b : d) hex += "0123456789abcdef"[b >> 4], hex += "0123456789abcdef"[b & 15];
    return hex;
}
bool signed_by(std::string const& der, std::string const& alg, std::string const& bytes, std::string const& sig) {
    auto const* at = reinterpret_cast<unsigned char const*>(der.data());
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())), EVP_PKEY_free);
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> ctx(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    return key && EVP_DigestVerifyInit(ctx.get(), nullptr, alg == "ed25519" ? nullptr : EVP_sha256(), nullptr, key.get()) == 1 &&
           EVP_DigestVerify(ctx.get(), reinterpret_cast<unsigned char const*>(sig.data()), sig.size(), reinterpret_cast<unsigned char const*>(bytes.data()), bytes.size()) == 1;
}

/// The payload of a DSSE envelope, once enough different keys of `role` have signed exactly these bytes.
std::string opened(json::object const& envelope, std::string const& type, json::object const& keys, std::string_view role) try {
    auto const payload = from_base64(text(envelope, "payload"));
    auto const bytes = "DSSEv1 " + std::to_string(type.size()) + " " + type + " " + std::to_string(payload.size()) + " " + payload;
    auto const who = object(object(keys, "roles"), role);
    std::set<std::string> good;
    for (auto const& v : envelope.at("sigs").as_array()) {
        auto const& s = v.as_object();
        auto const kid = text(s, "kid");
        if (!holds(who, "kids", kid) || holds(keys, "revoked", kid)) continue;      // a key we do not know says nothing
        if (signed_by(from_base64(text(object(object(keys, "keys"), kid), "public")), text(s, "alg"), bytes, from_base64(text(s, "sig")))) good.insert(kid);
    }
    if (text(envelope, "type") != type || good.empty() || good.size() < who.at("threshold").to_number<std::size_t>()) throw refused{"signature_invalid"};
    return payload;
} catch (std::exception const&) { throw refused{"signature_invalid"}; }

class device {
public:
    device(std::string bundle, fs::path dir, std::string model, std::string const& first, std::uint16_t page);
    void run() { io_.run(); }

private:
    // --- What a device says.
    void publish(std::string const& leaf, json::object const& o) {
        auto const s = json::serialize(o);
        mosquitto_publish(mqtt_, nullptr, ("devices/" + id_ + "/" + leaf).c_str(), static_cast<int>(s.size()), s.data(), 1, false);
    }
    std::string running() const { return text(object(s_, "versions"), text(s_, "active")); }
    std::string spare() const { return text(s_, "active") == "a" ? "b" : "a"; }
    bool at(std::string_view stage) const { return text(s_, "stage") == stage; }
    void heartbeat() {
        publish("heartbeat", {{"serial_no", id_}, {"model", model_}, {"current_firmware", running()}, {"timestamp", now_s()}, {"boot_id", boot_id_}, {"boot_slot", text(s_, "active")},
                              {"counter", s_.at("counter")}, {"keys_version", s_.at("keys").at("version")}, {"last_command_id", text(s_, "last_command_id")}, {"last_result", text(s_, "last_result")}});
    }
    void status(json::object const& c, std::string const& word, json::object more = {}) {
        std::cout << id_ << ' ' << word << ' ' << more << std::endl;
        more["campaign_id"] = text(c, "campaign_id"), more["command_id"] = text(c, "command_id"), more["status"] = word, more["timestamp"] = now_s();
        publish("status", more);
    }
    void tell_again(json::object const& c) {
        auto const r = text(s_, "last_result");
        if (r == "completed" || r == "rollback" || r == "cancelled") status(c, r);
        else status(c, "failed", {{"reason", r}, {"error", r}});
    }
    void ended(json::object const& c, std::string const& result) {     // the last word; remembered, so that it can be told again
        s_["last_command_id"] = text(c, "command_id"), s_["last_result"] = result, s_["stage"] = "idle";
        save(), tell_again(c);
    }
    void save() {
        std::ofstream(dir_ / "state.new") << s_;
        fs::rename(dir_ / "state.new", dir_ / "state.json");           // a real device syncs here
    }

    // --- What comes.
    void message(std::string const& topic, std::string const& payload);
    void first_words();
    std::string check_command(json::object const& c, bool remember);
    json::object check_release(json::object const& c, std::string const& manifest_sha256);
    void update(json::object const& c);
    void fetch(json::object c, std::string url, int tries);
    void fetched(json::object const& c, long code, int tries);
    void install(json::object const& c);
    void reboot();
    void change(std::string const& key, std::string const& value) {
        auto& settings = s_["settings"].as_object();
        publish("notify", {{"setting_changed", key}, {"old_value", text(settings, key)}, {"new_value", value}, {"timestamp", now_s()}});
        settings[key] = value, save();
    }

    // --- The owner's page.
    void serve();
    std::string page() const;
    void beat() { beat_.expires_after(every_), beat_.async_wait([this](auto ec) { if (!ec) heartbeat(), beat(); }); }

    std::string bundle_, model_, id_, boot_id_, fresh_url_;
    fs::path dir_;
    json::object s_;
    asio::io_context io_;
    asio::steady_timer beat_{io_}, wait_{io_};
    std::chrono::seconds every_{std::getenv("HEARTBEAT_S") ? std::atoi(std::getenv("HEARTBEAT_S")) : 300};
    asio::ip::tcp::acceptor page_;
    mosquitto* mqtt_ = nullptr;
    std::atomic<bool> cancelled_{false};
    bool busy_ = false;                                                // this boot has looked at what the last one left
};

/// A command the online key has signed: for this device, newer than what we have obeyed, not expired, and the same as its plain
/// fields. @return the manifest's hash
std::string device::check_command(json::object const& c, bool remember) {
    auto const s = json::parse(opened(object(c, "envelope"), "ota.command.v1", s_["keys"].as_object(), "command")).as_object();
    auto const seq = s.at("seq").to_number<std::int64_t>();
    if (text(s, "device_id") != id_ || seq <= s_.at("seq").to_number<std::int64_t>()) throw stale{};
    if (now_s() > s.at("expires_at").to_number<std::int64_t>()) throw refused{"url_expired"};
    for (auto const* name : {"command", "command_id", "campaign_id", "version", "checksum", "size_bytes"})
        if (auto const* v = s.if_contains(name); v && (!c.contains(name) || *v != c.at(name))) throw refused{"signature_invalid"};
    if (remember) s_["seq"] = seq;
    return text(s, "manifest_sha256");
}

/// The release key's word, which the broker cannot give: what the image is, for whom, and not older than ours.
json::object device::check_release(json::object const& c, std::string const& manifest_sha256) {
    auto const payload = opened(object(c, "manifest"), "ota.release.v1", s_["keys"].as_object(), "release");
    auto const m = json::parse(payload).as_object();
    if (sha256(payload) != manifest_sha256 || text(m, "version") != text(c, "version")) throw refused{"signature_invalid"};
    if (!holds(m, "model", model_)) throw refused{"incompatible"};
    if (m.at("security_counter").to_number<std::int64_t>() < s_.at("counter").to_number<std::int64_t>()) throw refused{"downgrade_refused"};
    if (m.contains("expires") && now_s() > m.at("expires").to_number<std::int64_t>()) throw refused{"manifest_expired"};
    return m;
}

void device::update(json::object const& c) try {
    if (at("idle")) {
        auto release = check_release(c, check_command(c, true));
        if (fs::space(dir_).available < c.at("size_bytes").to_number<std::uint64_t>()) throw refused{"no_space"};
        std::ofstream(dir_ / ("slot_" + spare()), std::ios::trunc);
        s_["command"] = c, s_["release"] = std::move(release), s_["stage"] = "downloading";
        save(), status(c, "accepted");
    }
    cancelled_ = false;
    fetch(c, text(c, "url"), 0);
} catch (refused const& r) { ended(c, r.reason); } catch (stale const&) { std::cout << id_ << " stale command" << std::endl; }

/// On a thread of its own, as long as bytes flow: from where we stopped, and never more than was signed.
void device::fetch(json::object c, std::string url, int tries) {
    auto const file = (dir_ / ("slot_" + spare())).string();
    auto const have = static_cast<std::int64_t>(fs::file_size(file)), size = c.at("size_bytes").to_number<std::int64_t>();
    if (have >= size) return install(c);
    status(c, "downloading", {{"progress", have * 100 / size}, {"bytes", have}});
    std::thread([=, this] {
        struct sink { std::ofstream out; std::int64_t left; std::atomic<bool>& stop; } to{std::ofstream(file, std::ios::binary | std::ios::app), size - have, cancelled_};
        auto take = +[](char* data, std::size_t, std::size_t n, void* p) -> std::size_t {
            auto& s = *static_cast<sink*>(p);
            if (s.stop || (s.left -= static_cast<std::int64_t>(n)) < 0) return 0;
            return s.out.write(data, static_cast<std::streamsize>(n)) ? n : 0;
        };
        CURL* h = curl_easy_init();
        for (auto [option, value] : {std::pair{CURLOPT_URL, url}, {CURLOPT_CAINFO, bundle_}, {CURLOPT_SSLCERT, bundle_}, {CURLOPT_SSLKEY, bundle_}}) curl_easy_setopt(h, option, value.c_str());
        if (have) curl_easy_setopt(h, CURLOPT_RANGE, (std::to_string(have) + "-").c_str());
        for (auto option : {CURLOPT_FAILONERROR, CURLOPT_NOSIGNAL, CURLOPT_LOW_SPEED_LIMIT}) curl_easy_setopt(h, option, 1L);
        curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, 30L), curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take), curl_easy_setopt(h, CURLOPT_WRITEDATA, &to);
        curl_easy_perform(h);
        long code = 0;
        curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &code);
        curl_easy_cleanup(h), to.out.close();
        if (have && code == 200) fs::resize_file(file, 0);             // it does not know ranges: from the start
        asio::post(io_, [this, c, code, tries] { fetched(c, code, tries); });
    }).detach();
}

void device::fetched(json::object const& c, long code, int tries) try {
    auto const done = static_cast<std::int64_t>(fs::file_size(dir_ / ("slot_" + spare()))) == c.at("size_bytes").to_number<std::int64_t>();
    if (cancelled_) throw refused{"cancelled"};
    if (done) return install(c);
    bool const renew = code == 403 || code == 410;
    if (tries == 12 || (code >= 400 && !renew)) throw refused{"download_error"};
    if (renew) fresh_url_.clear(), publish("request", {{"request", "url"}, {"command_id", text(c, "command_id")}});
    wait_.expires_after(renew ? 20'000ms : std::min(30'000ms, 200ms * (1 << tries)));
    wait_.async_wait([=, this](auto) {                                 // a fresh URL and a cancel end the wait
        if (cancelled_) return ended(c, "cancelled");
        if (renew && fresh_url_.empty()) return ended(c, "url_expired");
        fetch(c, fresh_url_.empty() ? text(c, "url") : fresh_url_, tries + 1);
    });
} catch (refused const& r) { ended(c, r.reason); }

void device::install(json::object const& c) try {
    status(c, "verifying");
    auto const data = read(dir_ / ("slot_" + spare()));                // a real device hashes its partition in pieces
    auto const& part = s_["release"].at("components").at(0).as_object();
    if ("sha256:" + sha256(data) != text(c, "checksum")) throw refused{"checksum_mismatch"};
    if (sha256(std::string_view(data).substr(0, part.at("size").to_number<std::size_t>())) != text(part, "sha256")) throw refused{"signature_invalid"};
    s_["stage"] = "installing", save();                                // from here on a cancel is too late
    status(c, "installing");
    wait_.expires_after(1s);
    wait_.async_wait([=, this](auto) {                                 // flash here
        s_["versions"].as_object()[spare()] = text(c, "version");
        s_["active"] = spare(), s_["stage"] = "testing", save();       // the boot loader's "try once"
        status(c, "rebooting");
        wait_.expires_after(300ms), wait_.async_wait([this](auto) { reboot(); });
    });
} catch (refused const& r) { ended(c, r.reason); }

/// Connected and subscribed. In a new slot this is the moment of truth: confirm it, or go back.
void device::first_words() {
    auto const c = object(s_, "command");
    auto const* test = std::getenv("SELF_TEST");
    if (at("testing") && test && std::system(test) != 0) {
        s_["active"] = spare(), s_["stage"] = "rolled_back", save();
        return reboot();
    }
    heartbeat();
    if (at("testing")) {                                               // only now may the counter rise: until now the old slot could have been needed
        s_["counter"] = std::max(s_["counter"].to_number<std::int64_t>(), s_["release"].at("security_counter").to_number<std::int64_t>());
        ended(c, "completed"), heartbeat();
    } else if (at("rolled_back")) {
        status(c, "rollback", {{"current_firmware", running()}, {"failed_firmware", text(c, "version")}, {"error", "self_test"}});
        s_["last_command_id"] = text(c, "command_id"), s_["last_result"] = "rollback", s_["stage"] = "idle", save();
    } else if (!at("idle") && !busy_) s_["stage"] = "downloading", update(c);        // power went: on with what lies there
    busy_ = true;
}

void device::message(std::string const& topic, std::string const& payload) try {
    auto const c = json::parse(payload).as_object();
    auto const id = text(c, "command_id"), what = text(c, "command");
    bool const same = !at("idle") && id == text(object(s_, "command"), "command_id"), last = !id.empty() && id == text(s_, "last_command_id");
    if (topic == "ota/keys") {                                         // N+1, signed by the roots of N and by its own
        auto next = json::parse(opened(c, "ota.keys.v1", s_["keys"].as_object(), "root")).as_object();
        opened(c, "ota.keys.v1", next, "root");
        auto const version = [](json::object const& k) { return k.at("version").to_number<std::int64_t>(); };
        if (version(next) == version(s_["keys"].as_object()) + 1 && now_s() < next.at("expires").to_number<std::int64_t>()) s_["keys"] = next, save(), heartbeat();
    } else if ((what == "ota_update" || what == "url") && same) {
        fresh_url_ = text(c, "url");                                   // the same again, perhaps with a fresh URL
        if (what == "url") wait_.cancel();
    } else if (what == "ota_update") {
        if (last) tell_again(c);
        else if (at("idle")) update(c);
    } else if (what == "cancel") {
        if (at("idle")) last ? tell_again(c) : status(c, "cancelled", {{"reason", "cancelled"}});
        else if (same) {
            check_command(c, true);
            if (!at("downloading")) status(c, "too_late");
            else cancelled_ = true, wait_.cancel();                    // answered where it stops
        }
    } else if (what == "report") heartbeat();
    else if (what == "config") for (auto const& [key, value] : object(c, "settings")) change(key, std::string(value.as_string()));
    else if (what == "verify_only") {                                  // a rehearsal: would we believe this release?
        try {
            check_release(c, check_command(c, false)), status(c, "accepted");
        } catch (refused const& r) { status(c, "rejected", {{"reason", r.reason}}); }
    }
} catch (stale const&) {} catch (refused const&) {} catch (std::exception const& e) { std::cout << id_ << " passed over: " << e.what() << std::endl; }

void device::reboot() {
    mosquitto_disconnect(mqtt_), mosquitto_loop_stop(mqtt_, false);
    std::vector<char*> args;
    for (auto const& a : arguments) args.push_back(const_cast<char*>(a.c_str()));
    args.push_back(nullptr);
    ::execv("/proc/self/exe", args.data());
}

/// The owner's page: plain HTTP, loopback only, one request a connection. POST key=value changes a setting.
void device::serve() {
    page_.async_accept([this](auto ec, asio::ip::tcp::socket s) {
        if (ec) return;
        auto stream = std::make_shared<boost::beast::tcp_stream>(std::move(s));
        auto buffer = std::make_shared<boost::beast::flat_buffer>();
        auto ask = std::make_shared<http::request<http::string_body>>();
        stream->expires_after(5s);
        http::async_read(*stream, *buffer, *ask, [this, stream, buffer, ask](auto ec, std::size_t) {
            if (ec) return;
            auto reply = std::make_shared<http::response<http::string_body>>(http::status::ok, ask->version());
            // Another site's page in the owner's browser may not turn our knobs.
            bool const ours = (*ask)[http::field::origin].empty() || std::string((*ask)[http::field::origin]) == "http://" + std::string((*ask)[http::field::host]);
            auto const eq = ask->body().find('=');
            if (ask->method() == http::verb::post && (!ours || eq == 0 || eq == std::string::npos)) reply->result(http::status::bad_request);
            else if (ask->method() == http::verb::post) change(ask->body().substr(0, eq), ask->body().substr(eq + 1));
            reply->set(http::field::content_type, "text/html; charset=utf-8"), reply->keep_alive(false);
            reply->body() = page(), reply->prepare_payload();
            http::async_write(*stream, *reply, [stream, reply](auto, std::size_t) { stream->close(); });
        });
        serve();
    });
}

std::string device::page() const {
    std::string rows;
    for (auto const* key : {"interval", "brightness", "name"}) {
        std::string value;
        for (char ch : text(object(s_, "settings"), key)) value += ch == '<' ? "&lt;" : ch == '&' ? "&amp;" : ch == '"' ? "&quot;" : std::string(1, ch);
        rows += std::string("<p><label>") + key + " <input data-key=\"" + key + "\" value=\"" + value + "\"></label></p>";
    }
    return "<!doctype html><title>" + id_ + "</title><h1>" + id_ + "</h1><p>" + model_ + ", firmware " + running() + "</p>" + rows +
           "<script>for (const i of document.querySelectorAll('input')) i.onchange = () => fetch('/', {method: 'POST', body: i.dataset.key + '=' + i.value})</script>";
}

/// Sent away, and told for how long (retry_after_s): this is the thread that would come back.
void hold_off(mosquitto_property const* p) {
    char *name = nullptr, *value = nullptr;
    for (bool more = false; (p = mosquitto_property_read_string_pair(p, MQTT_PROP_USER_PROPERTY, &name, &value, more)); more = true) {
        if (!std::strcmp(name, "retry_after_s")) std::this_thread::sleep_for(std::chrono::seconds(std::min(std::atoi(value), 600)));
        std::free(name), std::free(value);
    }
}

std::string header(std::string const& pem, std::string const& name) {
    auto const from = pem.find(name + ": ");
    if (from == pem.npos) throw std::runtime_error("no device bundle: the line " + name + " is missing");
    return pem.substr(from + name.size() + 2, pem.find('\n', from) - from - name.size() - 2);
}

device::device(std::string bundle, fs::path dir, std::string model, std::string const& first, std::uint16_t page)
    : bundle_(std::move(bundle)), model_(std::move(model)), dir_(std::move(dir)), page_(io_, {asio::ip::address_v4::loopback(), page}) {
    auto const pem = read(bundle_), broker = header(pem, "Airmail-Broker");
    id_ = header(pem, "Airmail-Device");
    fs::create_directories(dir_), fs::permissions(dir_, fs::perms::owner_all);
    if (fs::exists(dir_ / "state.json")) s_ = json::parse(read(dir_ / "state.json")).as_object();
    else {
        auto const keys = json::parse(from_base64(header(pem, "Airmail-Keys"))).as_object();
        s_ = {{"active", "a"}, {"versions", {{"a", first}, {"b", ""}}}, {"stage", "idle"}, {"seq", 0}, {"counter", 0}, {"settings", json::object()}, {"keys", json::parse(from_base64(text(keys, "payload")))}};
        save();
    }
    std::random_device random;
    boot_id_ = std::to_string(random()) + std::to_string(random());
    curl_global_init(CURL_GLOBAL_ALL), mosquitto_lib_init();
    mqtt_ = mosquitto_new(id_.c_str(), true, this);
    mosquitto_tls_set(mqtt_, bundle_.c_str(), nullptr, bundle_.c_str(), bundle_.c_str(), nullptr);
    mosquitto_int_option(mqtt_, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_connect_v5_callback_set(mqtt_, [](mosquitto*, void*, int rc, int, mosquitto_property const* p) { if (rc) hold_off(p); });
    mosquitto_disconnect_v5_callback_set(mqtt_, [](mosquitto*, void*, int, mosquitto_property const* p) { hold_off(p); });
    mosquitto_connect_callback_set(mqtt_, [](mosquitto* m, void* self, int rc) {
        auto topic = "devices/" + static_cast<device*>(self)->id_ + "/command";
        char* both[] = {topic.data(), const_cast<char*>("ota/keys")};
        if (rc == 0) mosquitto_subscribe_multiple(m, nullptr, 2, both, 1, 0, nullptr);
    });
    mosquitto_subscribe_callback_set(mqtt_, [](mosquitto*, void* self, int, int, int const*) {
        asio::post(static_cast<device*>(self)->io_, [d = static_cast<device*>(self)] { d->first_words(); });
    });
    mosquitto_message_callback_set(mqtt_, [](mosquitto*, void* self, mosquitto_message const* m) {
        asio::post(static_cast<device*>(self)->io_, [d = static_cast<device*>(self), topic = std::string(m->topic), body = std::string(static_cast<char*>(m->payload), static_cast<std::size_t>(m->payloadlen))] {
            d->message(topic, body);
        });
    });
    mosquitto_reconnect_delay_set(mqtt_, 1, 30, true);
    mosquitto_loop_start(mqtt_);
    auto const colon = broker.rfind(':');
    while (mosquitto_connect(mqtt_, broker.substr(0, colon).c_str(), std::stoi(broker.substr(colon + 1)), 60) != MOSQ_ERR_SUCCESS) std::this_thread::sleep_for(1s);
    std::cout << id_ << " settings on http://127.0.0.1:" << page_.local_endpoint().port() << "/" << std::endl;
    beat(), serve();
}

}

int main(int argc, char** argv) try {
    if (argc < 5) return std::cerr << "usage: device BUNDLE DIR MODEL FIRST_VERSION [PORT]\n", 2;
    arguments.assign(argv, argv + argc);
    device(argv[1], argv[2], argv[3], argv[4], static_cast<std::uint16_t>(argc > 5 ? std::atoi(argv[5]) : 0)).run();
    return 0;
} catch (std::exception const& e) { return std::cerr << "device: " << e.what() << '\n', 1; }
