#!/bin/bash
# A device for Airmail in shell: mosquitto_sub and mosquitto_pub, curl, openssl 3, jq. Nothing else.
#
#   airmailctl device add dev-1 --model TX-100 --bundle dev-1.pem --ca-dir CA --host broker.example
#   ./device.sh dev-1.pem /var/lib/dev-1 TX-100 [first version]
#
# DIR/slot_a and slot_b stand for the two partitions; the small files beside them are what a boot loader and a few bytes of
# flash remember. Every step is written down before it is taken, so that a start after a power cut goes on from there.
set -u
bundle=$1 dir=$2 model=$3 first=${4:-v1.0.0}
heartbeat_s=${HEARTBEAT_S:-300} install_s=${INSTALL_S:-1} self_test=${SELF_TEST:-true}
id=$(sed -n 's/^Airmail-Device: //p' "$bundle") broker=$(sed -n 's/^Airmail-Broker: //p' "$bundle")
tls=(--cafile "$bundle" --cert "$bundle" --key "$bundle" -h "${broker%:*}" -p "${broker##*:}" -V mqttv5 -q 1)
mkdir -p "$dir" && chmod 700 "$dir"

get() { cat "$dir/$1" 2>/dev/null || printf %s "${2-}"; }
put() { printf %s "$2" > "$dir/.$1.$BASHPID" && sync "$dir/.$1.$BASHPID" && mv "$dir/.$1.$BASHPID" "$dir/$1"; }
member() { jq -r ".$1 // empty" <<< "$2"; }
say() { echo "$id $*"; }
active() { get active a; }
spare() { [ "$(active)" = a ] && echo b || echo a; }
running() { get "version_$(active)" "$first"; }
publish() { mosquitto_pub "${tls[@]}" -t "devices/$id/$1" -m "$2"; }

[ -e "$dir/keys" ] || put keys "$(sed -n 's/^Airmail-Keys: //p' "$bundle" | base64 -d | jq -r .payload | base64 -d)"
[ -e "$dir/version_a" ] || put version_a "$first"
boot_id=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')

heartbeat() {
    publish heartbeat "$(jq -nc --arg s "$id" --arg m "$model" --arg f "$(running)" --arg b "$boot_id" --arg slot "$(active)" --arg l "$(get last_id)" --arg r "$(get last_result)" \
        --argjson c "$(get counter 0)" --argjson k "$(jq .version < "$dir/keys")" \
        '{serial_no:$s, model:$m, current_firmware:$f, timestamp:(now|floor), boot_id:$b, boot_slot:$slot, counter:$c, keys_version:$k, last_command_id:$l, last_result:$r}')"
}
# status COMMAND WORD [reason or progress as JSON members]
status() {
    say "$2 ${3-}"
    publish status "$(jq -nc --argjson c "$1" --arg w "$2" --argjson more "${3:-{\}}" '{campaign_id:$c.campaign_id, command_id:$c.command_id, status:$w, timestamp:(now|floor)} + $more')"
}
tell_again() {
    case $(get last_result) in
        completed|rollback|cancelled) status "$1" "$(get last_result)" ;;
        *) status "$1" failed "$(jq -nc --arg r "$(get last_result)" '{reason:$r, error:$r}')" ;;
    esac
}
ended() {   # COMMAND RESULT: the last word; remembered, so that it can be told again
    put last_id "$(member command_id "$1")"; put last_result "$2"; put stage idle
    tell_again "$1"
}

