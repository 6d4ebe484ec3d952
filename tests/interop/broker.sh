# Sourced by the scripts here: an airmaild of its own, certificates by openssl, checks that count. POSIX tools and bash.
# shellcheck shell=bash disable=SC2034
set -u
airmaild=$1
dir=$(mktemp -d /tmp/airmail-interop-XXXXXX)
broker_pid=
checks=0
failed=0

# skip MESSAGE: leaves with ctest's skip code, or fails on CI.
skip() { echo "skipped: $*"; [ -n "${CI:-}" ] && exit 1; exit 77; }
need() { command -v "$1" > /dev/null || skip "$1 is not installed (tools/setup --test)"; }

# ok WHAT COMMAND...: one check.
ok() {
    local what=$1; shift
    checks=$((checks + 1))
    if "$@" > "$dir/check.out" 2>&1; then echo "ok   $what"; else failed=$((failed + 1)); echo "FAIL $what"; sed 's/^/     /' "$dir/check.out" | head -20; fi
}
# same WHAT GOT WANTED
same() {
    checks=$((checks + 1))
    if [ "$2" = "$3" ]; then echo "ok   $1"; else failed=$((failed + 1)); echo "FAIL $1"; echo "     got    $(printf %s "$2" | head -c 600)"; echo "     wanted $3"; fi
}
# within SECONDS COMMAND...: true as soon as the command is.
within() {
    local end=$((SECONDS + $1)); shift
    until "$@" > /dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done
}
done_with() {
    [ -n "$broker_pid" ] && kill "$broker_pid" 2> /dev/null && wait "$broker_pid" 2> /dev/null
    [ $failed -eq 0 ] || { echo "--- airmaild said:"; tail -40 "$dir/airmaild.log"; }
    rm -rf "$dir"
    echo "$checks checks, $failed failed"
    [ $failed -eq 0 ] && exit 0
    exit 1
}
trap 'kill $(jobs -p) 2> /dev/null; rm -rf "$dir"' EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# certificates DEVICE...: a CA, a server for localhost, and devices with SAN URI urn:airmail:device:ID, in $dir.
certificates() {
    (
        cd "$dir" || exit 1
        new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1" 2> /dev/null && chmod 600 "$1"; }
        new_key ca.key
        openssl req -x509 -new -key ca.key -days 3650 -subj "/CN=interop CA" -out ca.crt -addext keyUsage=critical,keyCertSign,cRLSign 2> /dev/null
        sign() { # STEM CN SAN USAGE
            new_key "$1.key"
            printf 'subjectAltName=%s\nextendedKeyUsage=%s\nkeyUsage=digitalSignature\nbasicConstraints=CA:FALSE\n' "$3" "$4" > "$1.ext"
            openssl req -new -key "$1.key" -subj "/CN=$2" 2> /dev/null | openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -extfile "$1.ext" -out "$1.crt" 2> /dev/null
        }
        sign server localhost DNS:localhost,IP:127.0.0.1 serverAuth
        for id in "$@"; do sign "$id" "$id" "URI:urn:airmail:device:$id" clientAuth; done
    )
}

# start_broker: writes $dir/airmail.conf from `configuration` (a function that prints it) and waits until it is ready.
start_broker() {
    local attempt
    for attempt in 1 2 3 4 5; do
        plain=$(free_port) tls=$(free_port) https=$(free_port) metrics=$(free_port)
        {
            printf 'store_path %s\nstore_map_size 1GiB\nlimit_disk_refuse 0\nlimit_disk_readonly 0\nmetrics_port %s\ncontrol_socket %s\n' "$dir/data" "$metrics" "$dir/control.sock"
            [ "$(id -u)" = 0 ] && echo "user root"
            configuration
        } > "$dir/airmail.conf"
        "$airmaild" -c "$dir/airmail.conf" > "$dir/airmaild.log" 2>&1 &
        broker_pid=$!
        within 60 eval '! kill -0 $broker_pid || curl -sf http://127.0.0.1:$metrics/readyz'
        kill -0 "$broker_pid" 2> /dev/null && return 0
        wait "$broker_pid"
        [ $? = 69 ] || break # 69: somebody was faster with a port
    done
    echo "airmaild did not start:"; cat "$dir/airmaild.log"; exit 1
}
stop_broker() { kill "-${1:-TERM}" "$broker_pid"; wait "$broker_pid" 2> /dev/null; broker_pid=; }
# api VERB PATH [BODY]: the control socket.
api() { curl -s --unix-socket "$dir/control.sock" -X "$1" "http://airmail$2" ${3:+-H content-type:application/json -d "$3"}; }
# json EXPRESSION: reads JSON on standard input as `j`, prints the expression.
json() { python3 -c 'import json,sys; j=json.load(sys.stdin); v=eval(sys.argv[1]); print(v if isinstance(v,str) else json.dumps(v))' "$1"; }
