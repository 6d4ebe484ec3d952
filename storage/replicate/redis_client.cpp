#include "storage/replicate/redis_client.hpp"

#include <fmt/core.h>

namespace airmail::storage::replicate {

std::string parse_redis_url(std::string_view url, redis_options& out) {
    auto take = [&](std::string_view prefix) { return url.starts_with(prefix) ? (url.remove_prefix(prefix.size()), true) : false; };
    out.at.clear();
    if (take("unix://")) {
        if (!url.starts_with('/')) return "needs an absolute path after unix://";
        return out.at.push_back({std::string(url), ""}), std::string();
    }
    if (take("rediss://")) out.login.tls = true;
    else if (!take("redis://")) return "must begin with redis://, rediss:// or unix://";
    if (auto at = url.find('@'); at != url.npos) {
        if (url.substr(0, at).find(':') != url.npos) return "must not hold the password: write replicate_redis_password file:/path (or credential:, env:, exec:)";
        out.login.user = url.substr(0, at);
        url.remove_prefix(at + 1);
    }
    if (auto slash = url.find('/'); slash != url.npos) {
        auto const db = url.substr(slash + 1);
        if (db.size() > 3 || db.find_first_not_of("0123456789") != db.npos) return "has no number of a database after the /";
        out.login.database = db.empty() ? 0 : std::stoi(std::string(db));
        url = url.substr(0, slash);
    }
    while (!url.empty()) {
        auto one = url.substr(0, url.find(','));
        url.remove_prefix(std::min(url.size(), one.size() + 1));
        auto const colon = one.rfind(':');
        bool const six = one.starts_with('[');
        redis_endpoint e{std::string(one), "6379"};
        if (colon != one.npos && (!six || one[colon - 1] == ']')) e = {std::string(one.substr(0, colon)), std::string(one.substr(colon + 1))};
        if (six && e.host.size() > 2) e.host = e.host.substr(1, e.host.size() - 2);
        if (e.host.empty() || e.port.empty() || e.port.find_first_not_of("0123456789") != e.port.npos) return "has an address that is not host:port";
        out.at.push_back(std::move(e));
    }
    return out.at.empty() ? "names no host" : "";
}

asio::awaitable<std::string> redis_client::open(redis_endpoint const& to, place*& out) {
    auto& p = links_[to];
    out = &p;
    if (p.link) co_return std::string();
    auto fresh = std::make_unique<redis_link>(co_await asio::this_coro::executor);
    auto why = co_await fresh->connect(to, login_, timeout_);
    std::vector<redis_command> load;
    for (auto const& s : scripts_) load.push_back({"SCRIPT", "LOAD", s});
    std::vector<redis_reply> replies;
    if (why.empty()) why = co_await fresh->run(load, replies, timeout_);
    for (auto const& r : replies)
        if (r.is_error() && why.empty()) why = fmt::format("{}: {}", to.str(), r.text);
    if (!why.empty()) {
        links_.erase(to);
        co_return why;
    }
    for (auto const& r : replies) p.sha.push_back(r.text);
    p.link = std::move(fresh);
    co_return why;
}

asio::awaitable<std::string> redis_client::learn_slots(redis_endpoint const& from) {
    place* at = nullptr;
    if (auto why = co_await open(from, at); !why.empty()) co_return why;
    std::vector<redis_command> ask(1);
    ask[0].push_back("CLUSTER"), ask[0].push_back("SLOTS");
    std::vector<redis_reply> replies;
    if (auto why = co_await at->link->run(ask, replies, timeout_); !why.empty()) co_return why;
    if (replies[0].is_error()) co_return fmt::format("{}: {}", from.str(), replies[0].text);
    auto slots = read_slots(replies[0], from);
    if (!slots || slots->empty()) co_return fmt::format("{}: the cluster serves no slots", from.str());
    slots_ = std::move(*slots);
    co_return std::string();
}

asio::awaitable<std::string> redis_client::connect(std::string const& password, std::chrono::milliseconds timeout) {
    close();
    login_ = options_.login, login_.password = password, timeout_ = timeout;
    std::string tried;
    for (std::size_t i = 0; i < options_.at.size(); ++i) {
        place* at = nullptr;
        seed_ = i;
        std::string why;
        if (options_.cluster) why = co_await learn_slots(options_.at[i]);
        else why = co_await open(options_.at[i], at);
        if (why.empty()) co_return why;
        tried += (tried.empty() ? "" : "; ") + why;
    }
    close();
    co_return tried;
}

redis_endpoint const& redis_client::home_of(std::string const& key) const {
    if (!slots_.empty()) {
        auto const slot = slot_of(key);
        for (auto const& s : slots_)
            if (slot >= s.first && slot <= s.last) return s.master;
    }
    return options_.at[seed_];
}

redis_command redis_client::ready_for(request const& r, place const& at) const {
    auto words = r.words;
    if (words[0] == "EVALSHA") words[1] = at.sha.at(static_cast<std::size_t>(std::stoi(words[1])));
    return words;
}

asio::awaitable<std::string> redis_client::run(std::vector<request> const& requests, std::vector<redis_reply>& replies) {
    replies.assign(requests.size(), {});
    struct job { std::size_t index; bool ask; };
    std::map<redis_endpoint, std::vector<job>> todo;
    for (std::size_t i = 0; i < requests.size(); ++i) todo[home_of(requests[i].key)].push_back({i, false});
    for (int round = 0; !todo.empty(); ++round) {
        if (round == 8) co_return "the cluster sends us round in circles";
        std::map<redis_endpoint, std::vector<job>> next;
        bool moved = false;
        redis_endpoint teller;
        for (auto const& [to, jobs] : todo) {
            place* at = nullptr;
            if (auto why = co_await open(to, at); !why.empty()) co_return why;
            std::vector<redis_command> words;
            for (auto const& j : jobs) {
                if (j.ask) words.push_back({"ASKING"});
                words.push_back(ready_for(requests[j.index], *at));
            }
            std::vector<redis_reply> said;
            if (auto why = co_await at->link->run(words, said, timeout_); !why.empty()) co_return links_.erase(to), why;
            std::size_t n = 0;
            for (auto const& j : jobs) {
                if (j.ask) ++n;
                auto& r = said[n++];
                auto const away = r.is_error() && options_.cluster ? read_redirection(r.text, to) : std::nullopt;
                if (r.is_error() && r.text.starts_with("NOSCRIPT")) co_return links_.erase(to), fmt::format("{}: its scripts were flushed", to.str());
                if (!away) replies[j.index] = std::move(r);
                else next[away->to].push_back({j.index, away->ask}), moved |= !away->ask, teller = away->to;
            }
        }
        if (moved)
            if (auto why = co_await learn_slots(teller); !why.empty()) co_return why;
        todo = std::move(next);
    }
    co_return std::string();
}

std::vector<std::string> redis_client::mark_keys(std::string const& prefix) const {
    if (slots_.empty()) return {prefix};
    std::vector<std::string> out;
    std::vector<redis_endpoint> done;
    for (auto const& s : slots_) {
        if (std::find(done.begin(), done.end(), s.master) != done.end()) continue;
        done.push_back(s.master);
        for (int n = 0;; ++n) {
            auto key = fmt::format("{}:{{{}}}", prefix, n);
            if (auto const slot = slot_of(key); slot >= s.first && slot <= s.last) {
                out.push_back(std::move(key));
                break;
            }
        }
    }
    return out;
}

}
