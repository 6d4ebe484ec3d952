#!/usr/bin/env bash
# Debian's mosquitto clients against airmaild: 3.1.1 and 5, QoS 0-2, retained, will, session resume, TLS.
. "$(dirname "$0")/broker.sh"
need mosquitto_pub; need mosquitto_sub; need openssl; need curl; need python3
certificates sn-1 sn-2
configuration() {
    printf 'listener %s 127.0.0.1\nlistener_allow_anonymous true\n' "$plain"
    printf 'listener %s 127.0.0.1\ndevice_listener true\ncafile %s/ca.crt\ncertfile %s/server.crt\nkeyfile %s/server.key\n' "$tls" "$dir" "$dir" "$dir"
}
start_broker

here() { echo "-h 127.0.0.1 -p $plain"; }
as() { echo "-h localhost -p $tls --cafile $dir/ca.crt --cert $dir/$1.crt --key $dir/$1.key -i $1"; }
# subscribed ID: true when the session of that client id is connected and has a filter.
subscribed() { api GET "/api/v1/sessions?limit=1000" | json "[s for s in j['sessions'] if s['client_id'] == '$1' and s['connected'] and s['filters'] > 0][0]['client_id']" > /dev/null 2>&1; }
absent() { ! api GET "/api/v1/sessions?limit=1000" | json "[s for s in j['sessions'] if s['client_id'] == '$1' and s['connected']][0]['client_id']" > /dev/null 2>&1; }
# hears ID FILE ARGS...: a subscriber in the background that is subscribed when this returns.
hears() { local id=$1 file=$2; shift 2; mosquitto_sub -i "$id" "$@" > "$file" 2>&1 & heard=$!; within 20 subscribed "$id"; }

for v in mqttv311 mqttv5; do
    for qos in 0 1 2; do
        hears "sub-$v-$qos" "$dir/out" $(here) -V $v -q $qos -t "walk/#" -C 1 -W 20 -F '%t %q %p'
        mosquitto_pub $(here) -V $v -q $qos -t walk/x -m "hello $v $qos"
        wait $heard
        same "$v QoS $qos walks both ways" "$(cat "$dir/out")" "walk/x $qos hello $v $qos"
    done

    mosquitto_pub $(here) -V $v -q 1 -r -t kept/$v -m "retained $v"
    same "$v retained" "$(mosquitto_sub $(here) -V $v -t kept/$v -C 1 -W 20 -F '%r %p')" "1 retained $v"
    mosquitto_pub $(here) -V $v -q 1 -r -n -t kept/$v
    same "$v retained and cleared" "$(mosquitto_sub $(here) -V $v -t kept/$v -t kept/end -C 1 -W 2 2>&1 | grep -v Timed)" ""

    hears "watch-$v" "$dir/out" $(here) -V $v -q 1 -t "wills/#" -C 1 -W 20 -F '%t %p'
    mosquitto_sub $(here) -V $v -i "mortal-$v" -t nothing --will-topic wills/$v --will-payload "gone $v" --will-qos 1 > /dev/null 2>&1 &
    mortal=$!
    within 20 subscribed "mortal-$v"
    kill -9 $mortal; wait $mortal 2> /dev/null
    wait $heard
    same "$v will after a crash" "$(cat "$dir/out")" "wills/$v gone $v"

    expiry=; [ $v = mqttv5 ] && expiry="-x 3600"
    hears "keeper-$v" "$dir/out" $(here) -V $v -c $expiry -q 2 -t queue/$v
    kill $heard; wait $heard 2> /dev/null
    within 20 absent "keeper-$v"
    for i in 1 2 3; do mosquitto_pub $(here) -V $v -q $((i % 2 + 1)) -t queue/$v -m "while away $i"; done
    stop_broker KILL; start_broker
    same "$v session resumes with its queue, over a power cut too" "$(mosquitto_sub $(here) -V $v -c $expiry -i "keeper-$v" -q 2 -t queue/$v -C 3 -W 20 | sort | tr '\n' ,)" "while away 1,while away 2,while away 3,"

    # At each QoS ten while the subscriber is there and ten while it is away; then its session resumes. AIRMAIL_LONG=1: many rounds.
    rounds=1; [ -n "${AIRMAIL_LONG:-}" ] && rounds=30
    wrong=
    for round in $(seq $rounds); do
        for qos in 0 1 2; do
            hears "long-$v-$qos" "$dir/there" $(here) -V $v -c $expiry -q 2 -t long/$qos -C 10 -W 20
            seq 1 10 | mosquitto_pub $(here) -V $v -q $qos -t long/$qos -l
            wait $heard
            within 20 absent "long-$v-$qos"
            last=10; : > "$dir/away"
            if [ $qos != 0 ]; then   # QoS 0 waits for nobody
                last=20
                seq 11 20 | mosquitto_pub $(here) -V $v -q $qos -t long/$qos -l
                mosquitto_sub $(here) -V $v -c $expiry -i "long-$v-$qos" -q 2 -t long/$qos -C 10 -W 20 > "$dir/away"
            fi
            [ "$(cat "$dir/there" "$dir/away" | sort -n | tr '\n' ,)" = "$(seq 1 $last | tr '\n' ,)" ] || wrong="$wrong round $round QoS $qos: $(cat "$dir/there" "$dir/away" | tr '\n' ,);"
        done
    done
    same "$v long exchange, each message once over many resumed sessions" "$wrong" ""

    hears sn-1 "$dir/out" $(as sn-1) -V $v -q 1 -t devices/sn-1/command -C 1 -W 20
    mosquitto_pub $(here) -q 1 -t devices/sn-1/command -m "for sn-1"
    wait $heard
    same "$v over TLS with a client certificate" "$(cat "$dir/out")" "for sn-1"
    ok "$v device publishes its own status" mosquitto_pub $(as sn-1) -V $v -q 1 -t devices/sn-1/status -m '{}'
done
same "v5 tells a device that it may not" "$(mosquitto_pub $(as sn-1) -V mqttv5 -q 1 -t devices/sn-2/status -m x 2>&1 | grep -ci 'not authorized')" 1
same "v5 tells a subscriber that it may not" "$(mosquitto_sub $(as sn-1) -V mqttv5 -q 1 -t devices/sn-2/command -W 5 2>&1 | grep -ci 'not authorized\|denied\|rejected')" 1
ok "no certificate, no connection" eval "! mosquitto_pub -h localhost -p $tls --cafile $dir/ca.crt -t x -m x"
ok "\$share gives each message to one" eval '
    mosquitto_sub $(here) -V mqttv5 -i share-a -q 1 -t "\$share/g/s/#" > $dir/a 2>&1 & a=$!
    mosquitto_sub $(here) -V mqttv5 -i share-b -q 1 -t "\$share/g/s/#" > $dir/b 2>&1 & b=$!
    within 20 subscribed share-a && within 20 subscribed share-b
    for i in 1 2 3 4 5 6; do mosquitto_pub $(here) -q 1 -t s/$i -m m$i; done
    within 20 eval "[ \$(cat \$dir/a \$dir/b | wc -l) -ge 6 ]"; kill $a $b
    [ "$(cat $dir/a $dir/b | sort | tr "\n" ,)" = "m1,m2,m3,m4,m5,m6," ]'
done_with
