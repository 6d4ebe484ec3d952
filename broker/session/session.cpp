#include "broker/session/session.hpp"

#include <cstring>

namespace airmail::session {

session::session(std::uint32_t n, acl::identity const& who) : number{n}, tenant{who.tenant} {
    name_size_ = static_cast<std::uint16_t>(who.name.size());
    client_id_size_ = static_cast<std::uint16_t>(who.client_id.size());
    names_ = std::make_unique_for_overwrite<char[]>(who.name.size() + who.client_id.size());
    std::memcpy(names_.get(), who.name.data(), who.name.size());
    std::memcpy(names_.get() + name_size_, who.client_id.data(), who.client_id.size());
    login(who);
}

void session::login(acl::identity const& who) {
    proof_ = who.how;
    listener = who.listener;
    if (who.role == role()) return;
    auto const kept = std::size_t{name_size_} + client_id_size_;
    role_size_ = static_cast<std::uint8_t>(std::min<std::size_t>(who.role.size(), 255));
    auto names = std::make_unique_for_overwrite<char[]>(kept + role_size_);
    std::memcpy(names.get(), names_.get(), kept);
    std::memcpy(names.get() + kept, who.role.data(), role_size_);
    names_ = std::move(names);
    decisions_.reset();  // what the old role was allowed says nothing about the new one
}

acl::identity const& session::who(acl::identity& into) const {
    into.tenant = tenant;
    into.name = name();
    into.client_id = client_id();
    into.role = role();
    into.how = proof_;
    into.listener = listener;
    return into;
}

void session::detach() {
    out = nullptr;
    unanswered = 0;
    fetching = paused_store = paused_quota = paused_rate = false;
    if (receiving_) receiving_->aliases.clear();
    aliases_out.reset();
    if (sending_) sending_->detach();
    decisions_.reset();
}

}
