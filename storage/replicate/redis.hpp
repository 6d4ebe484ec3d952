#pragma once
// The fast view: who is here, which firmware, how far a campaign is. Never a source of truth: whatever is missing is written
// again from the registry.

#include "storage/replicate/destination.hpp"
#include "storage/replicate/redis_client.hpp"
#include "storage/replicate/redis_views.hpp"

namespace airmail::storage::replicate {

class redis final : public destination {
public:
    redis(surroundings& around, redis_options o);

    /// Keys that had gone although their device is connected, written again (evicted, flushed).
    std::uint64_t healed() const { return healed_.load(); }

private:
    asio::awaitable<std::string> connect() override;
    asio::awaitable<std::string> fill() override;
    asio::awaitable<std::string> stream(bool& idle) override;
    void disconnect() override { client_.close(); }

    using requests = std::vector<redis_client::request>;
    void put(requests& out, redis_view const& v, std::int64_t seq, bool tell) const;
    void push(requests& out, std::int64_t seq, std::string const& json) const;
    asio::awaitable<std::string> run(requests const& r, std::vector<redis_reply>& replies);
    asio::awaitable<std::string> run(requests const& r);
    asio::awaitable<std::string> mark();
    asio::awaitable<bool> marks_there(std::string& why);
    asio::awaitable<std::string> keep_alive();
    asio::awaitable<std::string> fill_events(std::int64_t seq);

    redis_options const options_;
    redis_client client_;
    redis_views views_;
    std::atomic<std::uint64_t> healed_{0};
    instant looked_at_{}, next_page_{}, next_campaigns_{};
    std::int64_t marked_ = -1;
    std::string alive_after_;        // device_id up to which keys were kept alive in this round
};

}
