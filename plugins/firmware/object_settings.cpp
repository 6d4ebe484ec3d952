#include "plugins/firmware/object_settings.hpp"

#include "plugins/kit/duration.hpp"

#include <stdexcept>

namespace airmail::plugins {

namespace fw = storage::firmware;

std::optional<outbound::object_options> read_object_options(sdk::context& ctx) {
    auto const endpoint = ctx.option("ota_object_store_url");
    if (endpoint.empty()) return std::nullopt;
    auto const place = fw::object_place::parse(endpoint);
    if (!place) throw std::runtime_error("ota_object_store_url " + endpoint + ": must be https://host or https://host:port (http only for a store on this machine)");
    outbound::object_options o;
    o.place = *place;
    o.place.bucket = ctx.option("ota_object_store_bucket");
    if (o.place.bucket.empty()) throw std::runtime_error("ota_object_store_bucket is not set: the bucket of ota_object_store_url in which images lie");
    if (auto region = ctx.option("ota_object_store_region"); !region.empty()) o.place.region = region;
    o.place.prefix = ctx.option("ota_object_store_prefix");
    if (!o.place.prefix.empty() && !o.place.prefix.ends_with('/')) o.place.prefix += '/';
    if (o.place.prefix.starts_with('/')) throw std::runtime_error("ota_object_store_prefix " + o.place.prefix + ": must not begin with /");
    o.place.bucket_in_host = ctx.option("ota_object_store_bucket_in_host") == "true";
    o.place.base_url = ctx.option("ota_object_store_base_url");
    while (o.place.base_url.ends_with('/')) o.place.base_url.pop_back();
    o.keys_file = ctx.option("ota_object_store_keys"), o.ca_file = ctx.option("ota_object_store_cafile");
    if (o.keys_file.empty()) throw std::runtime_error("ota_object_store_keys is not set: a file (0600) with aws_access_key_id and aws_secret_access_key");
    if (auto keys = fw::read_object_keys(o.keys_file); !keys) throw std::runtime_error("ota_object_store_keys " + o.keys_file + ": " + keys.error().message());
    o.sse = ctx.option("ota_object_store_sse"), o.kms_key = ctx.option("ota_object_store_kms_key");
    if (o.sse == "none") o.sse.clear();
    if (!o.kms_key.empty() && o.sse != "aws:kms") throw std::runtime_error("ota_object_store_kms_key is set: ota_object_store_sse must then be aws:kms");
    auto const part = kit::size_option(ctx, "ota_object_store_part_size", static_cast<std::int64_t>(o.part_bytes));
    if (part < 5 << 20 || part > std::int64_t{5} << 30) throw std::runtime_error("ota_object_store_part_size must be from 5MiB to 5GiB: S3's own bounds");
    o.part_bytes = static_cast<std::uint64_t>(part);
    o.patience = std::chrono::milliseconds(kit::duration_option(ctx, "ota_object_store_timeout", o.patience.count()));
    if (kit::duration_option(ctx, "ota_url_life", 3'600'000) > 604'800'000) throw std::runtime_error("ota_url_life is above 7d: an object store signs URLs for a week at most");
    return o;
}

std::string place_text(fw::object_place const& p) { return (p.tls ? "https://" : "http://") + p.authority() + p.path_of("") + " " + p.prefix; }

}
