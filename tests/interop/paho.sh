#!/usr/bin/env bash
# Starts a broker for paho_client.py (a script called paho.py would hide the library).
. "$(dirname "$0")/broker.sh"
need openssl; need curl
[ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import paho.mqtt.client' 2> /dev/null || skip "python3-paho-mqtt is not installed (tools/setup --test)"
certificates sn-1
configuration() {
    printf 'listener %s 127.0.0.1\nlistener_allow_anonymous true\n' "$plain"
    printf 'listener %s 127.0.0.1\ndevice_listener true\ncafile %s/ca.crt\ncertfile %s/server.crt\nkeyfile %s/server.key\n' "$tls" "$dir" "$dir" "$dir"
}
start_broker
/usr/bin/python3 "$(dirname "$0")/paho_client.py" "$plain" "$tls" "$dir" || failed=1
checks=1
done_with
