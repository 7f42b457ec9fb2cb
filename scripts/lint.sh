#!/bin/sh
# Opinions beyond go vet: staticcheck on the Go, shellcheck on the scripts.
set -eu
cd "$(dirname "$0")/.."

staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.7.0
go run "$staticcheck" -checks 'all,-ST1000,-ST1003,-ST1020,-ST1021,-ST1022' ./...

if command -v shellcheck >/dev/null 2>&1; then
	shellcheck scripts/*.sh .ci/run
else
	echo "lint: shellcheck is not installed (Debian: shellcheck), the scripts were not looked at" >&2
fi
