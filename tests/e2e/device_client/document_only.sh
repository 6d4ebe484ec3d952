#!/bin/bash
# A device as the architecture document has it: command, version, url, checksum, size_bytes come; campaign_id, status and heartbeat
# fields go. No command_id, no envelope, no boot_id, no state across its one update.
set -u
bundle=$1 id=$2 port=$3 image=$4
tls=(--cafile "$bundle" --cert "$bundle" --key "$bundle" -h localhost -p "$port" -q 1)
running=v1.0.0
send() { mosquitto_pub "${tls[@]}" -t "devices/$id/$1" -m "$2"; }
beat() { send heartbeat "{\"serial_no\":\"$id\",\"model\":\"TX-100\",\"current_firmware\":\"$running\",\"timestamp\":$(date +%s)}"; }
mkfifo "$image.in"
mosquitto_sub "${tls[@]}" -i "$id" -t "devices/$id/command" > "$image.in" &
exec 3< "$image.in"
beat
while :; do
    if ! read -r -t 1 line <&3; then beat; continue; fi
    [ "$(jq -r .command <<< "$line")" = ota_update ] || continue
    campaign=$(jq -r .campaign_id <<< "$line")
    tell() { send status "{\"campaign_id\":\"$campaign\",\"status\":\"$1\",\"timestamp\":$(date +%s)}"; }
    tell downloading
    curl -s --fail --cacert "$bundle" -o "$image" "$(jq -r .url <<< "$line")"
    [ "sha256:$(sha256sum < "$image" | cut -c1-64)" = "$(jq -r .checksum <<< "$line")" ] || { tell failed; continue; }
    tell installing
    running=$(jq -r .version <<< "$line")
    beat
    tell completed
done
