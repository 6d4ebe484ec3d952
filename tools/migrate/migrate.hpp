#pragma once
// A whole Mosquitto, from its configuration on: what maps, what changed, what is refused; then the files and the store of ours.

#include "tools/migrate/import_db.hpp"
#include "tools/migrate/report.hpp"

#include <string>

namespace airmail::migrate {

struct request {
    std::string conf;         // mosquitto.conf
    std::string out;          // folder for what we write; empty = `airmail` beside it
    std::string db;           // mosquitto.db; empty = as the configuration says
    std::string store;        // our data folder; empty = as the configuration says
    bool dry_run = false;     // only look
};

struct result {
    report said;
    imported counts;
    bool had_db = false;
    bool done_before = false;   // the same mosquitto.db is in the store already: nothing was written into it
    std::string configuration;  // the file to start airmaild with
};

/// Exit codes of the tool travel with it (DECISIONS): see failure.hpp of airmailctl.
struct trouble {
    enum class kind { failed, not_found, refused } what;
    std::string text;
};

/// Thrown by mosquitto(): what was found out until then, and why it did not go on.
struct stopped {
    result so_far;
    trouble why;
};

/// Reads, judges, writes. Running it again changes nothing. Mosquitto must not be running: it writes its file when it ends.
/// Throws `stopped` when it cannot go on; nothing of the store is written then.
result mosquitto(request const& r);

}
