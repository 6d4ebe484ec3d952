#!/usr/bin/env bash
# Flows 1 to 5 of the architecture document, walked by mosquitto_pub, mosquitto_sub and curl: a device that knows the document's
# fields and nothing else. Payloads are the document's, but for the campaign's id.
. "$(dirname "$0")/broker.sh"
need mosquitto_pub; need mosquitto_sub; need openssl; need curl; need python3; need sha256sum
certificates 12345 67890 24680
configuration() {
    cat <<CONF
listener $tls 127.0.0.1
device_listener true
cafile $dir/ca.crt
certfile $dir/server.crt
keyfile $dir/server.key
http_bind 127.0.0.1
http_port $https
http_certfile $dir/server.crt
http_keyfile $dir/server.key
ota_url_base https://localhost:$https
ota_unsigned_firmware allow
ota_probation 2s
ota_rollback_grace 2s
# A command without PUBACK is sent again, under the same id: not because this machine is busy for half a minute.
ota_ack_timeout 5m
CONF
}
start_broker

as() { echo "-h localhost -p $tls --cafile $dir/ca.crt --cert $dir/$1.crt --key $dir/$1.key -V mqttv311"; }
# says ID TOPIC PAYLOAD: what a device publishes.
says() { mosquitto_pub $(as "$1") -i "$1-says" -q 1 -t "devices/$1/$2" -m "$3"; }
# listens ID: its command topic, with a session that survives reboots; commands gather in $dir/ID.commands.
listens() {
    mosquitto_sub $(as "$1") -i "$1" -c -q 1 -t "devices/$1/command" >> "$dir/$1.commands" 2>&1 &
    eval "ear_$1=$!"
    within 20 eval "api GET /api/v1/sessions?limit=100 | json \"[s for s in j['sessions'] if s['client_id'] == '$1' and s['connected'] and s['filters'] == 1][0]['client_id']\""
}
sleeps() { eval "kill \$ear_$1; wait \$ear_$1" 2> /dev/null; }
device() { api GET "/api/v1/devices/$1" | json "$2"; }
row() { api GET "/api/v1/campaigns/$campaign/devices/$1" | json "$2"; }
row_is() { [ "$(row "$1" "j['status'] + ' ' + j['stage']")" = "$2" ]; }
status_is() { [ "$(row "$1" "j['status']")" = "$2" ]; }

echo "# Flow 1: registration and heartbeat"
listens 12345
says 12345 heartbeat '{"serial_no": "12345", "model": "TX-100", "current_firmware": "v1.0.2", "timestamp": 1699878900}'
ok "the heartbeat registers the device" within 20 eval '[ "$(device 12345 "j[\"model\"] + \" \" + j[\"current_firmware\"] + \" \" + j[\"status\"]")" = "TX-100 v1.0.2 online" ]'
same "last_seen is when we heard it" "$(device 12345 "abs(j['last_seen'] - __import__('time').time()) < 60")" true

echo "# Flow 2: a campaign reaches it"
head -c 3000000 /dev/urandom > "$dir/image"
sum=$(sha256sum < "$dir/image" | cut -d' ' -f1)
firmware=$(curl -s --unix-socket "$dir/control.sock" -X POST --data-binary "@$dir/image" -H content-type:application/octet-stream "http://airmail/api/v1/firmware?version=v1.1.0&model=TX-100" | json "j['firmware_id']")
create() {
    api POST /api/v1/campaigns "{\"name\":\"$1\",\"firmware_id\":\"$firmware\",\"target_criteria\":{\"model\":\"TX-100\",\"fw_version\":\"< v1.1.0\",\"devices\":[\"$2\"]},\"phases\":\"none\",\"start\":true}" | json "j['campaign_id']"
}
campaign=$(create "walk" 12345)
ok "the command arrives" within 20 test -s "$dir/12345.commands"
command() { head -1 "$dir/$1.commands" | json "$2"; }
same "it is the document's command" "$(command 12345 "[j['command'], j['version'], j['checksum'], j['size_bytes']]")" "[\"ota_update\", \"v1.1.0\", \"sha256:$sum\", 3000000]"
same "it names its campaign" "$(command 12345 "j['campaign_id']")" "$campaign"
url=$(command 12345 "j['url']")

