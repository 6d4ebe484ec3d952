// A broker inside another program: embed PORT DIRECTORY. Ends with Ctrl-C or SIGTERM.

#include <broker/broker.hpp>
#include <broker/config/parse.hpp>

#include <csignal>
#include <cstdio>

int main(int argc, char** argv) try {
    if (argc != 3) return std::fputs("usage: embed PORT DIRECTORY\n", stderr), 2;
    sigset_t ends;  // blocked before the broker makes its threads, so that sigwait below is the one to hear them
    sigemptyset(&ends), sigaddset(&ends, SIGINT), sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);

    airmail::broker broker(airmail::config::parse_text(
        std::string("listener ") + argv[1] + " 127.0.0.1\nallow_anonymous true\nstore_path " + argv[2] + "\n"));
    broker.start();
    for (auto const& l : broker.listeners()) std::printf("listening on %s port %u\n", l.address.c_str(), l.port);
    std::fflush(stdout);

    int number = 0;
    sigwait(&ends, &number);
    broker.drain();  // clients are told, sessions are safe
    broker.stop();
} catch (airmail::startup_error const& e) {
    std::fprintf(stderr, "embed: %s\n", e.what());
    return e.exit_code();
}
