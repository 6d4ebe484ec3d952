#!/usr/bin/env bash
# Programs on other people's C libraries (paho_c.c, libmosquitto.c), built by CMake where the library is installed.
# Usage: libraries.sh AIRMAILD paho_c|libmosquitto PROGRAM
. "$(dirname "$0")/broker.sh"
need openssl; need curl; need python3
library=$2 program=$3
[ -x "$program" ] || skip "$library was not built (tools/setup --test installs libpaho-mqtt-dev and libmosquitto-dev)"
certificates sn-1
ws=$(free_port)
configuration() {
    printf 'listener %s 127.0.0.1\nlistener_allow_anonymous true\n' "$plain"
    printf 'listener %s 127.0.0.1\nprotocol websockets\nlistener_allow_anonymous true\n' "$ws"
    printf 'listener %s 127.0.0.1\ndevice_listener true\ncafile %s/ca.crt\ncertfile %s/server.crt\nkeyfile %s/server.key\n' "$tls" "$dir" "$dir" "$dir"
}
start_broker
device="$dir/ca.crt $dir/sn-1.crt $dir/sn-1.key devices/sn-1/status"
if [ "$library" = paho_c ]; then
    "$program" "tcp://127.0.0.1:$plain" || failed=1
    # shellcheck disable=SC2086
    "$program" "ssl://localhost:$tls" $device || failed=1
    echo "over WebSocket"
    "$program" "ws://127.0.0.1:$ws/mqtt" || failed=1
else
    "$program" "$plain" || failed=1
    # shellcheck disable=SC2086
    "$program" "$tls" $device || failed=1
fi
checks=1
done_with
