#include "broker/admin/session_text.hpp"

#include "storage/firmware/ids.hpp"

#include <chrono>

namespace airmail::admin {

namespace http = boost::beast::http;

std::string header_lines(http::fields const& f) {
    std::string out;
    for (auto const& field : f) {
        // Keys and cookies of this house stay here. A scheme that is not ours (TargetToken, GatewayToken) is the plugin's to judge.
        bool const ours = field.name() == http::field::authorization && !field.value().starts_with("TargetToken ") && !field.value().starts_with("GatewayToken ");
        if (ours || field.name() == http::field::cookie) continue;
        std::string name(field.name_string());
        for (auto& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        out += name + ": " + std::string(field.value()) + "\n";
    }
    return out;
}

std::string new_request_id() {
    auto const now = std::chrono::system_clock::now().time_since_epoch();
    return storage::firmware::new_id(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

}
