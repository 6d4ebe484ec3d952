#include "broker/backup.hpp"

#include "storage/outbox/outbox.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <filesystem>
#include <fmt/core.h>
#include <fstream>
#include <sys/stat.h>

namespace airmail {
namespace {

namespace fs = std::filesystem;

std::int64_t wall_ms() { return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

void copy_registry(std::string const& from, std::string const& to) {
    {
        storage::sqlite::db living(from, {.create = false});
        living.backup_to(to);
    }
    storage::sqlite::db copy(to, {.create = false});
    storage::outbox box(copy, {.wall_ms = wall_ms});
    box.begin_epoch_after(box.last());
    copy.checkpoint();
}

/// Images never change under their name, so a hard link is a copy; across file systems it is copied.
std::uint64_t copy_images(fs::path const& from, fs::path const& to) {
    std::uint64_t images = 0;
    if (!fs::exists(from)) return 0;
    for (auto const& e : fs::recursive_directory_iterator(from)) {
        auto const target = to / fs::relative(e.path(), from);
        if (e.is_directory()) fs::create_directories(target);
        if (!e.is_regular_file()) continue;
        std::error_code ec;
        fs::create_directories(target.parent_path());
        fs::create_hard_link(e.path(), target, ec);
        if (ec) fs::copy_file(e.path(), target);
        ++images;
    }
    return images;
}

}

std::string make_backup(backup_parts const& from, std::string const& target) {
    fs::path const to(target);
    if (!to.is_absolute()) throw std::runtime_error("backup: the directory must be an absolute path");
    std::error_code ec;
    fs::create_directories(to, ec);
    if (ec || ::chmod(to.c_str(), 0700) != 0) throw std::runtime_error(fmt::format("backup: cannot make {}: {}", target, ec.message()));
    if (!fs::is_empty(to)) throw std::runtime_error(fmt::format("backup: {} is not empty: name a new directory", target));
    auto const begun = wall_ms();
    std::string why;
    if (auto done = from.store.backup((to / "hot").string(), why); !done && done.error() != storage::errc::not_found)
        throw std::runtime_error(fmt::format("backup: hot store: {}", why.empty() ? done.error().message() : why));
    if (auto const registry = from.data + "/registry.db"; fs::exists(registry)) copy_registry(registry, (to / "registry.db").string());
    auto const images = copy_images(from.data + "/firmware", to / "firmware");
    if (fs::exists(from.data + "/url.keys")) fs::copy_file(from.data + "/url.keys", to / "url.keys");
    boost::json::object about{{"format", 1}, {"made_at", begun / 1000}, {"took_ms", wall_ms() - begun}, {"images", images}};
    // Last, whole or not at all: a directory without it is no backup.
    std::ofstream(to / "backup.json.new") << boost::json::serialize(about) << "\n";
    fs::rename(to / "backup.json.new", to / "backup.json");
    about["directory"] = target;
    return boost::json::serialize(about);
}

}
