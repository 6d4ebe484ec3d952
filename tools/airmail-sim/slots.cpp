#include "tools/airmail-sim/slots.hpp"

#include "storage/firmware/encoding.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <boost/json/value_to.hpp>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace airmail::sim {

namespace json = boost::json;
namespace fw = storage::firmware;

std::string device_memory::to_json() const {
    json::object o{{"active", std::string(1, active)}, {"version_a", version_a}, {"version_b", version_b}, {"security_counter", security_counter},
                   {"seq", seq}, {"status_seq", status_seq}, {"boots", boots}, {"last_command_id", last_command_id}, {"last_result", last_result},
                   {"settings", json::value_from(settings)}, {"stage", static_cast<int>(at)}, {"command_id", command_id}, {"campaign_id", campaign_id},
                   {"version", version}, {"url", url}, {"checksum", checksum}, {"size_bytes", size_bytes}, {"release_counter", release_counter},
                   {"faults_done", faults_done}, {"slot_writes", json::value_from(slot_writes)}, {"command_ids", json::value_from(command_ids)}};
    return json::serialize(o);
}

std::optional<device_memory> device_memory::parse(std::string_view text) try {
    auto const v = json::parse(json::string_view(text.data(), text.size()));
    auto const& o = v.as_object();
    auto s = [&](char const* name) { return json::value_to<std::string>(o.at(name)); };
    auto n = [&](char const* name) { return o.at(name).to_number<std::uint64_t>(); };
    device_memory m;
    m.active = s("active") == "b" ? 'b' : 'a';
    m.version_a = s("version_a"), m.version_b = s("version_b");
    m.security_counter = n("security_counter"), m.seq = n("seq"), m.status_seq = n("status_seq"), m.boots = n("boots");
    m.last_command_id = s("last_command_id"), m.last_result = s("last_result");
    m.settings = json::value_to<std::map<std::string, std::string>>(o.at("settings"));
    m.at = static_cast<stage>(n("stage"));
    m.command_id = s("command_id"), m.campaign_id = s("campaign_id"), m.version = s("version"), m.url = s("url"), m.checksum = s("checksum");
    m.size_bytes = n("size_bytes"), m.release_counter = n("release_counter"), m.faults_done = n("faults_done");
    m.slot_writes = json::value_to<std::map<std::string, std::uint64_t>>(o.at("slot_writes"));
    m.command_ids = json::value_to<std::vector<std::string>>(o.at("command_ids"));
    return m;
} catch (std::exception const&) {
    return std::nullopt;
}

slots::slots(std::string directory, std::string const& model, std::string const& version) : directory_(std::move(directory)) {
    std::filesystem::create_directories(directory_);
    std::ifstream in(directory_ + "/state.json");
    std::ostringstream text;
    text << in.rdbuf();
    if (auto m = device_memory::parse(text.str())) {
        memory_ = std::move(*m);
        return;
    }
    std::ofstream(path('a'), std::ios::binary) << "airmail-sim " << model << ' ' << version << '\n';
    memory_.version_a = version;
    save();
}

slots::~slots() { end_write(); }

void slots::save() {
    auto const path = directory_ + "/state.json", fresh = path + ".new";
    std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
    out << memory_.to_json() << '\n';
    out.close();
    if (!out || std::rename(fresh.c_str(), path.c_str()) != 0) throw std::runtime_error(path + ": cannot be written");
}

std::string slots::digest_of(char slot) const {
    auto const d = fw::hash_file(path(slot));
    return d ? fw::to_hex(*d) : std::string();
}

std::uint64_t slots::free_bytes() const {
    struct statvfs s {};
    return ::statvfs(directory_.c_str(), &s) == 0 ? static_cast<std::uint64_t>(s.f_bavail) * s.f_frsize : 0;
}

std::uint64_t slots::begin_write(bool resume, std::uint64_t size_max) {
    end_write();
    fd_ = ::open(path(memory_.inactive()).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), path(memory_.inactive()) + ": cannot be opened");
    hash_ = fw::sha256();
    written_ = 0;
    std::uint8_t buffer[64 * 1024];
    while (resume && written_ < size_max) {
        auto const n = ::read(fd_, buffer, std::min<std::uint64_t>(sizeof buffer, size_max - written_));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        hash_.update(fw::byte_view(buffer, static_cast<std::size_t>(n)));
        written_ += static_cast<std::uint64_t>(n);
    }
    if (::ftruncate(fd_, static_cast<off_t>(written_)) != 0 || ::lseek(fd_, static_cast<off_t>(written_), SEEK_SET) < 0)
        throw std::runtime_error(path(memory_.inactive()) + ": cannot be emptied");
    return written_;
}

bool slots::append(fw::byte_view piece) {
    hash_.update(piece);
    written_ += piece.size();
    while (!piece.empty()) {
        auto const n = ::write(fd_, piece.data(), piece.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        piece = piece.subspan(static_cast<std::size_t>(n));
    }
    return true;
}

void slots::end_write() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

}
