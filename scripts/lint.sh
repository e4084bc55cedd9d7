#!/usr/bin/env bash
# Formatting, vet and staticcheck (settings and reasons in staticcheck.conf).
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS="${GOFLAGS:-} -trimpath" # what the binaries are compiled from serves here too
unformatted=$(gofmt -l $(git ls-files '*.go'))
if [ -n "$unformatted" ]; then
	printf 'gofmt would change:\n%s\n' "$unformatted" >&2
	exit 1
fi
go vet ./...
go vet -tags e2e ./e2e/...
go tool staticcheck -tags e2e ./...
for s in scripts/*.sh .ci/run; do bash -n "$s"; done
