#include "broker/store_watch.hpp"

#include "broker/log/log.hpp"

namespace airmail {

void store_watch::start() {
    look();
    alarm_.in(timers_, 1000, [this] { start(); });
}

void store_watch::look() {
    auto const trouble = store_.trouble();
    if (trouble.empty() != failing_) return;
    failing_ = !trouble.empty();
    if (failing_) log::error("store", {}, "nothing can be stored: {}; QoS 1 and 2 are refused (0x97) until it can, QoS 0 goes on", trouble);
    else log::info("store", {}, "the disk takes messages again");
}

}
