#include "tools/airmailctl/ca.hpp"

#include "storage/firmware/files.hpp"
#include "storage/firmware/ids.hpp"
#include "tools/airmailctl/ca_index.hpp"
#include "tools/airmailctl/x509.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <sys/stat.h>

namespace airmail::ctl {

namespace files = storage::firmware;

namespace {

constexpr std::int64_t day = 86400;
constexpr std::string_view uri_prefix = "urn:airmail:device:";

std::int64_t system_now() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void must(files::result<void> const& r, std::string const& path) {
    if (!r) throw failure(exit_code::failed, path + ": " + r.error().message());
}

bool is_ip(std::string const& s) {
    unsigned char raw[16];
    return ::inet_pton(AF_INET, s.c_str(), raw) == 1 || ::inet_pton(AF_INET6, s.c_str(), raw) == 1;
}

// Letters, digits and hyphens in labels of 1-63 (RFC 1123); a leading "*." is for servers.
bool is_host_name(std::string_view s) {
    if (s.starts_with("*.")) s.remove_prefix(2);
    if (s.empty() || s.size() > 253) return false;
    std::size_t label = 0;
    char last = '-';
    for (char c : s) {
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (c == '.' ? (label == 0 || last == '-') : !(letter || (c == '-' && label > 0))) return false;
        label = c == '.' ? 0 : label + 1;
        if (label > 63) return false;
        last = c;
    }
    return label > 0 && last != '-';
}

std::int64_t unix_time(ASN1_TIME const* t) {
    std::tm parts{};
    ASN1_TIME_to_tm(t, &parts);
    return timegm(&parts);
}

}

struct certificate_authority::impl {
    std::string directory;                  // empty: in memory
    std::function<std::int64_t()> now;
    key_handle key;
    certificate_handle certificate;
    std::unique_ptr<ca_index> index;

    struct guard {
        ca_index& index;
        explicit guard(ca_index& i) : index(i) { index.lock(); }
        ~guard() { index.unlock(); }
    };

    // An hour of grace backwards: a device's clock may be behind ours. Never longer than the CA itself lives.
    void set_dates(certificate_plan& p, int days) const {
        if (days < 1 || days > 36500) throw failure(exit_code::usage, "days must be 1 to 36500, not " + std::to_string(days));
        p.not_before = now() - 3600;
        p.not_after = now() + days * day;
        if (certificate) p.not_after = std::min(p.not_after, unix_time(X509_get0_notAfter(certificate.get())));
        if (p.not_after <= now()) throw failure(exit_code::refused, "the CA's certificate has expired");
    }

    issued issue(certificate_plan p, certificate_kind kind, std::string id, EVP_PKEY* subject, int days) {
        set_dates(p, days);
        auto made = make_certificate(p, subject, certificate.get(), key.get());
        issued out;
        out.id = std::move(id);
        out.serial = serial_of(made.get());
        out.certificate_pem = to_pem(made.get());
        out.not_after = p.not_after;
        guard g(*index);
        // The index first: a certificate that no index knows could never be revoked.
        index->issued({out.serial, out.id, kind, now(), p.not_after, {}});
        if (!directory.empty()) {
            auto path = directory + "/issued/" + out.serial + ".crt";
            must(files::write_new_file(path, out.certificate_pem, 0644), path);
        }
        return out;
    }