echo "# Flow 3: the device updates"
says 12345 status "{\"campaign_id\": \"$campaign\", \"status\": \"downloading\", \"timestamp\": 1699878905}"
ok "downloading is seen" within 20 status_is 12345 downloading
same "device is updating" "$(device 12345 "j['status']")" updating
fetch() { curl -s --cacert "$dir/ca.crt" -o "$dir/got" -w '%{http_code}' "$@" "$url"; }
same "the first part of the image" "$(fetch -r 0-999999)" 206
says 12345 status "{\"campaign_id\": \"$campaign\", \"status\": \"downloading\", \"progress\": 45, \"timestamp\": 1699878910}"
same "the rest, resumed" "$(fetch -C -)" 206
same "the checksum of the command" "sha256:$(sha256sum < "$dir/got" | cut -d' ' -f1)" "$(command 12345 "j['checksum']")"
same "a URL that was changed is refused" "$(curl -s --cacert "$dir/ca.crt" -o /dev/null -w '%{http_code}' "${url}0")" 403
same "the image without a URL is refused" "$(curl -s --cacert "$dir/ca.crt" -o /dev/null -w '%{http_code}' "${url%%\?*}")" 403
ok "progress is seen" within 20 eval '[ "$(row 12345 "j[\"progress\"]")" = 45 ]'
says 12345 status "{\"campaign_id\": \"$campaign\", \"status\": \"installing\", \"timestamp\": 1699878920}"
ok "installing is seen" within 20 status_is 12345 installing
sleeps 12345
listens 12345
says 12345 heartbeat '{"serial_no": "12345", "model": "TX-100", "current_firmware": "v1.1.0", "timestamp": 1699878950}'
ok "the new version opens probation, not success" within 20 row_is 12345 "installing probation"
again() { says 12345 heartbeat '{"serial_no": "12345", "model": "TX-100", "current_firmware": "v1.1.0", "timestamp": 1699878960}'; status_is 12345 completed; }
ok "heartbeats with it end probation: completed" within 20 again
same "the device has the new version" "$(device 12345 "j['current_firmware']")" v1.1.0
ok "the campaign is completed" within 20 eval '[ "$(api GET /api/v1/campaigns/$campaign | json "j[\"status\"]")" = completed ]'
same "one command was enough" "$(wc -l < "$dir/12345.commands")" 1
[ "$(wc -l < "$dir/12345.commands")" = 1 ] || { cut -c1-400 "$dir/12345.commands"; row 12345 "j"; }
same "its counters agree with its rows" "$(api GET "/api/v1/campaigns/$campaign/audit" | json "j['drift']")" 0

echo "# Flow 4: a change on the device"
says 12345 notify '{"setting_changed": "poll_interval", "old_value": "60s", "new_value": "300s", "timestamp": 1699879000}'
ok "the configuration follows" within 20 eval '[ "$(api GET /api/v1/devices/12345/config | json "j[\"settings\"][\"poll_interval\"][\"value\"]")" = 300s ]'
same "and its history" "$(api GET /api/v1/devices/12345/config/history | json "[(c['key'], c['old_value'], c['new_value']) for c in j['changes']]")" '[["poll_interval", "60s", "300s"]]'

echo "# Flow 5: rollback"
listens 67890
says 67890 heartbeat '{"serial_no": "67890", "model": "TX-100", "current_firmware": "v1.0.2", "timestamp": 1699878900}'
ok "a second device registers" within 20 eval '[ "$(device 67890 "j[\"current_firmware\"]")" = v1.0.2 ]'
campaign=$(create "fall" 67890)
ok "its command arrives" within 20 test -s "$dir/67890.commands"
says 67890 status "{\"campaign_id\": \"$campaign\", \"status\": \"downloading\", \"timestamp\": 1699878905}"
url=$(command 67890 "j['url']")
same "it downloads" "$(fetch)" 200
says 67890 status "{\"campaign_id\": \"$campaign\", \"status\": \"installing\", \"timestamp\": 1699878920}"
sleeps 67890
listens 67890
says 67890 status "{\"campaign_id\": \"$campaign\", \"status\": \"rollback\", \"current_firmware\": \"v1.0.2\", \"failed_firmware\": \"v1.1.0\", \"error\": \"boot_failure\", \"timestamp\": 1699879100}"
ok "rolled back" within 20 status_is 67890 rollback
same "with the device's words" "$(row 67890 "j['error_message']")" boot_failure
ok "an alert is raised" within 20 eval '[ "$(api GET /api/v1/alerts | json "[a[\"serial_no\"] for a in j[\"alerts\"] if a[\"campaign_id\"] == \"$campaign\" and a[\"serial_no\"]][0]")" = 67890 ]'
says 67890 heartbeat '{"serial_no": "67890", "model": "TX-100", "current_firmware": "v1.0.2", "timestamp": 1699879110}'
same "its first device is untouched" "$(device 12345 "j['current_firmware']")" v1.1.0

echo "# The same version again, and a checksum that is wrong"
campaign=$(create "again" 67890)
same "a version it fell back from is not given to it again" "$(row 67890 "[j['status'], j['error_message']]")" '["failed", "rolled back from v1.1.0 before"]'
listens 24680
says 24680 heartbeat '{"serial_no": "24680", "model": "TX-100", "current_firmware": "v1.0.2", "timestamp": 1699878900}'
ok "a third device registers" within 20 eval '[ "$(device 24680 "j[\"current_firmware\"]")" = v1.0.2 ]'
campaign=$(create "torn" 24680)
ok "its command arrives" within 20 test -s "$dir/24680.commands"
says 24680 status "{\"campaign_id\": \"$campaign\", \"status\": \"failed\", \"error\": \"checksum_mismatch\"}"
ok "a failure is seen" within 20 status_is 24680 failed
same "with the device's words" "$(row 24680 "j['error_message']")" checksum_mismatch
same "the audit log is whole" "$(api GET /api/v1/audit/verify | json "j['intact']")" true
done_with
