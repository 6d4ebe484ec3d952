// links: airmail::acl
// What a peer sends in enhanced authentication, up to a newline client-first, behind it client-final; and the line of a
// password file: nothing is proven by chance, and a verifier that was read verifies only its own password.

#include "acl/scram.hpp"

#include <cstdlib>

using namespace airmail;

namespace {

void insist(bool truth) {
    if (!truth) std::abort();
}

/// A verifier that nobody knows the password of: its keys are not hashes of anything known.
acl::scram_verifier locked() { return {4096, "0123456789abcdef", std::string(32, 'k'), std::string(32, 's')}; }

}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string_view const text{reinterpret_cast<char const*>(data), size};
    auto const line = text.find('\n');
    auto const first = text.substr(0, line), last = line == text.npos ? std::string_view{} : text.substr(line + 1);

    std::string scratch;
    auto const user = acl::scram_user(first, scratch);
    acl::scram_exchange e;
    auto const challenge = e.begin(first, [](std::string_view) { return locked(); });
    if (!challenge.empty()) {
        insist(user == e.user() && !user.empty());
        insist(challenge.starts_with("r=") && challenge.find(",s=") != challenge.npos && challenge.find(",i=4096") != challenge.npos);
        // The nonce is new each time; give the input a chance to get past that check.
        auto const nonce = challenge.substr(0, challenge.find(','));
        insist(e.finish(last.empty() ? "c=biws," + nonce + ",p=" : "c=biws," + nonce + std::string{last}).empty());
        insist(e.finish(last).empty());  // an exchange is over after one answer
    } else {
        insist(e.finish(last).empty());
    }
    if (auto const v = acl::read_scram(text)) insist(v->iterations >= 4096 && v->stored_key.size() == 32 && v->server_key.size() == 32);
    return 0;
}
