#pragma once
// Password checks, off the loop: two threads, because a hash that is worth having takes tens of milliseconds.

#include "acl/password.hpp"
#include "broker/config/config.hpp"
#include "broker/handlers/plugin_gate.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace airmail {

/// The files in force, by the listener's port; -1: of every listener without one of its own.
using password_files = std::map<int, std::shared_ptr<acl::password_file const>>;

/// Reads every password_file of the configuration, a file once. Nothing with `why` ("file:line: what") when one must not be
/// used; `warnings` in the same form.
std::optional<password_files> load_passwords(config::config const& c, std::string& why, std::vector<std::string>& warnings);

/// Owned by the broker. Bound: 1,024 logins waiting; beyond it a login is refused at once (and counted).
class passwords {
public:
    passwords();
    ~passwords();
    /// Any thread.
    void use(password_files all);
    /// Can this user of that listener still log in? Any thread.
    bool knows(std::uint16_t listener, std::string_view user) const;
    /// `done` on a checker's thread, or at once when the queue is full. Any thread.
    void check(handlers::login const& l, handlers::login_done done);
    /// Any other slow computation (argon2id of a new password); false when too many wait. `job` must not throw. Any thread.
    bool run(std::function<void()> job);
    /// The SCRAM verifier of a user of that listener. Any thread; a look-up.
    std::optional<acl::scram_verifier> scram(std::uint16_t listener, std::string_view user) const;
    void stop();

private:
    struct waiting { handlers::login who; handlers::login_done done; std::function<void()> job; };
    void work();
    static constexpr std::size_t waiting_max = 1024;
    mutable std::mutex lock_;
    std::condition_variable wake_;
    std::deque<waiting> queue_;
    std::shared_ptr<acl::password_file const> file_of(std::uint16_t listener) const;
    password_files files_;
    bool stop_ = false;
    std::vector<std::thread> threads_;
};

}
