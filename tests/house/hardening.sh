#!/usr/bin/env bash
# hardening.sh AIRMAILD UNIT: the program is position-independent, has read-only relocations and no executable stack; the unit's
# exposure by systemd's own count is at most 1.5.
set -euo pipefail
program=$1 unit=$2
readelf -hW "$program" | grep -q 'Type:.*DYN' || { echo "$program is not position-independent"; exit 1; }
readelf -dW "$program" | grep -q 'BIND_NOW\|Flags:.*NOW' || { echo "$program binds lazily (-z now)"; exit 1; }
readelf -lW "$program" | grep -q GNU_RELRO || { echo "$program has no GNU_RELRO"; exit 1; }
if readelf -lW "$program" | grep 'GNU_STACK' | grep -q 'RWE'; then echo "$program has an executable stack"; exit 1; fi
command -v systemd-analyze > /dev/null || { echo "skipped: no systemd-analyze here"; exit 0; }
systemd-analyze security --offline=true --threshold=15 "$unit" | tail -1
# What it names as the only places to write must be what the configuration's defaults name.
grep -q '^StateDirectory=airmail$' "$unit" && grep -q '^RuntimeDirectory=airmail$' "$unit" || { echo "$unit: the directories of the defaults are missing"; exit 1; }
