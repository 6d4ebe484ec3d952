#include "plugins/outbound/object_client.hpp"

#include "storage/firmware/digest.hpp"

#include <algorithm>
#include <poll.h>
#include <vector>

namespace airmail::plugins::outbound {

namespace fw = storage::firmware;

namespace {

constexpr std::uint64_t parts_max = 10'000;       // S3's

/// What a status means to an operator.
std::string words_of(web_answer const& a) {
    if (a.status == 0) return a.trouble;
    auto const code = xml_text(a.body, "Code"), message = xml_text(a.body, "Message");
    return "the object store answers " + std::to_string(a.status) + (code.empty() ? "" : " " + code.substr(0, 64)) + (message.empty() ? "" : ": " + message.substr(0, 200));
}

/// Busy, broken or not to be reached: another try may help. A refusal stays one.
bool worth_another(web_answer const& a) { return a.status == 0 || a.status == 408 || a.status == 429 || a.status >= 500; }

/// The hash of a part, read once more than it is sent: the page cache has it, and S3 refuses a part that changed on its way.
bool hash_part(object_source const& image, std::uint64_t from, std::uint64_t length, std::string& hex) {
    fw::sha256 hash;
    std::vector<std::uint8_t> piece(64u << 10);
    for (std::uint64_t at = 0; at < length;) {
        std::span<std::uint8_t> const now(piece.data(), std::min<std::uint64_t>(piece.size(), length - at));
        if (!image.read(from + at, now)) return false;
        hash.update(now), at += now.size();
    }
    hex = fw::to_hex(hash.finish());
    return true;
}

}

std::string xml_text(std::string_view xml, std::string_view name) {
    auto const open = "<" + std::string(name) + ">", shut = "</" + std::string(name) + ">";
    auto const from = xml.find(open);
    if (from == xml.npos) return {};
    auto const to = xml.find(shut, from);
    if (to == xml.npos) return {};
    std::string out(xml.substr(from + open.size(), to - from - open.size()));
    for (auto const& [code, c] : {std::pair{"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#34;", '"'}, {"&apos;", '\''}, {"&amp;", '&'}})
        for (std::size_t at = 0; (at = out.find(code, at)) != out.npos; ++at) out.replace(at, std::string_view(code).size(), 1, c);
    return out;
}

object_client::object_client(object_options o, std::function<std::int64_t()> now)
    : o_(std::move(o)), now_(std::move(now)),
      web_({.tls = o_.place.tls, .host = (o_.place.bucket_in_host ? o_.place.bucket + "." : std::string{}) + o_.place.host, .port = o_.place.port, .ca_file = o_.ca_file, .patience = o_.patience}) {}

void object_client::stop() { stopped_ = true, web_.stop(); }

fw::pairs object_client::encryption() const {
    fw::pairs out;
    if (!o_.sse.empty()) out.emplace_back("x-amz-server-side-encryption", o_.sse);
    if (!o_.kms_key.empty()) out.emplace_back("x-amz-server-side-encryption-aws-kms-key-id", o_.kms_key);
    return out;
}

/// Waits before the next try, in steps, so that stop() is obeyed.
bool object_client::pause(int attempt) {
    for (int ms = 1000 << std::min(2 * attempt, 6); ms > 0 && !stopped_; ms -= 100) ::poll(nullptr, 0, std::min(ms, 100));
    return !stopped_;
}

web_answer object_client::ask(request const& r, web_ask body) {
    web_answer out;
    for (int attempt = 0; attempt < o_.tries; ++attempt) {
        // Read anew each time: temporary keys change under us, and the signature carries the time.
        auto const keys = fw::read_object_keys(o_.keys_file);
        if (!keys) return {.trouble = "ota_object_store_keys " + o_.keys_file + ": " + keys.error().message()};
        auto const signed_now = fw::sign_request(o_.place, *keys, r, now_());
        body.verb = r.verb, body.target = signed_now.target, body.headers = signed_now.headers;
        out = web_.ask(body);
        if (!worth_another(out) || stopped_) break;
        if (attempt + 1 < o_.tries && !pause(attempt)) break;
    }
    return out;
}

std::string object_client::put(std::string const& key, object_source const& image) {
    return image.size > o_.part_bytes ? put_in_parts(key, image) : put_whole(key, image);
}

std::string object_client::put_whole(std::string const& key, object_source const& image) {
    request r{"PUT", key, {}, encryption(), {}};
    r.headers.emplace_back("content-type", "application/octet-stream");
    if (!hash_part(image, 0, image.size, r.payload_sha256)) return "the image cannot be read";
    auto const a = ask(r, {.length = image.size, .read = image.read});
    return a.status == 200 ? std::string{} : words_of(a);
}

std::string object_client::put_in_parts(std::string const& key, object_source const& image) {
    auto const empty = fw::to_hex(fw::sha256_of(std::string_view{}));
    request begin{"POST", key, {{"uploads", ""}}, encryption(), empty};
    begin.headers.emplace_back("content-type", "application/octet-stream");
    auto const begun = ask(begin, {});
    auto const upload = xml_text(begun.body, "UploadId");
    if (begun.status != 200 || upload.empty()) return words_of(begun);
    std::string list = "<CompleteMultipartUpload>";
    auto why = send_parts(key, upload, image, list);
    if (why.empty()) {
        list += "</CompleteMultipartUpload>";
        auto const done = ask({"POST", key, {{"uploadId", upload}}, {{"content-type", "application/xml"}}, fw::to_hex(fw::sha256_of(list))}, {.body = list});
        // S3 may say 200 and tell of an error in the body: it answers before the parts are joined.
        if (done.status == 200 && xml_text(done.body, "Code").empty()) return {};
        why = words_of(done);
    }
    // What lies there in parts would be paid for and never seen.
    if (!stopped_) (void)ask({"DELETE", key, {{"uploadId", upload}}, {}, empty}, {});
    return why;
}

std::string object_client::send_parts(std::string const& key, std::string const& upload, object_source const& image, std::string& list) {
    auto const part_bytes = std::max(o_.part_bytes, (image.size + parts_max - 1) / parts_max);
    int number = 0;
    for (std::uint64_t from = 0; from < image.size; from += part_bytes) {
        auto const length = std::min(part_bytes, image.size - from);
        request r{"PUT", key, {{"partNumber", std::to_string(++number)}, {"uploadId", upload}}, {}, {}};
        if (!hash_part(image, from, length, r.payload_sha256)) return "the image cannot be read";
        auto const a = ask(r, {.length = length, .read = [&image, from](std::uint64_t at, std::span<std::uint8_t> piece) { return image.read(from + at, piece); }});
        if (a.status != 200) return "part " + std::to_string(number) + ": " + words_of(a);
        auto tag = a.etag;
        std::erase(tag, '"');
        list += "<Part><PartNumber>" + std::to_string(number) + "</PartNumber><ETag>\"" + tag + "\"</ETag></Part>";
    }
    return {};
}

std::string object_client::remove(std::string const& key) {
    auto const a = ask({"DELETE", key, {}, {}, fw::to_hex(fw::sha256_of(std::string_view{}))}, {});
    return a.status == 200 || a.status == 204 || a.status == 404 ? std::string{} : words_of(a);
}

}
