#!/usr/bin/env bash
# The page's own tests (Vitest). Exit 77: Node or the page's packages are not here.
set -euo pipefail
web="$(cd "$(dirname "$0")" && pwd)/../../plugins/dashboard/web"
skip() { echo "skipped: $*"; [ -n "${CI:-}" ] && exit 1; exit 77; }
command -v node > /dev/null || skip "no Node (tools/setup --test)"
[ -d "$web/node_modules/vitest" ] || skip "the page's packages are not here (tools/build web)"
cd "$web" && exec npx --no-install vitest run
