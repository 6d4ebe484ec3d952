#pragma once
// From the callers' plain structs to packets.

#include "tools/client/options.hpp"

namespace airmail::client {

/// True when every text is UTF-8 of at most 65,535 bytes, topics are topics, and numbers fit.
bool encodable(connect_options const& o);
bool encodable(publication const& p);
bool encodable(std::span<user_property const> user);

/// Appends the CONNECT that `o` describes.
void encode_connect(bytes& out, connect_options const& o);
/// Appends a PUBLISH.
void encode_publish(bytes& out, publication const& p, std::uint16_t packet_id, codec::version v);
/// Appends a DISCONNECT.
void encode_disconnect(bytes& out, codec::reason why, std::span<user_property const> user, codec::version v);

}
