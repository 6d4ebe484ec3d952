#!/usr/bin/env bash
# A campaign of three phases with airmail-sim: 5,000 devices over TLS, 3 % of them with a misfortune. Prints a timeline (a line a second:
# phase, devices by status, memory of airmaild and airmail-sim) and the end.
#   bench/three_phases.sh BUILD_DIR [DEVICES]      BUILD_DIR is build/release or build/dev
set -euo pipefail
build=$(realpath "$1") devices=${2:-5000}
dir=$(mktemp -d) faults=$((devices * 3 / 100))
ctl() { "$build/tools/airmailctl/airmailctl" --socket "$dir/control.sock" --json "$@"; }
free_port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
tls=$(free_port) https=$(free_port)
"$build/tools/airmailctl/airmailctl" ca init --dir "$dir/ca" > /dev/null 2>&1
"$build/tools/airmailctl/airmailctl" ca server --dir "$dir/ca" --san localhost --san 127.0.0.1 > /dev/null
cat > "$dir/airmail.conf" <<END
store_path $dir/data
store_map_size 8GiB
metrics_port 0
control_socket $dir/control.sock
$([ "$(id -u)" = 0 ] && echo user root)
http_bind 127.0.0.1
http_port $https
http_certfile $dir/ca/server.crt
http_keyfile $dir/ca/server.key
http_connections_max 8000
ota_url_base https://localhost:$https
ota_url_keys $dir/ca/keys/url_keys.json
ota_command_key $dir/ca/keys/command.pem
ota_release_keys $dir/ca/keys/release.pem.pub
ota_probation 5s
ota_retry_backoff 2s
ota_rollback_grace 10s
listener $tls 127.0.0.1
device_listener true
cafile $dir/ca/ca.crt
certfile $dir/ca/server.crt
keyfile $dir/ca/server.key
require_certificate true
END
"$build/broker/airmaild" -c "$dir/airmail.conf" > "$dir/log" 2>&1 & broker=$!
sim=""
trap 'kill $sim $broker 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT
until ctl device fleet > /dev/null 2>&1; do sleep 0.2; kill -0 $broker || { cat "$dir/log"; exit 1; }; done
head -c 262144 /dev/urandom > "$dir/image"
ctl firmware sign "$dir/image" --key "$dir/ca/keys/release.pem" --version v1.1.0 --model TX-100 -o "$dir/release" > /dev/null
firmware=$(ctl firmware upload "$dir/release" | sed 's/.*"firmware_id":"\([^"]*\)".*/\1/')
# A third each: damaged downloads, power cuts; the rest new slots that do not come up, and two that loop.
"$build/tools/airmail-sim/airmail-sim" --dir "$dir/devices" -n "$devices" --port "$tls" --ca-dir "$dir/ca" --command-key "$dir/ca/keys/command.pem.pub" \
    --release-key "$dir/ca/keys/release.pem.pub" --heartbeat 10s --connect-rate 400 --checksum-fault $((faults / 3)) --power-cut $((faults / 3)) \
    --boot-failure $((faults - 2 * (faults / 3) - 2)) --reboot-loop 2 > "$dir/sim.log" 2>&1 & sim=$!
number() { sed "s/.*\"$1\":\([0-9]*\).*/\1/"; }
echo "connecting $devices devices"
until [ "$(ctl device fleet | number online)" -ge "$devices" ]; do sleep 1; kill -0 $sim || { tail -3 "$dir/sim.log"; exit 1; }; done
curl -s --unix-socket "$dir/control.sock" -H 'content-type: application/json' http://airmail/api/v1/campaigns -d "{\"campaign_id\":\"three\",\"name\":\"three\",\"firmware_id\":\"$firmware\",\"start\":true,
  \"phases\":[{\"percent\":1,\"soak_s\":5,\"success_percent\":90},{\"percent\":20,\"soak_s\":5,\"success_percent\":90},{\"percent\":100,\"soak_s\":0,\"success_percent\":90}]}" > /dev/null
peak() { awk '/VmHWM/ {printf "%d", $2 / 1024}' "/proc/$1/status"; }
began=$(date +%s)
echo "second phase pending downloading installing completed failed rollback airmaild_peak_MiB sim_peak_MiB"
for _ in $(seq 600); do
    now=$(curl -s --unix-socket "$dir/control.sock" http://airmail/api/v1/campaigns/three)
    echo "$(($(date +%s) - began)) $(number phase <<< "$now") $(for s in pending downloading installing completed failed rollback; do number $s <<< "$now"; done | tr '\n' ' ')$(peak $broker) $(peak $sim)"
    case $now in *'"status":"completed"'*|*'"stage":"paused"'*) break ;; esac
    sleep 1
done
sed 's/.*"status":"\([^"]*\)","stage":"\([^"]*\)","reason":"\([^"]*\)".*/ended: \1 \2 \3/' <<< "$now"
ctl campaign audit three 2>/dev/null || curl -s --unix-socket "$dir/control.sock" http://airmail/api/v1/campaigns/three/audit
echo "cpu of airmaild: $(awk '{print ($14 + $15) / 100 " s"}' /proc/$broker/stat)"
