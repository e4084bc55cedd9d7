#!/usr/bin/env bash
# Does what README says once more as somebody who is not root: a new account, a
# clone of its own, nothing in its environment but where certificates and package
# mirrors are. Of the caller's it has what Go has compiled and downloaded, to read.
# The account and all it made are removed at the end. Needs root to begin with;
# tests what is committed.
set -euo pipefail
cd "$(dirname "$0")/.."

user=sunya-ci-$$
useradd --create-home --shell /bin/bash "$user"
home=$(getent passwd "$user" | cut -d: -f6)
cleanup() {
	local left failed=
	# Whatever still runs in that account should not: say so, and end it.
	left=$(find /proc -maxdepth 1 -name '[0-9]*' -user "$user" -printf '%f ' 2>/dev/null) || true
	for pid in $left; do
		printf 'as-user: still running: %s %s\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)" >&2
		kill -KILL "$pid" 2>/dev/null || true
		failed=1
	done
	rm -rf "$home"
	userdel --force "$user" || failed=1
	[ -z "$failed" ] || exit 1
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

git -c safe.directory='*' clone --quiet --no-hardlinks . "$home/sunya"
chown -R "$user": "$home/sunya"

# Links to the caller's files in folders of its own: it can add to them, no more.
# On another file system there is none of it, and everything is compiled again.
share() {
	[ -d "$1" ] && mkdir -p "$2" && cp -rl "$1/." "$2" 2>/dev/null || { rm -rf "$2"; return 0; }
	find "$2" -type d -exec chown "$user": {} + -exec chmod u+rwx {} +
}
share "$(go env GOCACHE)" "$home/.cache/go-build"
share "$(go env GOMODCACHE)" "$home/go/pkg/mod"
rm -f "$home/.cache/go-build/testexpire.txt"
chown "$user": "$home/.cache" "$home/go" "$home/go/pkg" 2>/dev/null || true

# Everything of the caller's that names a folder of root's stays behind.
unset GOPATH GOCACHE GOMODCACHE XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_RUNTIME_DIR TMPDIR
path=$(dirname "$(command -v go)"):/usr/local/bin:/usr/bin:/bin
for step in "make quickstart ONCE=1" "go clean -testcache && make ${*:-test-rights e2e-user}"; do
	printf '\n== %s: %s\n' "$user" "$step"
	su "$user" -s /bin/bash -c "export PATH='$path' && cd ~/sunya && $step"
done
