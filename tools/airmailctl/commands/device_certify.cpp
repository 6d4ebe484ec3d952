// airmailctl device certify: what a device does when things go wrong, tried on one real device through the broker, on a signed sheet.
//
// It takes two images for the device (which it will run in turn), and a third with a smaller security counter for the sixth trial.

#include "storage/firmware/envelope.hpp"
#include "storage/firmware/files.hpp"
#include "tools/airmailctl/commands/device_parts.hpp"
#include "tools/airmailctl/show.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <fmt/core.h>
#include <functional>
#include <iostream>
#include <openssl/rand.h>
#include <thread>
#include <utility>

namespace airmail::ctl {

namespace json = boost::json;
namespace fw = storage::firmware;
using clock = std::chrono::steady_clock;
using std::chrono::seconds;

namespace {

struct certify_options { std::string serial, old, key, out; std::vector<std::string> firmware; int patience_s = 120; };

std::string text(json::value const& o, char const* name) {
    auto const* v = o.is_object() ? o.as_object().if_contains(name) : nullptr;
    return v && v->is_string() ? std::string(v->as_string()) : std::string();
}

/// Not what a good device does; the sentence goes on the sheet.
struct failed_trial { std::string why; };

class examiner {
public:
    examiner(api broker, certify_options o) : broker_(std::move(broker)), o_(std::move(o)) {
        std::uint8_t random[6];
        if (RAND_bytes(random, sizeof random) != 1) throw trouble(exit_code::failed, "no random numbers");
        run_ = fw::to_hex(random);
        for (auto const& id : o_.firmware) images_.push_back(broker_.get("/api/v1/firmware/" + encoded(id)));
        if (!o_.old.empty()) old_ = broker_.get("/api/v1/firmware/" + encoded(o_.old));
        if (text(images_[0], "version") == text(images_[1], "version")) throw trouble(exit_code::usage, "--firmware: two images of different versions are needed");
        auto const d = device();
        if (text(d, "status") != "online") throw trouble(exit_code::refused, o_.serial + " is not connected");
        std::cerr << o_.serial << " runs " << running() << "; it will be updated four times\n";
    }

    json::array run() {
        trial("duplicate command", [&] {
            auto const id = update(other(), "duplicate");
            done(id);
            expect(count(id, "download") == 1, "it downloaded " + std::to_string(count(id, "download")) + " times for one command_id");
            return "one download, installed once";
        });
        trial("cut download", [&] {
            auto const id = update(other(), "cut");
            done(id);
            expect(count(id, "download") >= 2, "the download was never taken up again");
            bool resumed = false;
            for (auto const& h : heard_)
                if (text(h, "what") == "download" && text(h, "command_id") == id && text(h, "range").starts_with("bytes=") && !text(h, "range").starts_with("bytes=0-")) resumed = true;
            expect(resumed, "it began again at the first byte (no Range)");
            return "resumed by Range, installed";
        });
        trial("bad hash", [&] { return refused(update(other(), "bad_hash"), "checksum_mismatch", true); });
        trial("bad signature", [&] { return refused(update(other(), "bad_signature"), "signature_invalid", false); });
        trial("expired URL", [&] {
            auto const id = update(other(), "expired_url");
            done(id);
            expect(count(id, "request") > 0, "it did not ask for a fresh URL");
            return "asked for a fresh URL, installed";
        });
        trial("old counter", [&]() -> std::string {
            auto const counter = device().at("security_counter");
            if (old_.is_null()) return "-no image with a smaller security counter was given (--old)";
            if (!counter.is_int64() || old_.at("security_counter").to_number<std::int64_t>() >= counter.as_int64())
                return "-the device's counter is not larger than that of --old";
            return refused(update(old_, ""), "downgrade_refused", false);
        });
        trial("late cancel", [&] {
            auto const id = update(other(), "");
            wait([&] { return said(id, "installing"); }, "installing");
            send(json::object{{"command", "cancel"}, {"command_id", id}});
            done(id);
            expect(!said(id, "cancelled"), "it says that it has cancelled what it then installed");
            return "too late, and told so by what it runs";
        });
        return sheet_;
    }

private:
    json::value device() { return broker_.get("/api/v1/devices/" + encoded(o_.serial)); }
    std::string running() { return text(device(), "current_firmware"); }
    /// The image it does not run.
    json::value other() { return text(images_[0], "version") == running() ? images_[1] : images_[0]; }
    std::string path() const { return "/api/v1/devices/" + encoded(o_.serial) + "/certify"; }
    void send(json::object const& body) { broker_.post(path(), body); }

