#include "storage/reads/redis_source.hpp"

#include "storage/replicate/redis_scripts.hpp"
#include "storage/replicate/redis_views.hpp"
#include "storage/replicate/secret.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace airmail::storage::reads {

using replicate::redis_reply;

redis_source::redis_source(replicate::redis_options o, std::chrono::milliseconds timeout)
    : options_(std::move(o)), timeout_(timeout), client_(options_, replicate::redis_scripts) {}

std::string redis_source::trouble() const {
    std::lock_guard hold(mutex_);
    return why_;
}

void redis_source::lose(std::string why) {
    client_.close();
    there_ = false;
    std::lock_guard hold(mutex_);
    why_ = std::move(why);
}

asio::awaitable<std::string> redis_source::connect() {
    if (!options_.problem.empty()) co_return "replicate_redis " + options_.problem;
    std::string why;
    auto const password = replicate::read_secret(options_.password, why);
    if (!why.empty()) co_return "replicate_redis_password: " + why;
    why = co_await client_.connect(password, timeout_);
    co_return why;
}

asio::awaitable<void> redis_source::keep() {
    for (;;) {
        if (there_) {
            co_await replicate::sleep_for(std::chrono::milliseconds(50));
            continue;
        }
        auto why = co_await connect();
        if (!why.empty()) {
            lose(std::move(why));
            co_await replicate::sleep_for(backoff_.next());
            continue;
        }
        backoff_.reset();
        there_ = true;
        std::lock_guard hold(mutex_);
        why_.clear();
    }
}

/// An error of Redis is no answer: whoever reads would take it for a miss.
asio::awaitable<std::string> redis_source::run(std::vector<replicate::redis_client::request> const& r, std::vector<redis_reply>& replies) {
    auto why = co_await client_.run(r, replies);
    for (auto const& x : replies)
        if (x.is_error() && why.empty()) why = fmt::format("{}: {}", client_.server().str(), x.text);
    co_return why;
}

asio::awaitable<std::string> redis_source::find(std::vector<question*> const& open) {
    std::vector<replicate::redis_client::request> r;
    for (auto const* q : open) {
        auto const key = q->key();
        r.push_back({{"GET", key}, key});
        r.push_back({{"GET", replicate::guard_of(key)}, key});
    }
    std::vector<redis_reply> replies;
    auto why = co_await run(r, replies);
    if (!why.empty()) {
        lose(why);
        co_return why;
    }
    for (std::size_t i = 0; i < open.size(); ++i) {
        auto& q = *open[i];
        auto& value = replies[2 * i];
        if (value.what == redis_reply::kind::text) q.json = std::move(value.text), q.from = place::redis;
        else q.missed = true, q.guard = std::move(replies[2 * i + 1].text);
    }
    co_return why;
}

asio::awaitable<std::string> redis_source::refill(std::vector<question*> const& known) {
    std::vector<replicate::redis_client::request> r;
    for (auto const* q : known) {
        auto const key = q->key();
        auto const life = q->about == subject::device ? replicate::device_life_s : replicate::campaign_life_s;
        r.push_back({{"EVALSHA", std::to_string(replicate::script_restore), "2", key, replicate::guard_of(key), std::to_string(q->version), std::to_string(life), q->json, q->guard}, key});
    }
    std::vector<redis_reply> replies;
    auto why = co_await run(r, replies);
    for (auto const& x : replies)
        if (x.number == 1) ++refilled_;
    // A full or read-only Redis still answers what it has; only a lost connection makes it away.
    bool const answers = replies.size() == r.size() && std::none_of(replies.begin(), replies.end(), [](auto const& x) { return x.what == redis_reply::kind::nothing; });
    if (!why.empty() && !answers) lose(why);
    co_return why;
}

}
