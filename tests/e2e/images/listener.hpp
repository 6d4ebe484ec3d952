#pragma once
// A device that says hello once and then only listens to its commands: mosquitto's own clients.

#include "tests/e2e/device_client/house.hpp"

namespace airmail::testing {

class listener {
public:
    listener(house const& h, std::string serial) : serial_(std::move(serial)), file_(h.path(serial_ + ".commands")) {
        auto const bundle = h.bundle(serial_);
        std::vector<std::string> const who{"-h", "localhost", "-p", std::to_string(h.broker.tls_port()), "-V", "5", "-i", serial_, "--cafile", h.path("ca/ca.crt"), "--cert", bundle, "--key", bundle, "-q", "1"};
        std::vector<std::string> hello{"mosquitto_pub", "-t", "devices/" + serial_ + "/heartbeat", "-m", R"({"serial_no":")" + serial_ + R"(","model":"TX-100","current_firmware":"v1.0.0","timestamp":1})"};
        hello.insert(hello.end(), who.begin(), who.end());
        must(hello);
        REQUIRE_MESSAGE(eventually([&] { return registered(h); }, 20s), h.broker.said());
        std::vector<std::string> args{"mosquitto_sub", "-t", "devices/" + serial_ + "/command"};
        args.insert(args.end(), who.begin(), who.end());
        int const out = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        child_ = spawn(args, out);
        ::close(out);
    }
    ~listener() { ::kill(child_, SIGKILL), ::waitpid(child_, nullptr, 0); }
    listener(listener const&) = delete;
    /// The URL of the first command.
    std::string url(house const& h) const {
        if (!eventually([&] { return text_of(file_).find('\n') != std::string::npos; }, 30s)) FAIL(text_of(file_) << h.broker.said());
        auto const text = text_of(file_);
        boost::system::error_code ec;
        auto const v = json::parse(text.substr(0, text.find('\n')), ec);
        REQUIRE_MESSAGE(!ec, text);
        return std::string(v.at("url").as_string());
    }

private:
    bool registered(house const& h) const {
        auto const d = h.get("/api/v1/devices/" + serial_);
        auto const* r = d.if_contains("registration");
        return r && *r == "accepted";
    }
    std::string serial_, file_;
    pid_t child_ = -1;
};

}
