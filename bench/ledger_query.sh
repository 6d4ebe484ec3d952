#!/usr/bin/env bash
# The document's example query, "TX-100 below v1.1.0 not updated for 30 days", over N devices (1,000,000) in a Postgres of its own with the
# schema a running airmaild prints: the plan, and 25 timings on one connection.
#   bench/ledger_query.sh [N]        needs build/dev (airmaild, airmailctl) and Postgres
set -euo pipefail
cd "$(dirname "$0")/.."
n="${1:-1000000}"
dir="$(mktemp -d /tmp/airmail-query-XXXXXX)"
bin="$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)"
as=()
[ "$(id -u)" = 0 ] && { chown postgres "$dir"; as=(setpriv --reuid=postgres --regid=postgres --clear-groups); }
pids=()
leave() { for p in "${pids[@]}"; do kill -INT "$p" 2> /dev/null || true; wait "$p" 2> /dev/null || true; done; rm -rf "$dir"; }
trap leave EXIT
(cd "$dir" && "${as[@]}" "$bin/initdb" -D "$dir/data" -U airmail -A trust --no-sync -E UTF8 --locale=C > /dev/null)
"${as[@]}" "$bin/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c fsync=off > "$dir/log" 2>&1 &
pids+=($!)
printf 'listener 0 %s/mqtt.sock\nairmail_plugin ota\nhttp_port 0\nmetrics_port 0\nstore_path %s/broker\ncontrol_socket %s/control.sock\n%s\n' "$dir" "$dir" "$dir" "$([ "$(id -u)" = 0 ] && echo 'user root')" > "$dir/airmail.conf"
build/dev/broker/airmaild -c "$dir/airmail.conf" > "$dir/broker.log" 2>&1 &
pids+=($!)
sql() { psql -h "$dir" -U airmail -d postgres -qtA "$@"; }
for _ in $(seq 100); do [ -S "$dir/control.sock" ] && sql -c 'SELECT 1' > /dev/null 2>&1 && break; sleep 0.2; done
build/dev/tools/airmailctl/airmailctl --socket "$dir/control.sock" db migrate --print | sql > /dev/null
sql -c "INSERT INTO devices(device_id, tenant, serial_no, model, current_firmware, last_seen, status, created_at, updated_at, registration, ever_seen, hash, boot_slot, airmail_node, airmail_seq)
  SELECT gen_random_uuid(), 0, 'q-' || i, 'TX-' || 100 + i % 5 * 50, 'v1.' || i / 5 % 12 || '.' || i % 3, now(), 'online', now(), now() - (i % 4000) * interval '20 minutes', 'accepted', 1, 7, '', 1, i FROM generate_series(1, $n) i"
sql -c 'VACUUM ANALYZE devices'
query="SELECT serial_no FROM devices WHERE model = 'TX-100' AND airmail_semver(current_firmware) < airmail_semver('v1.1.0') AND updated_at < now() - interval '30 days'"
sql -c "EXPLAIN (ANALYZE, BUFFERS) $query"
{ echo '\timing on'; for _ in $(seq 25); do echo "$query;"; done; } | sql -o /dev/null | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | sort -n > "$dir/times"
echo "25 runs with all rows read by the client, ms: best $(head -1 "$dir/times"), median $(sed -n 13p "$dir/times"), worst $(tail -1 "$dir/times")"
