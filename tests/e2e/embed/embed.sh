#!/usr/bin/env bash
# embed.sh CMAKE BUILD SOURCE [SANITIZERS]: installs libairmail into a folder of its own, builds examples/embed against it and nothing else, runs it.
set -euo pipefail
cmake=$1 build=$2 source=$3 sanitize=${4:-}
command -v mosquitto_pub > /dev/null || { echo "skipped: mosquitto_pub is not installed (tools/setup --test)"; [ -n "${CI:-}" ] && exit 1; exit 77; }
dir=$(mktemp -d /tmp/airmail-embed-XXXXXX)
broker=
trap 'kill $broker 2> /dev/null || true; rm -rf "$dir"' EXIT
quietly() { "$@" > "$dir/log" 2>&1 || { echo "failed: $*"; tail -40 "$dir/log"; exit 1; }; }

for component in dev embed; do quietly "$cmake" --install "$build" --component $component --prefix "$dir/usr"; done
cp -r "$source/examples/embed" "$dir/source" # nothing of the tree is in sight
quietly "$cmake" -S "$dir/source" -B "$dir/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_PREFIX_PATH="$dir/usr" ${sanitize:+"-DCMAKE_CXX_FLAGS=-fsanitize=$sanitize"}
quietly "$cmake" --build "$dir/build"

wait_for() { for _ in $(seq 600); do "$@" > /dev/null 2>&1 && return 0; sleep 0.1; done; echo "never: $*"; cat "$dir/out"; return 1; }
for _ in 1 2 3 4 5; do
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$dir/build/embed" "$port" "$dir/data" > "$dir/out" 2>&1 &
    broker=$!
    wait_for eval "grep -q listening '$dir/out' || ! kill -0 $broker"
    kill -0 $broker && break
done
grep "listening on 127.0.0.1 port $port" "$dir/out"
mosquitto_pub -p "$port" -q 1 -r -t hello -m world
[ "$(mosquitto_sub -p "$port" -q 1 -t hello -C 1 -W 20)" = world ]
kill $broker
code=0; wait $broker || code=$?
[ $code = 0 ] || { echo "embed ended with $code"; cat "$dir/out"; exit 1; }

# A configuration that is wrong ends it the way it would end airmaild.
code=0; "$dir/build/embed" 70000 "$dir/data" > "$dir/out" 2>&1 || code=$?
[ $code = 78 ] || { echo "expected exit code 78, got $code"; cat "$dir/out"; exit 1; }
grep -q "embed: .*listener" "$dir/out"
broker=
echo "built out of tree, published to, drained"
