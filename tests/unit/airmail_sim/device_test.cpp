#include "tests/unit/airmail_sim/scripted_broker.hpp"

#include <doctest/doctest.h>

using namespace airmail::sim;
using namespace airmail::sim::test;

namespace {
/// From the command to the confirmed slot, without any trouble.
void whole_update(rig& w, std::uint64_t seq, std::string const& id = "c-1") {
    w.one->command_came(w.release.command(seq, id));
    w.serve();
    w.pass_time();      // flashed
    w.come_back();
    w.pass_time();      // self-test
}
}

TEST_CASE("a device updates: downloads, hashes, installs, reboots, confirms, and only then raises its counter") {
    release_of_v2 r;
    rig w(r);
    w.connect();
    CHECK(w.last_heartbeat().at("current_firmware").as_string() == "v1.0.0");
    auto const boot = w.last_heartbeat().at("boot_id").as_string();
    w.one->command_came(r.command(10));
    CHECK(w.url == "https://h/fw/10");
    w.serve();
    CHECK(w.words() == "accepted downloading downloading downloading downloading downloaded verifying installing");
    w.pass_time();
    CHECK(w.reboots == 1);
    CHECK(w.words() == "rebooting");
    w.come_back();
    CHECK(w.last_heartbeat().at("current_firmware").as_string() == "v1.1.0");
    CHECK(w.last_heartbeat().at("boot_id").as_string() != boot);
    CHECK(w.disk->memory().security_counter == 0);
    CHECK(!w.one->ended());
    w.pass_time();
    CHECK(w.words() == "completed");
    CHECK(w.disk->memory().security_counter == 3);
    CHECK(w.one->ended());
    CHECK(w.disk->digest_of('b') == fw::to_hex(r.digest));
    CHECK(w.disk->memory().active == 'b');
}

