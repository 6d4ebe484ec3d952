#pragma once
// The groups of rows that make up the table; inside of this folder only.

#include "broker/config/directives.hpp"

#include <span>

namespace airmail::config::tables {

std::span<directive const> listeners();    // listeners and TLS, Mosquitto's names
std::span<directive const> broker();       // authentication, sessions, persistence, logging, Mosquitto's names
std::span<directive const> bridges();      // Mosquitto's `connection` blocks
std::span<directive const> airmail();      // ours: devices, shards, store, TLS, HTTP, metrics, plugins
std::span<directive const> limits();       // ours: limit_*
std::span<directive const> updates();      // ours: ota_*
std::span<directive const> replication();  // ours: replicate_*

}
