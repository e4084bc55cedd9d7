#!/usr/bin/env bash
# Starts the platform on a free port, deploys examples/hello-python and shows
# what its URL answers. Stays until Ctrl-C; with ONCE=1 it stops by itself.
set -euo pipefail
cd "$(dirname "$0")/.."

data=$(mktemp -d "${TMPDIR:-/tmp}/sunya-quickstart.XXXXXX")
chmod 755 "$data"
log=$data/server.log
server=
stop() {
	if [ -n "$server" ] && kill -0 "$server" 2>/dev/null; then
		kill -INT "$server"
		wait "$server" || true
	fi
	rm -rf "$data"
}
trap stop EXIT
trap 'exit 130' INT TERM

bin/sunya up --data "$data/state" --listen 127.0.0.1:0 >"$log" 2>&1 &
server=$!
for _ in $(seq 200); do
	url=$(sed -n 's/^ *APIs  *\(http[^ ]*\).*/\1/p' "$log")
	[ -n "$url" ] && curl -fsS -o /dev/null "$url/healthz" 2>/dev/null && break
	kill -0 "$server" 2>/dev/null || { cat "$log" >&2; exit 1; }
	sleep 0.05
done
cat "$log"

export SUNYA_SERVER=$url
app=$(bin/sunya app deploy examples/hello-python --quiet)
host=${app#http://}
printf '\n$ curl %s\n' "$app"
curl -fsS -H "Host: ${host%%/*}" "$url/"
printf '\n'

if [ "${ONCE:-}" = 1 ]; then
	exit 0
fi
printf '\nYour app is at %s  (Ctrl-C stops everything)\n' "$app"
printf 'Try:  SUNYA_SERVER=%s bin/sunya logs -f\n' "$url"
trap 'exit 0' INT TERM # from here on that is how it ends
wait "$server"
