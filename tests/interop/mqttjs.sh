#!/usr/bin/env bash
# Starts a broker for mqttjs.mjs; MQTT.js comes by `npm ci` into the folder $2, with the hashes of package-lock.json.
. "$(dirname "$0")/broker.sh"
need openssl; need curl; need python3; need node; need npm
here=$(cd "$(dirname "$0")" && pwd)
modules=$2
mkdir -p "$modules"
if ! cmp -s "$here/package-lock.json" "$modules/installed"; then
    cp "$here/package.json" "$here/package-lock.json" "$modules/"
    (cd "$modules" && npm ci --no-audit --no-fund --ignore-scripts > npm.log 2>&1) || { tail -5 "$modules/npm.log"; skip "npm ci found no registry"; }
    cp "$here/package-lock.json" "$modules/installed"
fi
cp "$here/mqttjs.mjs" "$modules/"
certificates sn-1
ws=$(free_port) wss=$(free_port) wss_device=$(free_port)
configuration() {
    printf 'listener %s 127.0.0.1\nlistener_allow_anonymous true\n' "$plain"
    printf 'listener %s 127.0.0.1\ndevice_listener true\ncafile %s/ca.crt\ncertfile %s/server.crt\nkeyfile %s/server.key\n' "$tls" "$dir" "$dir" "$dir"
    printf 'listener %s 127.0.0.1\nprotocol websockets\nlistener_allow_anonymous true\n' "$ws"
    printf 'listener %s 127.0.0.1\nprotocol websockets\nlistener_allow_anonymous true\ncertfile %s/server.crt\nkeyfile %s/server.key\n' "$wss" "$dir" "$dir"
    printf 'listener %s 127.0.0.1\nprotocol websockets\ndevice_listener true\ncafile %s/ca.crt\ncertfile %s/server.crt\nkeyfile %s/server.key\n' "$wss_device" "$dir" "$dir" "$dir"
}
start_broker
node "$modules/mqttjs.mjs" "$plain" "$tls" "$ws" "$wss" "$wss_device" "$dir" || failed=1
checks=1
done_with
