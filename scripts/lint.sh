#!/bin/sh
# Opinions beyond go vet: staticcheck on the Go of every module, shellcheck on the scripts.
#
# usage: lint.sh [staticcheck] [shellcheck]   without an argument: both
set -eu
cd "$(dirname "$0")/.."

lint_staticcheck() {
	bin=$(mktemp -d)
	trap 'rm -rf "$bin"' EXIT
	GOBIN=$bin go install honnef.co/go/tools/cmd/staticcheck@v0.7.0
	for module in . bench/report bench/peers bench/pebble tests/ringio; do
		(cd "$module" && "$bin/staticcheck" -checks 'all,-ST1000,-ST1003,-ST1020,-ST1021,-ST1022' ./...)
	done
}

lint_shellcheck() {
	scripts/deps.sh shellcheck
	shellcheck scripts/*.sh findings/*.sh .ci/run
}

[ $# != 0 ] || set -- staticcheck shellcheck
for linter; do
	case $linter in
	staticcheck | shellcheck) "lint_$linter" ;;
	*) sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0" >&2 && exit 2 ;;
	esac
done
