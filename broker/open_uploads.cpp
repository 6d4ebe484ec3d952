#include "broker/open_uploads.hpp"

#include "broker/log/metrics.hpp"
#include "storage/firmware/digest.hpp"
#include "storage/firmware/files.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

namespace airmail {

namespace fs = std::filesystem;
namespace json = boost::json;
namespace files = storage::firmware;

namespace {

inline metrics::gauge open_now{"airmail_admin_uploads_open", "Uploads that have begun and not ended, those that wait to go on among them."};
inline metrics::counter resumed{"airmail_admin_uploads_resumed_total", "Times that an upload went on where it had been cut."};
inline metrics::counter refused{"airmail_admin_uploads_refused_total", "Uploads refused because too many, or too many bytes, were open, or the disk had little room."};
inline metrics::counter expired{"airmail_admin_uploads_expired_total", "Uploads that nobody went on with, removed."};

constexpr std::size_t name_bytes_max = 255;

bool is_id(std::string_view s) {
    return s.size() == 32 && std::all_of(s.begin(), s.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}

struct open_uploads::entry : open_upload {
    std::uint64_t turn = 0;                 // whose connection appends; the latest
    bool gone = false;
};

/// The body of one request. Dies with its connection; what it has written stays.
class open_uploads::sink final : public admin::upload {
public:
    sink(std::shared_ptr<entry> to, int fd, std::string path, clock const& wall) : to_(std::move(to)), turn_(to_->turn), fd_(fd), path_(std::move(path)), wall_(wall) {}
    ~sink() override { ::close(fd_); }

    bool write(std::span<std::uint8_t const> piece) override {
        auto& u = *to_;
        if (u.gone) return fail(404, "firmware.no_upload", "this upload was taken back");
        if (u.turn != turn_ || u.finishing) return fail(409, "firmware.upload_elsewhere", "another connection goes on with this upload");
        if (piece.size() > u.size - u.offset) return fail(413, "firmware.upload_too_long", "the body goes beyond the " + std::to_string(u.size) + " bytes that were announced");
        while (!piece.empty()) {
            auto const n = ::pwrite(fd_, piece.data(), piece.size(), static_cast<off_t>(u.offset));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return fail(507, "http.upload_failed", std::string("no room for the upload: ") + std::strerror(errno));
            u.offset += static_cast<std::uint64_t>(n), u.touched_ms = wall_();
            piece = piece.subspan(static_cast<std::size_t>(n));
        }
        return true;
    }
    std::pair<std::string, std::string> finish() override { return {path_, {}}; }
    std::string why() const override { return why_.detail; }
    int status() const override { return why_.status; }
    std::string code() const override { return why_.code; }

private:
    bool fail(int status, char const* code, std::string detail) { return why_ = {status, code, std::move(detail)}, false; }
    std::shared_ptr<entry> to_;
    std::uint64_t const turn_;
    int const fd_;
    std::string const path_;
    clock const& wall_;
    refusal why_{507, "http.upload_failed", ""};
};

open_uploads::open_uploads(std::string directory, bounds b, clock wall) : directory_(std::move(directory)), bounds_(b), wall_(std::move(wall)) {
    fs::create_directories(directory_);
    fs::permissions(directory_, fs::perms::owner_all);
    load();
}

std::string open_uploads::path_of(std::string const& id) const { return directory_ + "/" + id + ".part"; }

/// A row without its bytes, or bytes without their row, is what a crash in create() or forget() leaves: it goes.
void open_uploads::load() {
    std::vector<fs::path> strays;
    for (auto const& f : fs::directory_iterator(directory_)) {
        auto const id = f.path().stem().string();
        if (f.path().extension() != ".json" || !is_id(id)) {
            strays.push_back(f.path());
            continue;
        }
        boost::system::error_code ec;
        auto const row = files::read_small_file(f.path().string(), files::secrecy::owner_only, 4096);
        auto const v = row ? json::parse(*row, ec) : json::value();
        auto const* o = ec ? nullptr : v.if_object();
        struct stat st {};
        bool const there = ::lstat(path_of(id).c_str(), &st) == 0 && S_ISREG(st.st_mode);
        auto u = std::make_shared<entry>();
        try {
            if (!o || !there) throw std::runtime_error("half an upload");
            u->id = id, u->name = o->at("name").as_string(), u->sha256 = o->at("sha256").as_string(), u->by = o->at("by").as_string();
            u->size = json::value_to<std::uint64_t>(o->at("size")), u->created_ms = json::value_to<std::int64_t>(o->at("created_ms"));
            u->offset = static_cast<std::uint64_t>(st.st_size), u->touched_ms = std::max<std::int64_t>(u->created_ms, st.st_mtim.tv_sec * 1000);
            if (u->offset > u->size) throw std::runtime_error("longer than it was to be");
            open_.emplace(id, std::move(u)), open_now.add(1);
        } catch (std::exception const&) { strays.push_back(f.path()); }
    }
    for (auto const& p : strays)
        if (std::error_code ec; p.extension() != ".part" || !open_.contains(p.stem().string())) fs::remove(p, ec);
    expire();
}

boost::system::result<open_upload, open_uploads::refusal> open_uploads::create(std::string const& by, std::string const& name, std::uint64_t size, std::string const& sha256) {
    expire();
    if (size == 0) return refusal{422, "firmware.empty", "size_bytes: how many bytes will come; not 0"};
    if (size > bounds_.one) return refusal{413, "http.body_too_large", "at most " + std::to_string(bounds_.one) + " bytes (http_upload_max)"};
    if (name.size() > name_bytes_max) return refusal{422, "firmware.bad_name", "name: at most 255 bytes"};
    if (!sha256.empty() && (sha256.size() != 64 || !storage::firmware::parse_digest(sha256))) return refusal{422, "firmware.bad_digest", "sha256: 64 lower-case hex digits, or nothing"};
    std::uint64_t announced = size;
    for (auto const& [id, u] : open_) {
        if (!sha256.empty() && u->sha256 == sha256 && u->size == size && u->by == by) return static_cast<open_upload const&>(*u);
        announced += u->size;
    }
    if (open_.size() >= bounds_.count || announced > bounds_.all) {
        refused.add();
        return refusal{429, "firmware.uploads_full", open_.size() >= bounds_.count ? "too many uploads are open (http_uploads_max): go on with one, or take one back" : "the open uploads would take too much of the disk (http_uploads_size)"};
    }
    if (auto const why = bounds_.too_low ? bounds_.too_low(size) : std::string(); !why.empty()) return refused.add(), refusal{507, "http.disk_low", why};
    unsigned char salt[16];
    if (RAND_bytes(salt, sizeof salt) != 1) return refusal{503, "http.upload_refused", "no randomness"};
    auto u = std::make_shared<entry>();
    u->id = storage::firmware::to_hex(salt), u->name = name, u->sha256 = sha256, u->by = by, u->size = size;
    u->created_ms = u->touched_ms = wall_(), u->anew = true;
    int const fd = ::open(path_of(u->id).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) ::close(fd);
    auto const row = json::serialize(json::object{{"name", name}, {"sha256", sha256}, {"by", by}, {"size", size}, {"created_ms", u->created_ms}});
    auto const written = files::replace_file(directory_ + "/" + u->id + ".json", row, 0600);
    if (fd < 0 || !written) {
        ::unlink(path_of(u->id).c_str());
        return refusal{507, "http.upload_failed", "no room for the upload" + (written ? std::string() : ": " + written.error().message())};
    }
    open_now.add(1);
    open_upload const made = *u;
    u->anew = false;
    open_.emplace(u->id, std::move(u));
    return made;
}

std::optional<open_upload> open_uploads::find(std::string const& id) {
    expire();
    auto const at = open_.find(id);
    return at == open_.end() ? std::nullopt : std::optional<open_upload>(*at->second);
}

std::vector<open_upload> open_uploads::list() {
    expire();
    std::vector<open_upload> out;
    for (auto const& [id, u] : open_) out.push_back(*u);
    return out;
}

boost::system::result<std::unique_ptr<admin::upload>, open_uploads::refusal> open_uploads::append(std::string const& id, std::uint64_t offset) {
    expire();
    auto const at = open_.find(id);
    if (at == open_.end()) return refusal{404, "firmware.no_upload", "no upload " + id + ": it has ended, or nobody went on with it in time"};
    auto& u = at->second;
    if (u->finishing) return refusal{409, "firmware.upload_finishing", "it is whole, and being checked"};
    if (u->offset != offset) return refusal{409, "firmware.upload_offset", "it goes on at byte " + std::to_string(u->offset)};
    auto const path = path_of(id);
    int const fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return refusal{507, "http.upload_failed", std::string("cannot write the upload: ") + std::strerror(errno)};
    if (offset > 0) resumed.add();
    ++u->turn;
    return std::make_unique<sink>(u, fd, path, wall_);
}

bool open_uploads::begin_finish(std::string const& id) {
    auto const at = open_.find(id);
    if (at == open_.end() || at->second->offset != at->second->size) return false;
    return at->second->finishing = true;
}

void open_uploads::leave_finish(std::string const& id) {
    if (auto const at = open_.find(id); at != open_.end()) at->second->finishing = false, at->second->touched_ms = wall_();
}

bool open_uploads::forget(std::string const& id) {
    auto const at = open_.find(id);
    if (at == open_.end()) return false;
    at->second->gone = true;
    ::unlink((directory_ + "/" + id + ".json").c_str());
    ::unlink(path_of(id).c_str());
    open_.erase(at), open_now.add(-1);
    return true;
}

void open_uploads::expire() {
    auto const before = wall_() - bounds_.life_ms;
    std::vector<std::string> late;
    for (auto const& [id, u] : open_)
        if (u->touched_ms < before && !u->finishing) late.push_back(id);
    for (auto const& id : late) forget(id), expired.add();
}

}
