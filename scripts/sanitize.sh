#!/usr/bin/env bash
# Runs the suite with memory checks that take too long for every day:
#
#   cgocheck2  Go looks at every pointer that is written into C memory (GOEXPERIMENT=cgocheck2)
#   checkptr   Go looks at every conversion of an unsafe.Pointer (-d=checkptr)
#   asan       the address sanitizer, in Go, C and a liburing built with its own, which looks at the addresses of
#              requests; and LeakSanitizer, for what C has not freed when the tests end
#
# usage: sanitize.sh [CHECK…] [go test flags]   without a check: all
set -euo pipefail
[[ ${1-} != -h && ${1-} != --help ]] || { sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0"; exit; }
cd "$(dirname "$0")/.."
readonly vendored=third_party/liburing
mapfile -t packages < <(scripts/rooms.sh sanitize)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { echo "sanitize: $*"; }

cgocheck2() { GOEXPERIMENT=cgocheck2 go test -timeout 10m "$@" "${packages[@]}"; }

checkptr() { go test -gcflags=all=-d=checkptr -timeout 10m "$@" "${packages[@]}"; }

sanitizing_liburing() {
  mkdir "$work/lib"
  cp -r "$vendored/src" "$work/src"
  (
    cd "$work/src"
    make -s -C src clean
    ./configure --cc="${CC:-gcc}" --enable-sanitizer
    make -s -j"$(nproc)" -C src liburing.a
    mv src/liburing.a "$work/lib"
  ) >"$work/log" 2>&1 || { cat "$work/log" >&2; say "liburing could not be built like this" >&2; exit 1; }
}

# Left out are tests that build programs themselves, without the sanitizer; that leave LeakSanitizer no descriptor; and
# that count allocations and system calls, which are more with it.
readonly not_asan='^(TestFaultInCHasATraceback|TestServiceInAnEmptyRoot|TestSetupWithoutDescriptors|ExampleLoop_Stats)$|NotAllocate|Allocs'
asan() {
  sanitizing_liburing
  CGO_LDFLAGS="-L$work/lib -fsanitize=undefined" ASAN_OPTIONS=detect_leaks=1 \
    go test -asan -timeout 10m -skip "$not_asan" "$@" "${packages[@]}"
}

checks=()
while [[ ${1-} == [a-z]* ]]; do
  [[ " cgocheck2 checkptr asan " == *" $1 "* ]] || { sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
  checks+=("$1")
  shift
done
((${#checks[@]})) || checks=(cgocheck2 checkptr asan)
for check in "${checks[@]}"; do
  say "the suite with $check"
  "$check" "$@"
done