TEST_CASE("a command that comes again is answered from memory, and no slot is written twice") {
    release_of_v2 r;
    rig w(r);
    w.connect();
    SUBCASE("while the download runs") {
        w.one->command_came(r.command(10));
        w.serve(30'000);
        w.one->command_came(r.command(11));
        w.one->command_came(r.command(11));
        CHECK(w.fetches == 1);
        w.serve();
        w.pass_time();
        w.come_back();
        w.pass_time();
    }
    SUBCASE("after it has ended") {
        whole_update(w, 10);
        w.words();
        w.one->command_came(r.command(11));
        CHECK(w.words() == "completed");
    }
    SUBCASE("after it has ended and the device has restarted") {
        whole_update(w, 10);
        w.power_up();
        w.connect();
        w.words();
        CHECK(w.last_heartbeat().at("last_result").as_string() == "completed");
        w.one->command_came(r.command(12));
        CHECK(w.words() == "completed");
    }
    CHECK(w.one->counted().duplicates >= 1);
    CHECK(w.disk->memory().slot_writes.at("c-1") == 1);
    CHECK(w.disk->memory().command_ids.size() == 1);
    CHECK(w.disk->memory().running() == "v1.1.0");
}

TEST_CASE("a power cut in the download: the command comes again and the rest is fetched") {
    release_of_v2 r;
    rig w(r, victim::power_cut);
    w.connect();
    w.one->command_came(r.command(10));
    CHECK(!w.serve());
    CHECK(w.cuts == 1);
    auto const kept = std::filesystem::file_size(w.disk->path('b'));
    CHECK(kept >= 40'000);
    bool own_initiative = false;
    SUBCASE("sent again by the broker") {}
    SUBCASE("not sent again") { own_initiative = true; }
    w.come_back();
    CHECK(w.last_heartbeat().at("current_firmware").as_string() == "v1.0.0");
    if (own_initiative) w.pass_time(10);
    else w.one->command_came(r.command(11));
    CHECK(w.at == kept);
    CHECK(w.url == (own_initiative ? "https://h/fw/10" : "https://h/fw/11"));
    w.serve();
    w.pass_time(10);
    CHECK(w.reboots == 1);
    w.come_back();
    w.pass_time(10);
    CHECK(w.disk->digest_of('b') == fw::to_hex(r.digest));
    CHECK(w.disk->memory().slot_writes.at("c-1") == 1);
    CHECK(w.one->counted().bytes == r.bytes.size() + (w.one->counted().bytes - r.bytes.size()));
    CHECK(w.one->ended());
}

TEST_CASE("killed in the middle of a download, the next process goes on where the slot ends") {
    release_of_v2 r;
    rig w(r);
    w.connect();
    w.one->command_came(r.command(10));
    w.serve(50'000);
    w.power_up();
    w.connect();
    w.pass_time();
    CHECK(w.at == 50'000);
    w.serve();
    w.pass_time();
    w.come_back();
    w.pass_time();
    CHECK(w.disk->memory().running() == "v1.1.0");
    CHECK(w.disk->memory().slot_writes.at("c-1") == 1);
}

TEST_CASE("a damaged download is a checksum_mismatch; the next attempt has its own command_id and passes") {
    release_of_v2 r;
    rig w(r, victim::checksum_fault);
    w.connect();
    w.one->command_came(r.command(10));
    w.serve();
    CHECK(w.words().ends_with("verifying failed(checksum_mismatch)"));
    CHECK(!w.one->ended());
    CHECK(w.disk->memory().running() == "v1.0.0");
    whole_update(w, 20, "c-2");
    CHECK(w.words().ends_with("completed"));
    CHECK(w.disk->memory().slot_writes.at("c-1") == 1);
    CHECK(w.disk->memory().slot_writes.at("c-2") == 1);
}

TEST_CASE("a slot that does not come up: back to the old one, and said so") {
    release_of_v2 r;
    rig w(r, victim::boot_failure);
    w.connect();
    w.one->command_came(r.command(10));
    w.serve();
    w.pass_time();
    w.words();
    w.come_back();
    CHECK(w.last_heartbeat().at("current_firmware").as_string() == "v1.0.0");
    auto const status = json::parse(w.statuses.back()).as_object();
    CHECK(status.at("status").as_string() == "rollback");
    CHECK(status.at("failed_firmware").as_string() == "v1.1.0");
    CHECK(status.at("error").as_string() == "boot_failure");
    CHECK(w.one->ended());
    CHECK(w.disk->memory().security_counter == 0);
}

TEST_CASE("a reboot loop ends in the old slot") {
    release_of_v2 r;
    rig w(r, victim::reboot_loop);
    w.connect();
    w.one->command_came(r.command(10));
    w.serve();
    w.pass_time();
    for (int i = 0; i < 3; ++i) w.come_back(), w.pass_time(10);
    w.come_back();
    CHECK(w.cuts == 3);
    CHECK(w.words().ends_with("rollback"));
    CHECK(w.disk->memory().running() == "v1.0.0");
}

TEST_CASE("what is not signed for this device is refused before a byte is fetched") {
    release_of_v2 r, other;
    rig w(r);
    w.connect();
    SUBCASE("another's command key") {
        w.one->command_came(other.command(10));
        CHECK(w.words() == "failed(signature_invalid)");
    }
    SUBCASE("no envelope") {
        auto o = json::parse(r.command(10)).as_object();
        o.erase("envelope");
        w.one->command_came(json::serialize(o));
        CHECK(w.words() == "failed(signature_invalid)");
    }
    SUBCASE("plain fields that are not the signed ones") {
        auto o = json::parse(r.command(10)).as_object();
        o["checksum"] = "sha256:" + std::string(64, '0');
        w.one->command_came(json::serialize(o));
        CHECK(w.words() == "failed(signature_invalid)");
    }
    SUBCASE("another's release key") {
        auto o = json::parse(r.command(10)).as_object();
        o["manifest"] = json::parse(other.manifest);
        w.one->command_came(json::serialize(o));
        CHECK(w.words() == "failed(signature_invalid)");
    }
    SUBCASE("a command for another device is not answered") {
        w.one->command_came(r.command(10, "c-1", "dev-2"));
        CHECK(w.words().empty());
        CHECK(w.one->counted().stale == 1);
    }
    SUBCASE("an expired command") {
        w.clock = 6000;
        w.one->command_came(r.command(10));
        CHECK(w.words() == "failed(url_expired)");
    }
    SUBCASE("a downgrade of the security counter") {
        w.disk->memory().security_counter = 4;
        w.one->command_came(r.command(10));
        CHECK(w.words() == "failed(downgrade_refused)");
    }
    SUBCASE("more than 16 KiB") {
        w.one->command_came(R"({"command":"ota_update","x":")" + std::string(17'000, 'x') + "\"}");
        CHECK(w.one->counted().bad_commands == 1);
    }
    CHECK(w.fetches == 0);
    CHECK(w.disk->memory().slot_writes.empty());
}

TEST_CASE("an old command does not come back to life") {
    release_of_v2 r;
    rig w(r);
    w.connect();
    whole_update(w, 10);
    w.words();
    w.one->command_came(r.command(9, "c-0"));
    CHECK(w.words().empty());
    CHECK(w.one->counted().stale == 1);
}

TEST_CASE("a device that knows only the document's fields says only those, and updates") {
    release_of_v2 r;
    rig w(r, victim::seed_pure);
    w.connect();
    CHECK(w.last_heartbeat().size() == 4);
    w.one->command_came(r.command(10));
    w.one->command_came(r.command(10));
    w.serve();
    for (auto const& s : w.statuses) {
        auto const o = json::parse(s).as_object();
        CHECK(!o.contains("command_id"));
        CHECK(!o.contains("seq"));
        CHECK(!o.contains("bytes"));
    }
    CHECK(w.words() == "downloading downloading downloading downloading installing");
    w.pass_time();
    w.come_back();
    w.pass_time();
    CHECK(w.last_heartbeat().at("current_firmware").as_string() == "v1.1.0");
    CHECK(w.last_heartbeat().size() == 4);
    CHECK(w.fetches == 1);
    CHECK(w.one->ended());
}

TEST_CASE("cancel stops a download, and is too late once the slot is being flashed") {
    release_of_v2 r;
    rig w(r);
    w.connect();
    auto cancel = [&](std::uint64_t seq) {
        fw::signed_command s;
        s.command = "cancel", s.device_id = "dev-1", s.seq = seq, s.issued_at = 1000, s.expires_at = 5000, s.campaign_id = "camp", s.command_id = "c-1";
        json::object o{{"command", "cancel"}, {"campaign_id", "camp"}, {"command_id", "c-1"}, {"device_id", "dev-1"}, {"seq", seq}};
        o["envelope"] = json::parse(fw::make_command(s, r.command_key).value().to_json());
        return json::serialize(o);
    };
    w.one->command_came(r.command(10));
    SUBCASE("downloading") {
        w.serve(20'000);
        w.one->command_came(cancel(11));
        CHECK(!w.fetching);
        CHECK(w.words().ends_with("cancelled(cancelled)"));
        CHECK(w.one->ended());
    }
    SUBCASE("installing") {
        w.serve();
        w.one->command_came(cancel(11));
        CHECK(w.words().ends_with("too_late"));
    }
}

TEST_CASE("a download that breaks off is resumed; a URL that is refused is asked for anew") {
    release_of_v2 r;
    rig w(r);
    w.connect();
    w.one->command_came(r.command(10));
    w.serve(30'000);
    SUBCASE("cut") {
        w.one->fetch_ended(fetch_end::cut);
        w.pass_time();
    }
    SUBCASE("forbidden") {
        w.one->fetch_ended(fetch_end::forbidden);
        CHECK(w.others.back() == R"({"request":"url","command_id":"c-1"})");
        w.one->command_came(R"({"command":"url","command_id":"c-1","url":"https://h/fresh"})");
        CHECK(w.url == "https://h/fresh");
    }
    CHECK(w.at == 30'000);
    w.serve();
    w.pass_time(10);
    CHECK(w.reboots == 1);
    CHECK(w.disk->memory().slot_writes.at("c-1") == 1);
}

TEST_CASE("a desired setting is taken and told") {
    release_of_v2 r;
    rig w(r);
    w.connect();
    w.one->command_came(R"({"command":"config","settings":{"poll_interval":"300s"}})");
    auto const o = json::parse(w.others.back()).as_object();
    CHECK(o.at("setting_changed").as_string() == "poll_interval");
    CHECK(o.at("new_value").as_string() == "300s");
}
