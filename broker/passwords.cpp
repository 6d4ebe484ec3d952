#include "broker/passwords.hpp"

#include "broker/log/metrics.hpp"

#include <pthread.h>

namespace airmail {
namespace {
metrics::counter overflow{"airmail_broker_logins_refused_busy_total", "Logins refused because too many waited for a password check."};
}

passwords::passwords() {
    for (int i = 0; i < 2; ++i)
        threads_.emplace_back([this] {
            pthread_setname_np(pthread_self(), "airmail-crypto");
            work();
        });
}

passwords::~passwords() { stop(); }

void passwords::use(std::shared_ptr<acl::password_file const> file) {
    std::lock_guard hold(lock_);
    file_ = std::move(file);
}

void passwords::check(handlers::login const& l, handlers::login_done done) {
    {
        std::lock_guard hold(lock_);
        if (!stop_ && queue_.size() < waiting_max) {
            queue_.push_back({l, std::move(done), {}});
            wake_.notify_one();
            return;
        }
    }
    overflow.add();
    done(false, {});
}

bool passwords::run(std::function<void()> job) {
    std::lock_guard hold(lock_);
    if (stop_ || queue_.size() >= waiting_max) return overflow.add(), false;
    queue_.push_back({{}, {}, std::move(job)});
    wake_.notify_one();
    return true;
}

std::optional<acl::scram_verifier> passwords::scram(std::string_view user) const {
    std::unique_lock hold(lock_);
    auto const file = file_;
    hold.unlock();
    return file ? file->scram(user) : std::nullopt;
}

void passwords::stop() {
    {
        std::lock_guard hold(lock_);
        stop_ = true;
    }
    wake_.notify_all();
    for (auto& t : threads_)
        if (t.joinable()) t.join();
}

void passwords::work() {
    for (;;) {
        std::unique_lock hold(lock_);
        wake_.wait(hold, [&] { return stop_ || !queue_.empty(); });
        if (queue_.empty()) return;
        auto next = std::move(queue_.front());
        queue_.pop_front();
        auto const file = file_;
        hold.unlock();
        if (next.job) {
            next.job();
            continue;
        }
        bool const good = file && !file->check(next.who.user, next.who.password);
        next.done(good, {});
    }
}

}
