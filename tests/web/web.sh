#!/usr/bin/env bash
# web.sh unit: the page's own tests.   web.sh browser BUILD: the main paths in Chromium; pictures go to BUILD/web-pictures.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
web="$here/../../plugins/dashboard/web"
skip() { echo "skipped: $*"; [ -n "${CI:-}" ] && exit 1; exit 77; }
command -v node > /dev/null || skip "no Node (tools/setup --test)"
[ -d "$web/node_modules/vitest" ] || skip "the page's packages are not here (tools/build web)"
case "$1" in
    unit) cd "$web" && exec npx --no-install vitest run ;;
    browser)
        chromium="${CHROMIUM:-$(command -v chromium || true)}"
        [ -n "$chromium" ] || skip "no Chromium (tools/setup --test)"
        [ -f "$web/dist/index.html" ] || skip "the page is not built (tools/build web)"
        export AIRMAIL_BIN="$2" AIRMAIL_PICTURES="$2/web-pictures" CHROMIUM="$chromium"
        exec node --test --test-concurrency=1 "$here"/{browser,every_page,keyboard,upload,long_list}.test.mjs
        ;;
esac