# --- Trust. opened ENVELOPE TYPE ROLE KEYS: the payload goes to stdout, once enough different keys of the role have signed it.
opened() {
    local t s kid alg good="" n=0 need
    t=$(mktemp -d) || return 1
    need=$(jq -r --arg r "$3" '.roles[$r].threshold' <<< "$4")
    member payload "$1" | base64 -d > "$t/payload" 2>/dev/null
    { printf 'DSSEv1 %d %s %d ' "${#2}" "$2" "$(stat -c %s "$t/payload")"; cat "$t/payload"; } > "$t/signed"
    [ "$(member type "$1")" = "$2" ] && while IFS=$'\t' read -r kid alg s; do
        # Only keys of the role that are not revoked; one we do not know says nothing.
        jq -e --arg r "$3" --arg k "$kid" '(.roles[$r].kids | index($k)) and ((.revoked // []) | index($k) | not)' <<< "$4" > /dev/null || continue
        jq -r --arg k "$kid" '.keys[$k].public' <<< "$4" | base64 -d > "$t/key"
        base64 -d <<< "$s" > "$t/sig" 2>/dev/null
        case $alg in
            ed25519) openssl pkeyutl -verify -pubin -keyform DER -inkey "$t/key" -rawin -in "$t/signed" -sigfile "$t/sig" ;;
            ecdsa-p256-sha256) openssl dgst -sha256 -keyform DER -verify "$t/key" -signature "$t/sig" "$t/signed" ;;
            *) false ;;
        esac > /dev/null 2>&1 || continue
        case " $good " in *" $kid "*) ;; *) good="$good $kid" n=$((n + 1)) ;; esac
    done < <(jq -r '.sigs[] | [.kid, .alg, .sig] | @tsv' <<< "$1")
    [ "$n" -ge "$need" ] && cat "$t/payload"
    local result=$?
    rm -rf "$t"
    return $result
}
# 0: obey; 1: stale, no answer; otherwise the reason is in $why.
check_command() {
    local signed
    why="" signed=$(opened "$(jq -c '.envelope // {}' <<< "$1")" ota.command.v1 command "$(get keys)") || { why=signature_invalid; return 2; }
    [ "$(member device_id "$signed")" = "$id" ] && [ "$(member seq "$signed")" -gt "$(get seq 0)" ] || return 1
    [ "$(date +%s)" -le "$(member expires_at "$signed")" ] || { why=url_expired; return 2; }
    jq -en --argjson s "$signed" --argjson c "$1" 'all(("command","command_id","campaign_id","version","checksum","size_bytes"); $s[.] == null or $s[.] == $c[.])' > /dev/null \
        || { why=signature_invalid; return 2; }
    put seq "$(member seq "$signed")"
    manifest_sha256=$(member manifest_sha256 "$signed")
}
check_release() {   # the release key's word: what the image is, for whom, and not older than ours
    why=signature_invalid
    manifest=$(opened "$(jq -c '.manifest // {}' <<< "$1")" ota.release.v1 release "$(get keys)") || return 2
    [ "$(printf %s "$manifest" | sha256sum | cut -c1-64)" = "$manifest_sha256" ] && [ "$(member version "$manifest")" = "$(member version "$1")" ] || return 2
    why=incompatible; jq -e --arg m "$model" '.model | index($m)' <<< "$manifest" > /dev/null || return 2
    why=downgrade_refused; [ "$(jq .security_counter <<< "$manifest")" -ge "$(get counter 0)" ] || return 2
    why=manifest_expired; jq -e '(.expires // infinite) > now' <<< "$manifest" > /dev/null || return 2
}

# --- One update, as a process of its own: a cancel kills it, unless it has begun to install.
download() {
    local c=$1 file size code tries=0
    file=$dir/slot_$(spare) size=$(member size_bytes "$c")
    put url "$(member url "$c")"
    while [ "$(stat -c %s "$file")" -lt "$size" ]; do
        status "$c" downloading "{\"progress\":$(($(stat -c %s "$file") * 100 / size)),\"bytes\":$(stat -c %s "$file")}"
        [ $((tries += 1)) -gt 12 ] && { why=download_error; return 1; }
        # --fail: an error page must not land in the slot; -C -: from where we stopped. An answer longer than signed is cut off below.
        code=$(curl -s --fail --cacert "$bundle" --cert "$bundle" --key "$bundle" -C - -o "$file" -w '%{http_code}' --speed-limit 1 --speed-time 30 "$(get url)")
        case $code in
            403|410) rm -f "$dir/fresh"; publish request "{\"request\":\"url\",\"command_id\":\"$(member command_id "$c")\"}"
                     for _ in $(seq 100); do [ -e "$dir/fresh" ] && break; sleep 0.2; done
                     [ -e "$dir/fresh" ] || { why=url_expired; return 1; } ;;
            200|206|000) sleep 0.5 ;;
            *) why=download_error; return 1 ;;
        esac
    done
    why=checksum_mismatch
    [ "sha256:$(sha256sum < "$file" | cut -c1-64)" = "$(member checksum "$c")" ] || return 1
    why=signature_invalid      # the bytes before the trailer must be those that the release key has signed
    [ "$(head -c "$(jq '.components[0].size' <<< "$manifest")" "$file" | sha256sum | cut -c1-64)" = "$(jq -r '.components[0].sha256' <<< "$manifest")" ]
}
update() {
    local c=$1
    manifest=$(get manifest)
    download "$c" || { ended "$c" "$why"; return; }
    status "$c" verifying
    # Under the lock that a cancel takes too: one of the two comes first.
    flock "$dir/lock" bash -c '[ "$(cat "$1/stage")" = downloading ] && printf installing > "$1/stage"' _ "$dir" || return
    status "$c" installing
    sleep "$install_s"         # flash here
    put "version_$(spare)" "$(member version "$c")"
    put stage testing; put active "$(spare)"       # the boot loader's "try once"
    status "$c" rebooting
    echo '{"command":"_reboot"}' > "$dir/inbox"
}

