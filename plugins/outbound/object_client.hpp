#pragma once
// Our own requests to an S3-compatible object store: an image goes up, and away again. Blocking; memory does not grow with the image.

#include "plugins/outbound/web_client.hpp"
#include "storage/firmware/sigv4.hpp"

#include <functional>
#include <string>

namespace airmail::plugins::outbound {

struct object_options {
    storage::firmware::object_place place;
    std::string keys_file, ca_file;
    std::string sse, kms_key;                         // "", "AES256", "aws:kms"
    std::uint64_t part_bytes = 16u << 20;             // above this an image goes up in parts
    std::chrono::milliseconds patience{30'000};
    int tries = 3;                                    // of each request, 1 s, 4 s, 16 s apart
};

/// An image as its store reads it.
struct object_source {
    std::uint64_t size = 0;
    std::function<bool(std::uint64_t at, std::span<std::uint8_t> piece)> read;
};

/// Owned by: the thread that asks; stop() from any.
class object_client {
public:
    /// @param now unix seconds: the store refuses signatures whose time is 15 minutes off
    object_client(object_options o, std::function<std::int64_t()> now);
    /// Empty = it is there, whole, and the store has said so. Otherwise one sentence. Parts of a failed upload are taken back.
    std::string put(std::string const& key, object_source const& image);
    /// Empty = it is not there (any more).
    std::string remove(std::string const& key);
    void stop();

private:
    using request = storage::firmware::object_request;
    web_answer ask(request const& r, web_ask body);
    std::string put_whole(std::string const& key, object_source const& image);
    std::string put_in_parts(std::string const& key, object_source const& image);
    std::string send_parts(std::string const& key, std::string const& upload, object_source const& image, std::string& list);
    storage::firmware::pairs encryption() const;
    bool pause(int attempt);

    object_options o_;
    std::function<std::int64_t()> now_;
    web_client web_;
    std::atomic<bool> stopped_{false};
};

/// The text of the first `<name>` in S3's XML, unescaped; empty when there is none. Answers are small and flat: no tree is needed.
std::string xml_text(std::string_view xml, std::string_view name);

}
