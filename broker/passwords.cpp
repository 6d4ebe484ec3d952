#include "broker/passwords.hpp"

#include "broker/log/metrics.hpp"
#include "broker/read_file.hpp"

#include <fmt/core.h>
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

std::optional<password_files> load_passwords(config::config const& c, std::string& why, std::vector<std::string>& warnings) {
    std::map<std::string, std::shared_ptr<acl::password_file const>> read;
    auto const one = [&](config::section const& s) -> std::shared_ptr<acl::password_file const> {
        std::string const path(s.text("password_file"));
        auto& file = read[path];
        if (path.empty() || file) return file;
        std::string problem;
        auto text = read_file(path, problem);
        if (!text) return why = fmt::format("password_file {} ({}): {}", path, s.where("password_file"), problem), nullptr;
        std::vector<acl::complaint> complaints;
        auto made = std::make_shared<acl::password_file>(acl::password_file::parse(*text, complaints));
        for (auto const& x : complaints) {
            auto line = fmt::format("{}:{}: {}", path, x.line, x.text);
            if (x.fatal) return why = std::move(line), nullptr;
            warnings.push_back(std::move(line));
        }
        return file = std::move(made);
    };
    password_files out;
    if (!c.flag("per_listener_settings")) out[-1] = one(c);
    else
        for (auto const& l : c.listeners()) out[l.port] = one(l);
    if (!why.empty()) return std::nullopt;
    return out;
}

std::shared_ptr<acl::password_file const> passwords::file_of(std::uint16_t listener) const {
    auto at = files_.find(listener);
    if (at == files_.end()) at = files_.find(-1);
    return at == files_.end() ? nullptr : at->second;
}

void passwords::use(password_files all) {
    // The old ones are freed here, after the lock: hundreds of thousands of users take a while.
    {
        std::lock_guard hold(lock_);
        files_.swap(all);
    }
}

bool passwords::knows(std::uint16_t listener, std::string_view user) const {
    std::lock_guard hold(lock_);
    auto const file = file_of(listener);
    return !file || file->knows(user);
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

std::optional<acl::scram_verifier> passwords::scram(std::uint16_t listener, std::string_view user) const {
    std::unique_lock hold(lock_);
    auto const file = file_of(listener);
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
        auto const file = file_of(next.who.listener);
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
