#!/usr/bin/env bash
# What one image costs the broker that gives it out, over TLS: airmail-sim's devices download it in one campaign, all at once. Prints
# bytes, seconds from the first command to the last whole download, MB/s, and CPU of airmaild per GB (10^9 bytes). The clients share the machine.
#   bench/image_server.sh BUILD_DIR [DEVICES] [IMAGE_MIB] [MORE_CONFIGURATION]      e.g. 1 512, 1000 4; "ota_firmware_key FILE": encrypted at rest
set -euo pipefail
build=$(realpath "$1") devices=${2:-1} mib=${3:-256} more=${4:-}
dir=$(mktemp -d)
ctl() { "$build/tools/airmailctl/airmailctl" --socket "$dir/control.sock" --json "$@"; }
free_port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
tls=$(free_port) https=$(free_port) metrics=$(free_port)
"$build/tools/airmailctl/airmailctl" ca init --dir "$dir/ca" > /dev/null 2>&1
"$build/tools/airmailctl/airmailctl" ca server --dir "$dir/ca" --san localhost --san 127.0.0.1 > /dev/null
cat > "$dir/airmail.conf" <<END
store_path $dir/data
store_map_size 8GiB
metrics_port $metrics
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
ota_probation 0
$more
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
head -c $((mib << 20)) /dev/urandom > "$dir/image"
ctl firmware sign "$dir/image" --key "$dir/ca/keys/release.pem" --version v1.1.0 --model TX-100 -o "$dir/release" > /dev/null
firmware=$(ctl firmware upload "$dir/release" | sed 's/.*"firmware_id":"\([^"]*\)".*/\1/')
"$build/tools/airmail-sim/airmail-sim" --dir "$dir/devices" -n "$devices" --port "$tls" --ca-dir "$dir/ca" --command-key "$dir/ca/keys/command.pem.pub" \
    --release-key "$dir/ca/keys/release.pem.pub" --heartbeat 60s --connect-rate 400 > "$dir/sim.log" 2>&1 & sim=$!
number() { sed "s/.*\"$1\":\([0-9]*\).*/\1/"; }
until [ "$(ctl device fleet | number online)" -ge "$devices" ]; do sleep 0.5; kill -0 $sim || { tail -3 "$dir/sim.log"; exit 1; }; done
metric() { curl -s "http://127.0.0.1:$metrics/metrics" | awk -v n="$1" '$1 == n {printf "%.0f", $2}   # %d ends at 2^31 in mawk'; }
cpu() { awk '{print $14 + $15}' "/proc/$broker/stat"; }
sent=$(metric airmail_admin_sent_bytes_total) ticks=$(cpu) began=$(date +%s%N)
curl -s --unix-socket "$dir/control.sock" -H 'content-type: application/json' http://airmail/api/v1/campaigns \
    -d "{\"campaign_id\":\"image\",\"name\":\"image\",\"firmware_id\":\"$firmware\",\"start\":true,\"phases\":\"none\"}" > /dev/null
for _ in $(seq 6000); do
    [ "$(metric airmail_admin_files_sent_total)" -ge "$devices" ] && break
    sleep 0.1
done
ended=$(date +%s%N) bytes=$(($(metric airmail_admin_sent_bytes_total) - sent)) spent=$(($(cpu) - ticks))
awk -v b="$bytes" -v ns=$((ended - began)) -v t="$spent" -v d="$devices" -v hz="$(getconf CLK_TCK)" -v files="$(metric airmail_admin_files_sent_total)" \
    'BEGIN {printf "%d devices, %d whole downloads: %.2f GB in %.1f s, %.0f MB/s, %.2f CPU-s of airmaild per GB\n", d, files, b / 1e9, ns / 1e9, b / ns * 1000, t / hz / (b / 1e9)}'
echo "peak memory of airmaild: $(awk '/VmHWM/ {printf "%d", $2 / 1024}' "/proc/$broker/status") MiB"