    issued issue_device(std::string_view id, EVP_PKEY* subject, int days) {
        if (!files::is_serial_no(id))
            throw failure(exit_code::usage, "a device id is 1 to 64 of A-Z a-z 0-9 . _ : -, not \"" + std::string(id) + "\"");
        certificate_plan p;
        p.common_name = std::string(id);
        p.uri = {std::string(uri_prefix) + std::string(id)};
        if (is_host_name(id)) p.dns = {std::string(id)};
        p.usage = "clientAuth";
        return issue(std::move(p), certificate_kind::device, std::string(id), subject, days);
    }
};

certificate_authority::certificate_authority(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
certificate_authority::~certificate_authority() = default;
certificate_authority::certificate_authority(certificate_authority&&) noexcept = default;

certificate_authority certificate_authority::in_memory(ca_options const& o) {
    auto i = std::make_unique<impl>();
    i->now = o.now ? o.now : system_now;
    i->key = make_p256_key();
    certificate_plan p;
    p.common_name = o.common_name;
    i->set_dates(p, o.days);
    i->certificate = make_certificate(p, i->key.get(), nullptr, i->key.get());
    i->index = std::make_unique<ca_index>("");
    return certificate_authority(std::move(i));
}

certificate_authority certificate_authority::create(std::string const& directory, ca_options const& o) {
    auto ca = in_memory(o);
    auto made = [](std::string const& path) { return ::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST; };
    if (!made(directory) || !made(directory + "/issued"))
        throw failure(exit_code::failed, directory + ": cannot be made: " + std::strerror(errno));
    struct stat st {};
    if (::lstat((directory + "/ca.key").c_str(), &st) == 0 || ::lstat((directory + "/ca.crt").c_str(), &st) == 0)
        throw failure(exit_code::refused, directory + ": there is a CA already");
    must(files::write_new_file(directory + "/ca.key", to_pem(ca.impl_->key.get()), 0600), directory + "/ca.key");
    must(files::write_new_file(directory + "/ca.crt", ca.certificate_pem(), 0644), directory + "/ca.crt");
    ca.impl_->directory = directory;
    ca.impl_->index = std::make_unique<ca_index>(directory);
    ca.make_crl();                          // from the first day there is a list to point a broker at
    return ca;
}

certificate_authority certificate_authority::open(std::string const& directory, std::function<std::int64_t()> now) {
    auto i = std::make_unique<impl>();
    i->directory = directory;
    i->now = now ? std::move(now) : system_now;
    auto read = [&](std::string const& path, files::secrecy s) {
        auto text = files::read_small_file(path, s);
        if (text) return *text;
        bool missing = text.error() == files::errc::not_found;
        throw failure(missing ? exit_code::not_found : exit_code::refused, path + ": " + text.error().message());
    };
    i->key = key_from_pem(read(directory + "/ca.key", files::secrecy::owner_only));
    i->certificate = certificate_from_pem(read(directory + "/ca.crt", files::secrecy::anyone));
    if (X509_check_private_key(i->certificate.get(), i->key.get()) != 1)
        throw failure(exit_code::refused, directory + ": ca.key does not belong to ca.crt");
    i->index = std::make_unique<ca_index>(directory);
    return certificate_authority(std::move(i));
}

std::string certificate_authority::certificate_pem() const { return to_pem(impl_->certificate.get()); }

issued certificate_authority::issue_server(std::vector<std::string> const& names, int days) {
    if (names.empty()) throw failure(exit_code::usage, "a server certificate needs a name");
    certificate_plan p;
    p.common_name = names[0].size() <= 64 ? names[0] : "airmaild";      // the CN's own limit; what counts are the SANs
    p.usage = "serverAuth";
    for (auto const& n : names) {
        if (is_ip(n)) p.ip.push_back(n);
        else if (is_host_name(n)) p.dns.push_back(n);
        else throw failure(exit_code::usage, "neither a host name nor an address: " + n);
    }
    auto key = make_p256_key();
    auto out = impl_->issue(std::move(p), certificate_kind::server, names[0], key.get(), days);
    out.key_pem = to_pem(key.get());
    return out;
}

issued certificate_authority::issue_device(std::string_view id, int days) {
    auto key = make_p256_key();
    auto out = impl_->issue_device(id, key.get(), days);
    out.key_pem = to_pem(key.get());
    return out;
}

issued certificate_authority::issue_device_for_request(std::string_view id, std::string_view request_pem, int days) {
    auto key = key_of_request(request_pem);
    return impl_->issue_device(id, key.get(), days);
}

std::size_t certificate_authority::revoke(std::string_view what) {
    std::size_t count = 0;
    {
        impl::guard g(*impl_->index);
        std::vector<std::string> serials;
        for (auto const& e : impl_->index->state().entries)
            if ((e.serial == what || e.id == what) && !e.revoked_at) serials.push_back(e.serial);
        for (auto const& s : serials) impl_->index->revoked(s, impl_->now());
        count = serials.size();
    }
    if (count == 0) throw failure(exit_code::not_found, "no living certificate with serial or id " + std::string(what));
    make_crl();
    return count;
}

std::string certificate_authority::make_crl(int days) {
    if (days < 1 || days > 3650) throw failure(exit_code::usage, "days must be 1 to 3650, not " + std::to_string(days));
    impl::guard g(*impl_->index);
    auto const& state = impl_->index->state();
    std::vector<revoked_serial> revoked;
    for (auto const& e : state.entries)
        if (e.revoked_at) revoked.push_back({e.serial, *e.revoked_at});
    auto number = state.crl_number + 1;
    auto pem = make_crl_pem(revoked, number, impl_->now() - 3600, impl_->now() + days * day, impl_->certificate.get(), impl_->key.get());
    impl_->index->crl_made(number);
    if (!impl_->directory.empty()) must(files::replace_file(impl_->directory + "/ca.crl", pem, 0644), impl_->directory + "/ca.crl");
    return pem;
}

std::vector<index_entry> certificate_authority::list() const { return impl_->index->state().entries; }

void write_issued(issued const& i, std::string const& stem, std::string_view chain) {
    if (!i.key_pem.empty()) must(files::write_new_file(stem + ".key", i.key_pem, 0600), stem + ".key");
    must(files::write_new_file(stem + ".crt", i.certificate_pem + std::string(chain), 0644), stem + ".crt");
}

}
