#pragma once
// An authority with files, its OCSP responder (`openssl ocsp`, a real one), and a server that speaks HTTP and nothing good.

#include "tests/support/certs.hpp"
#include "tests/support/program.hpp"

#include <atomic>
#include <filesystem>
#include <map>
#include <sstream>
#include <thread>

namespace airmail::testing {

/// Owned by: one test.
class authority {
public:
    authority() : ca_(ctl::certificate_authority::create(dir_ / "ca")), server_(put(ca_.issue_server({"localhost", "127.0.0.1"}), "server")) { write_index(); }

    std::string ca_file() const { return dir_ / "ca/ca.crt"; }
    std::string ca_key() const { return dir_ / "ca/ca.key"; }
    std::string index() const { return dir_ / "index.txt"; }
    cert_files const& server() const { return server_; }

    /// A device that the responder knows as good.
    cert_files device(std::string const& id) {
        auto const f = put(ca_.issue_device(id), id);
        know(f, 'V');
        return f;
    }
    /// One that it has never heard of.
    cert_files stranger(std::string const& id) { return put(ca_.issue_device(id), id); }
    /// V good, R revoked; for responders that start after this, or are told (read_index_again).
    void know(cert_files const& who, char how) {
        known_[who.serial] = how;
        write_index();
    }
    /// A certificate made by openssl itself, with these extensions.
    cert_files with_extensions(std::string const& name, std::string const& extensions) {
        auto const at = [&](char const* end) { return dir_ / (name + end); };
        std::ofstream(at(".ext")) << extensions;
        auto const made = run({"bash", "-c",
                               "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout " + at(".key") + " -out " + at(".csr") + " -subj /CN=" + name +
                                   " && openssl x509 -req -in " + at(".csr") + " -CA " + ca_file() + " -CAkey " + ca_key() + " -CAcreateserial -days 30 -extfile " + at(".ext") + " -out " + at(".crt") +
                                   " && openssl x509 -in " + at(".crt") + " -noout -serial"});
        auto const serial = made.text.rfind("serial=");
        if (made.code != 0 || serial == made.text.npos) throw std::runtime_error(made.text);
        ::chmod(at(".key").c_str(), 0600);
        auto const text = made.text.substr(serial + 7);
        return {at(".key"), at(".crt"), text.substr(0, text.find('\n'))};
    }
    temp_dir const& dir() const { return dir_; }

private:
    cert_files put(ctl::issued const& i, std::string const& stem) {
        cert_files const f{dir_ / (stem + ".key"), dir_ / (stem + ".crt"), i.serial};
        std::ofstream(f.key) << i.key_pem;
        std::ofstream(f.certificate) << i.certificate_pem;
        ::chmod(f.key.c_str(), 0600);
        return f;
    }
    void write_index() const {
        {
            std::ofstream out(index() + ".new");
            for (auto const& [name, how] : known_) {
                std::string serial = name;
                for (char& c : serial) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
                out << how << "\t351231235959Z\t" << (how == 'R' ? "250101000000Z" : "") << '\t' << serial << "\tunknown\t/CN=somebody\n";
            }
        }
        std::ofstream(index() + ".attr") << "unique_subject = no\n";
        std::filesystem::rename(index() + ".new", index());
    }

    temp_dir dir_;
    ctl::certificate_authority ca_;
    std::map<std::string, char> known_;
    cert_files server_;
};

/// `openssl ocsp` as a server. Owned by: one test.
class responder {
public:
    /// @param signer  who signs: the authority itself unless another is named  @param before  words before the program (faketime)
    explicit responder(authority& of, cert_files signer = {}, std::vector<std::string> before = {}, std::uint16_t port = 0) : log_(of.dir() / "responder.log"), authority_(of.ca_file()) {
        if (signer.key.empty()) signer = {of.ca_key(), of.ca_file(), {}};
        int const fd = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        auto args = std::move(before);
        args.insert(args.end(), {"openssl", "ocsp", "-index", of.index(), "-port", std::to_string(port), "-rsigner", signer.certificate, "-rkey", signer.key, "-CA", of.ca_file(), "-nmin", "5"});
        child_ = spawn(args, fd);
        ::close(fd);
        if (!eventually([this] { return said().find("waiting for OCSP") != std::string::npos || ::waitpid(child_, nullptr, WNOHANG) == child_; }, std::chrono::seconds(20)))
            throw std::runtime_error("openssl ocsp does not start: " + said());
        auto const text = said();
        auto const end = text.find(" PID");
        auto const from = text.rfind(':', end);
        if (end == text.npos) throw std::runtime_error("openssl ocsp: " + text);
        port_ = static_cast<std::uint16_t>(std::stoi(text.substr(from + 1, end - from - 1)));
    }
    ~responder() { stop(); }
    responder(responder const&) = delete;

    void stop() {
        if (child_ <= 0) return;
        ::kill(child_, SIGKILL);
        ::waitpid(child_, nullptr, 0);
        child_ = -1;
    }
    /// It looks whether its index has changed after each request, not before: one about nobody makes it look.
    void read_index_again() const { (void)run({"openssl", "ocsp", "-issuer", authority_, "-serial", "0x7F", "-url", url(), "-noverify"}); }
    std::uint16_t port() const { return port_; }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

private:
    std::string said() const {
        std::ifstream in(log_);
        return {std::istreambuf_iterator<char>{in}, {}};
    }
    std::string log_, authority_;
    pid_t child_ = -1;
    std::uint16_t port_ = 0;
};

/// Accepts, and answers every request with the same bytes; none: it never answers.
class bad_server {
public:
    explicit bad_server(std::string answer) : answer_(std::move(answer)) {
        door_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in a{};
        a.sin_family = AF_INET, a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof a;
        if (::bind(door_, reinterpret_cast<sockaddr*>(&a), size) != 0 || ::listen(door_, 64) != 0 || ::getsockname(door_, reinterpret_cast<sockaddr*>(&a), &size) != 0)
            throw std::runtime_error("bad_server");
        port_ = ntohs(a.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~bad_server() {
        ::shutdown(door_, SHUT_RDWR);
        thread_.join();
        for (int fd : open_) ::close(fd);
        ::close(door_);
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }
    int requests() const { return requests_; }

private:
    void serve() {
        for (int fd; (fd = ::accept4(door_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
            char piece[4096];
            ++requests_;
            if (answer_.empty()) {
                open_.push_back(fd);
                continue;
            }
            (void)!::read(fd, piece, sizeof piece);
            (void)!::send(fd, answer_.data(), answer_.size(), MSG_NOSIGNAL);
            ::shutdown(fd, SHUT_WR);
            while (::read(fd, piece, sizeof piece) > 0) {}
            ::close(fd);
        }
    }
    std::string answer_;
    int door_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<int> requests_{0};
    std::vector<int> open_;
    std::thread thread_;
};

}
