#!/usr/bin/env bash
# recorded.sh LOG COMMAND...: runs it and keeps what it said, for matrix.py.
log=$1; shift
mkdir -p "$(dirname "$log")"
"$@" 2>&1 | tee "$log"
exit "${PIPESTATUS[0]}"
