#!/usr/bin/env bash
# Installs what Sunya's build and tests need and the machine lacks. As root from
# the distribution's packages; otherwise it says what is missing and goes on, as
# far as one can get without it.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "deps: $*" >&2; }

command -v go >/dev/null || { say "Go 1.26 or newer is needed: https://go.dev/dl/"; exit 1; }

packages=()
want() { command -v "$1" >/dev/null || packages+=("$2"); }
want curl curl
want python3 python3
/usr/bin/python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
/usr/bin/python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)
if [ "${SUNYA_DEPS:-}" = bench ] || [ "${SUNYA_DEPS:-}" = tests ]; then
	[ -x /usr/sbin/nginx ] || packages+=(nginx-light) # the peer for static files; an image that starts as root
fi
if [ "${SUNYA_DEPS:-}" = tests ]; then
	want node nodejs
	want npm npm
	want php php-cli
	want ruby ruby
	want gcc gcc # the race detector
	want javac default-jdk-headless
	want mvn maven
	want skopeo skopeo
	want busybox busybox-static # the images that tests make
fi

if [ ${#packages[@]} -gt 0 ]; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		say "installing ${packages[*]}"
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${packages[@]}" >/dev/null
	else
		say "missing: ${packages[*]} (install them as root: apt-get install ${packages[*]})"
	fi
fi
go mod download