work() { set -m; update "$1" & worker=$!; set +m; }       # a process group of its own: a cancel ends curl too

on_update() {
    local c=$1
    [ "$(member command_id "$c")" = "$(get current)" ] && [ "$(get stage idle)" != idle ] && { put url "$(member url "$c")"; touch "$dir/fresh"; return; }
    [ "$(member command_id "$c")" = "$(get last_id)" ] && { tell_again "$c"; return; }
    [ "$(get stage idle)" = idle ] || return
    check_command "$c" || { [ -n "$why" ] && ended "$c" "$why"; return; }
    check_release "$c" || { ended "$c" "$why"; return; }
    : > "$dir/slot_$(spare)"
    put manifest "$manifest"; put command "$c"; put current "$(member command_id "$c")"; put stage downloading
    status "$c" accepted
    work "$c"
}
on_cancel() {
    local c=$1
    if [ "$(get stage idle)" = idle ]; then
        if [ "$(member command_id "$c")" = "$(get last_id)" ]; then tell_again "$c"; else status "$c" cancelled '{"reason":"cancelled"}'; fi
        return
    fi
    [ "$(member command_id "$c")" = "$(get current)" ] && check_command "$c" || return
    if flock "$dir/lock" bash -c '[ "$(cat "$1/stage")" = downloading ] && printf cancelled > "$1/stage"' _ "$dir"; then
        kill -- "-$worker" 2>/dev/null; wait "$worker" 2>/dev/null
        ended "$c" cancelled
    else
        status "$c" too_late
    fi
}
on_keys() {     # keys.json N+1, signed by the roots of N and by its own
    local new
    new=$(opened "$1" ota.keys.v1 root "$(get keys)") && [ "$(opened "$1" ota.keys.v1 root "$new")" = "$new" ] || return
    [ "$(member version "$new")" = "$(($(jq .version < "$dir/keys") + 1))" ] && jq -e '.expires > now' <<< "$new" > /dev/null && put keys "$new" && heartbeat
}

# --- Start. In a new slot this is the moment of truth: it reaches the broker and passes its test, or it goes back.
worker=0
rm -f "$dir/inbox"; mkfifo "$dir/inbox"
exec 3<> "$dir/inbox"
(while :; do mosquitto_sub "${tls[@]}" -i "$id" -t "devices/$id/command" -t ota/keys -F %p; sleep 1; done >&3 3>&-) & subscriber=$!
stop_all() { pkill -P $subscriber; kill $subscriber; [ $worker = 0 ] || kill -- -$worker; wait; } 2>/dev/null
trap 'stop_all; exit 0' TERM INT
reboot() { stop_all; exec 3>&-; exec "$0" "$bundle" "$dir" "$model" "$first"; }
until heartbeat; do sleep 1; done
c=$(get command)
case $(get stage idle) in
    testing) if $self_test; then
                 [ "$(jq .security_counter < "$dir/manifest")" -gt "$(get counter 0)" ] && put counter "$(jq .security_counter < "$dir/manifest")"
                 ended "$c" completed
                 heartbeat
             else
                 put active "$(spare)"; put stage rolled_back
                 reboot
             fi ;;
    rolled_back) put last_id "$(get current)"; put last_result rollback; put stage idle
                 status "$c" rollback "$(jq -nc --arg f "$(running)" --arg x "$(member version "$c")" '{current_firmware:$f, failed_firmware:$x, error:"self_test"}')" ;;
    cancelled) ended "$c" cancelled ;;
    downloading|installing) put stage downloading; work "$c" ;;      # power went: on with what lies there
esac
while :; do
    if ! read -r -t "$heartbeat_s" line <&3; then heartbeat; continue; fi
    case $(member command "$line" 2>/dev/null) in
        ota_update) on_update "$line" ;;
        cancel) on_cancel "$line" ;;
        url) [ "$(member command_id "$line")" = "$(get current)" ] && { put url "$(member url "$line")"; touch "$dir/fresh"; } ;;
        report) heartbeat ;;
        verify_only) if seq=$(get seq 0); check_command "$line" && check_release "$line"; then status "$line" accepted; else status "$line" rejected "{\"reason\":\"$why\"}"; fi; put seq "$seq" ;;
        config) jq -c '.settings | to_entries[]' <<< "$line" | while read -r s; do
                    publish notify "$(jq -c --arg old "$(get "setting_$(member key "$s" | tr -cd 'A-Za-z0-9_')")" '{setting_changed:.key, old_value:$old, new_value:.value, timestamp:(now|floor)}' <<< "$s")"
                    put "setting_$(member key "$s" | tr -cd 'A-Za-z0-9_')" "$(member value "$s")"
                done ;;
        _reboot) wait "$worker" 2>/dev/null; reboot ;;
        "") on_keys "$line" ;;
    esac
done
