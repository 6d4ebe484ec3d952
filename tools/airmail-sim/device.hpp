#pragma once
// One simulated device: what it does with commands, bytes, power and time. No sockets, no clock: tests play the broker.
//
//  command -> judge -> space -> downloading -> (hash, signature) -> installing -> rebooting -> testing -> confirmed
//                                  |  ^ Range                          |                 '-> rolled back
//                                  '--'                                '- (reference/ota.md 4.2, device steps)

#include "tools/airmail-sim/command.hpp"
#include "tools/airmail-sim/slots.hpp"
#include "tools/airmail-sim/victim.hpp"

#include <chrono>

namespace airmail::sim {

/// How a download came to its end.
enum class fetch_end : std::uint8_t { complete, cut, forbidden, gone, busy, protocol };

/// What a device asks of the world. Nothing here may call back into the device before it has returned.
class outlet {
public:
    virtual ~outlet() = default;
    /// To devices/{id}/LEAF. False when there is no connection: the device tells it again after the next one.
    virtual bool publish(char const* leaf, std::string const& payload, int qos) = 0;
    /// Begins a download at byte `from` of `size`: device::data, then device::fetch_ended once.
    virtual void fetch(std::string const& url, std::uint64_t from, std::uint64_t size) = 0;
    virtual void stop_fetch() = 0;
    /// Goes down: orderly is DISCONNECT with ota=reboot, otherwise the power is gone. After `down` comes device::booted, then a connection.
    virtual void restart(bool orderly, std::chrono::milliseconds down) = 0;
    /// device::timer(token) after a while.
    virtual void after(std::chrono::milliseconds wait, int token) = 0;
    /// Unix seconds.
    virtual std::int64_t now() = 0;
};

/// What a device is from birth.
struct device_plan {
    std::string serial, model, hw;
    victim fate = victim::none;
    std::uint64_t seed = 0;                          // of this device's own dice
    std::chrono::milliseconds install{500};          // flashing
    std::chrono::milliseconds reboot{1000};          // down time, up to twice as long
    std::chrono::milliseconds confirm{2000};         // self-test, from the connection in the new slot to "completed"
    int loops = 6;                                   // restarts of a reboot loop
};

struct device_counts {
    std::uint64_t commands = 0, duplicates = 0, stale = 0, unknown_commands = 0, bad_commands = 0;
    std::uint64_t downloads = 0, resumes = 0, retries = 0, bytes = 0, images = 0;   // images: complete downloads
};

class device {
public:
    device(device_plan plan, slots& disk, trust const& who, outlet& world);

    /// Connected and subscribed.
    void connected();
    /// The connection is gone.
    void lost() { online_ = false; }
    void command_came(std::string_view payload);
    /// Bytes of the download. False: want no more.
    bool data(storage::firmware::byte_view piece);
    void fetch_ended(fetch_end how);
    /// Up again after restart().
    void booted();
    void timer(int token);
    void heartbeat();
    /// Somebody turned a knob: notify.
    void change_setting(std::string const& key, std::string const& value);

    /// Nothing more is expected of it in this update.
    bool ended() const;
    bool busy() const { return disk_.memory().at != stage::idle; }
    device_plan const& plan() const { return plan_; }
    slots const& disk() const { return disk_; }
    device_counts const& counted() const { return counts_; }

private:
    enum wait : int { resume = 1, install, confirm, loop, give_up, fidget, wait_kinds = 16 };

    bool pure() const { return plan_.fate == victim::seed_pure; }
    device_memory& mem() { return disk_.memory(); }
    void update(command const& c);
    void begin(command const& c, std::uint64_t release_counter);
    bool repeated(command const& c);
    void cancel(command const& c);
    void new_url(command const& c);
    void configure(command const& c);
    void fetch_from(bool fresh);
    void verify();
    void lose_power();
    void roll_back();
    void finish(std::string const& result);
    void fail(std::string_view reason, std::string_view campaign_id, std::string_view command_id);
    void tell_again(command const& c);
    void wait_for(wait what, std::chrono::milliseconds time) { world_.after(time, life_ * wait_kinds + what); }

    struct told { std::string_view word, reason, campaign_id, command_id; int progress = -1; };
    void status(told const& t);
    void status(std::string_view word, int progress = -1);
    void boot_anew();

    device_plan plan_;
    slots& disk_;
    trust const& trust_;
    outlet& world_;
    device_counts counts_;
    dice dice_;
    std::string boot_id_, untold_;      // a status that found no connection
    std::int64_t booted_at_ = 0;
    int life_ = 1;                      // timers of an earlier life say nothing
    int progress_told_ = 0, tries_ = 0, loops_ = 0;
    bool online_ = false, damaged_ = false, heard_ = false, restless_ = false;
};

}
