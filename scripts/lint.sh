#!/bin/sh
# Opinions beyond go vet: staticcheck on the Go of every module, shellcheck on the scripts.
set -eu
cd "$(dirname "$0")/.."
scripts/deps.sh shellcheck

staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.7.0
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
GOBIN=$bin go install "$staticcheck"
for module in . bench/report bench/peers tests/ringio; do
	(cd "$module" && "$bin/staticcheck" -checks 'all,-ST1000,-ST1003,-ST1020,-ST1021,-ST1022' ./...)
done

shellcheck scripts/*.sh .ci/run