    std::string update(json::value const& image, std::string const& fault) {
        auto const id = fmt::format("certify-{}-{}", run_, ++trials_);
        wanted_ = text(image, "version"), before_ = running();
        send(json::object{{"command", "ota_update"}, {"command_id", id}, {"firmware_id", text(image, "firmware_id")}, {"fault", fault}});
        return id;
    }
    void listen() {
        auto const v = broker_.get(fmt::format("{}?after={}", path(), after_));
        for (auto const& h : v.at("heard").as_array()) heard_.push_back(h);
        after_ = v.at("next").to_number<std::int64_t>();
    }
    bool said(std::string const& id, std::string_view word) const {
        return std::any_of(heard_.begin(), heard_.end(), [&](auto const& h) { return text(h, "command_id") == id && text(h, "word") == word; });
    }
    int count(std::string const& id, std::string_view what) const {
        return static_cast<int>(std::count_if(heard_.begin(), heard_.end(), [&](auto const& h) { return text(h, "command_id") == id && text(h, "what") == what; }));
    }
    void wait(std::function<bool()> until, std::string const& what) {
        for (auto const deadline = clock::now() + seconds(o_.patience_s); listen(), !until();) {
            if (clock::now() > deadline) throw failed_trial{fmt::format("nothing of \"{}\" within {} s", what, o_.patience_s)};
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
    }
    void expect(bool truth, std::string const& otherwise) const {
        if (!truth) throw failed_trial{otherwise};
    }
    /// Completed, and its heartbeat has the new version.
    void done(std::string const& id) {
        wait([&] { return said(id, "completed") || said(id, "failed") || said(id, "rollback"); }, "completed");
        expect(said(id, "completed"), "it did not complete: " + last_reason(id));
        wait([&] { return running() == wanted_; }, "a heartbeat with " + wanted_);
    }
    std::string last_reason(std::string const& id) const {
        std::string out = "no reason given";
        for (auto const& h : heard_)
            if (text(h, "command_id") == id && !text(h, "reason").empty()) out = text(h, "reason");
        return out;
    }
    /// Refused with the reason; the old version runs on. A forged command may also be passed over in silence.
    std::string refused(std::string const& id, std::string const& reason, bool may_download) {
        bool silent = false;
        auto const patience = o_.patience_s;
        if (reason == "signature_invalid") o_.patience_s = std::min(patience, 15);
        try {
            wait([&] { return said(id, "failed") || said(id, "rejected") || said(id, "completed") || said(id, "installing"); }, "failed");
        } catch (failed_trial const&) {
            if (reason != "signature_invalid") throw;
            silent = true;
        }
        o_.patience_s = patience;
        expect(!said(id, "installing") && !said(id, "completed"), "it installed what it must refuse");
        expect(may_download || count(id, "download") == 0, "it downloaded what it must refuse");
        expect(silent || last_reason(id) == reason, "its reason is " + last_reason(id) + ", not " + reason);
        expect(running() == before_, "it no longer runs " + before_);
        return silent ? "passed over in silence" : "refused: " + reason;
    }
    template <class F> void trial(char const* name, F f) {
        json::object row{{"trial", name}};
        try {
            std::string const note = f();
            row["result"] = note.starts_with('-') ? "not run" : "pass", row["note"] = note.starts_with('-') ? note.substr(1) : note;
        } catch (failed_trial const& t) {
            row["result"] = "fail", row["note"] = t.why;
        }
        std::cerr << fmt::format("{:18} {}\n", name, text(row, "result"));
        sheet_.push_back(row);
    }

    api broker_;
    certify_options o_;
    std::vector<json::value> images_;
    json::value old_ = nullptr;
    std::vector<json::value> heard_;
    json::array sheet_;
    std::string run_, wanted_, before_;
    std::int64_t after_ = 0;
    int trials_ = 0;
};

void certify(context const& c, certify_options const& o) {
    if (o.firmware.size() != 2) throw trouble(exit_code::usage, "--firmware must be given twice: two images that the device will run in turn");
    auto key = fw::private_key::load(o.key);
    if (!key) throw trouble(exit_code::failed, "cannot use key " + o.key + ": " + key.error().message());
    examiner e(c.broker(), o);
    auto const rows = e.run();
    auto const d = c.broker().get("/api/v1/devices/" + encoded(o.serial));
    bool const good = std::none_of(rows.begin(), rows.end(), [](auto const& r) { return text(r, "result") == "fail"; });
    auto const now = std::chrono::duration_cast<seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    json::object sheet{{"serial_no", o.serial}, {"model", text(d, "model")}, {"firmware", text(d, "current_firmware")}, {"result", good ? "pass" : "fail"}, {"trials", rows}, {"at", now}};
    auto const sealed = fw::seal("airmail.certificate.v1", json::serialize(sheet), *key);
    if (!sealed) throw trouble(exit_code::failed, "the sheet is not signed: " + sealed.error().message());
    if (!o.out.empty())
        if (auto written = fw::replace_file(o.out, sealed->to_json() + "\n", 0644); !written) throw trouble(exit_code::failed, o.out + ": " + written.error().message());
    if (c.json) {
        sheet["envelope"] = json::parse(sealed->to_json());
        json_line(sheet);
    } else {
        table(rows, {{"TRIAL", "trial"}, {"RESULT", "result"}, {"NOTE", "note"}});
        std::cout << o.serial << ", " << text(d, "model") << ", " << text(d, "current_firmware") << ": " << (good ? "PASS" : "FAIL") << "\nsigned by " << key->kid() << (o.out.empty() ? "" : ", in " + o.out) << "\n";
    }
    if (!good) throw trouble(exit_code::failed, o.serial + " has not passed");
}

}

void add_device_certify(command_line::command device, context& c) {
    command<certify_options>(device, "certify", "try seven misfortunes on one real device; prints a signed sheet", [](command_line::command s, certify_options& o) {
        s.add_option("serial", o.serial).required();
        s.add_option("--firmware", o.firmware, "firmware_id of two images for it, which it will run in turn").required();
        s.add_option("--old", o.old, "firmware_id of an image with a smaller security counter");
        s.add_option("--key", o.key, "private key that signs the sheet").required();
        s.add_option("-o,--out", o.out, "writes the signed sheet (a DSSE envelope, airmail.certificate.v1)");
        s.add_option("--patience", o.patience_s, "seconds to wait for each step").show_default();
    }, [&c](certify_options const& o) { certify(c, o); });
}

}
