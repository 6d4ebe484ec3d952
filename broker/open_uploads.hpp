#pragma once
// Uploads that may be cut and go on: what has arrived of a file is kept between connections, and over a restart of the broker.
//
//   create -> DIR/<id>.json (size, name, digest, who) and DIR/<id>.part (the bytes so far: its length is the offset)
//   append at the offset, as often as it takes -> whole -> handed on -> forget
//
// A process that is killed loses nothing; after a power cut the file may be shorter or have holes, which the digest shows at the end.

#include "broker/admin/backend.hpp"

#include <boost/system/result.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace airmail {

/// One of them. `sha256`: 64 hex digits, or empty when the client could not say.
struct open_upload {
    std::string id, name, sha256, by;
    std::uint64_t size = 0, offset = 0;
    std::int64_t created_ms = 0, touched_ms = 0;
    bool finishing = false;                 // whole, and on its way into the store
    bool anew = false;                      // of create(): it was not open already
};

/// Owned by the broker; on the HTTP thread alone.
class open_uploads {
public:
    struct bounds {
        std::size_t count = 16;
        std::uint64_t one = 4ull << 30, all = 16ull << 30;   // bytes, as announced
        std::int64_t life_ms = 24 * 3600 * 1000;             // since the last byte
        std::function<std::string(std::uint64_t)> too_low;   // would so many bytes leave too little of the disk? why; may be empty
    };
    struct refusal { int status = 0; std::string code, detail; };
    using clock = std::function<std::int64_t()>;             // unix ms

    /// Makes the directory (0700) when it is not there and takes up what an earlier life has left. Throws std::system_error.
    open_uploads(std::string directory, bounds b, clock wall);

    /// The same file of the same person (by digest and size) is found again: then `offset` says how much of it is here.
    /// 413 too large, 422 not understood, 429 too many open, 507 no room (http.disk_low before the first byte).
    boost::system::result<open_upload, refusal> create(std::string const& by, std::string const& name, std::uint64_t size, std::string const& sha256);
    std::optional<open_upload> find(std::string const& id);
    std::vector<open_upload> list();
    /// Where the bytes of `id` go, from `offset` on. Whoever was appending before is cut off: its connection is dead, though
    /// we may not know it yet. 404, 409 with the offset in `refusal::detail` when another is meant.
    boost::system::result<std::unique_ptr<admin::upload>, refusal> append(std::string const& id, std::uint64_t offset);
    std::string path_of(std::string const& id) const;
    /// From now on nobody appends; false when some of it is missing.
    bool begin_finish(std::string const& id);
    /// It could not be handed on; it may be tried again.
    void leave_finish(std::string const& id);
    /// Its files are removed. False when there is none.
    bool forget(std::string const& id);
    /// Removes those that nobody has touched for the life given.
    void expire();

private:
    struct entry;
    class sink;
    void load();
    std::string const directory_;
    bounds const bounds_;
    clock const wall_;
    std::map<std::string, std::shared_ptr<entry>> open_;
};

}
