#include "storage/lmdb/first_start.hpp"

#include "storage/lmdb/environment.hpp"

#include <cerrno>
#include <cstdio>
#include <sys/stat.h>

namespace airmail::storage::lmdb {

bool set_unfinished_aside(std::string const& directory) {
    constexpr off_t empty_store_max = 64 << 10;   // six pages today
    auto const file = directory + "/data.mdb", instance = directory + "/instance";
    struct stat s {};
    if (::stat(instance.c_str(), &s) == 0 || errno != ENOENT) return false;
    if (::stat(file.c_str(), &s) != 0 || s.st_size > empty_store_max) return false;
    return std::rename(file.c_str(), (file + ".unfinished").c_str()) == 0 && sync_directory(directory) == 0;
}

}
