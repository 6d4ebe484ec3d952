#pragma once
// Password checks, off the loop: two threads, because a hash that is worth having takes tens of milliseconds.

#include "acl/password.hpp"
#include "broker/handlers/plugin_gate.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace airmail {

/// Owned by the broker. Bound: 1,024 logins waiting; beyond it a login is refused at once (and counted).
class passwords {
public:
    passwords();
    ~passwords();
    /// The file in force; null = no users. Any thread.
    void use(std::shared_ptr<acl::password_file const> file);
    /// `done` on a checker's thread, or at once when the queue is full. Any thread.
    void check(handlers::login const& l, handlers::login_done done);
    /// Any other slow computation (argon2id of a new password); false when too many wait. `job` must not throw. Any thread.
    bool run(std::function<void()> job);
    /// The SCRAM verifier of a user of that file. Any thread; a look-up.
    std::optional<acl::scram_verifier> scram(std::string_view user) const;
    void stop();

private:
    struct waiting { handlers::login who; handlers::login_done done; std::function<void()> job; };
    void work();
    static constexpr std::size_t waiting_max = 1024;
    mutable std::mutex lock_;
    std::condition_variable wake_;
    std::deque<waiting> queue_;
    std::shared_ptr<acl::password_file const> file_;
    bool stop_ = false;
    std::vector<std::thread> threads_;
};

}
