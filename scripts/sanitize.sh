#!/usr/bin/env bash
# Runs the suite with memory checks that take too long for every day:
#
#   1. GOEXPERIMENT=cgocheck2: Go looks at every pointer that is written into C memory
#   2. the address sanitizer, in Go, C and a liburing built with its own: it looks at the addresses of requests
#
# usage: sanitize.sh [go test flags]
set -euo pipefail
cd "$(dirname "$0")/.."
readonly vendored=third_party/liburing
mapfile -t packages < <(scripts/rooms.sh sanitize)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { echo "sanitize: $*"; }

say "the suite with cgocheck2"
GOEXPERIMENT=cgocheck2 go test -timeout 10m "$@" "${packages[@]}"

say "building liburing with --enable-sanitizer"
mkdir "$work/lib"
cp -r "$vendored/src" "$work/src"
(
  cd "$work/src"
  make -s -C src clean
  ./configure --cc="${CC:-gcc}" --enable-sanitizer
  make -s -j"$(nproc)" -C src liburing.a
  mv src/liburing.a "$work/lib"
) >"$work/log" 2>&1 || { cat "$work/log" >&2; say "liburing could not be built like this" >&2; exit 1; }

say "the suite with -asan"
# Leaks are left out: what Go's collector keeps alive the sanitizer takes for lost. So is the test that builds a
# program itself, without the sanitizer.
CGO_LDFLAGS="-L$work/lib -fsanitize=undefined" ASAN_OPTIONS=detect_leaks=0 \
  go test -asan -timeout 10m -skip '^TestFaultInCHasATraceback$' "$@" "${packages[@]}"
