#!/usr/bin/env bash
# Tests vendor-liburing.sh in a temporary copy of the folders it works in, with a cache of its own. The real third_party
# stays as it is. Downloads a few times, takes less than a minute.
#
# usage: vendor-liburing-test.sh [CASE…]   only these of the functions that are named test_…
set -euo pipefail
# Background jobs can be sent SIGINT, and have a process group of their own.
set -m
cd "$(dirname "$0")/.."
tmp=$(mktemp -d "${TMPDIR:-/tmp}/vendor-liburing-test.XXXXXX")
tmp=$(cd "$tmp" && pwd -P)
job=
trap '[[ -z $job ]] || kill -- "-$job" 2>/dev/null || true; rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

readonly lock=$tmp/third_party/liburing.lock
readonly home=$tmp/third_party/liburing
readonly header=$tmp/liburing_vendored.h
readonly seed=$tmp/seed # what every case starts with
export XDG_CACHE_HOME=$tmp/cache
readonly cache=$XDG_CACHE_HOME/go-liburing
unset LIBURING_VERSION LIBURING_TARBALL CC

read -r _ pin pin_sum _ < <(grep '^pin' third_party/liburing.lock)
read -r _ old old_sum _ < <(grep '^fallback' third_party/liburing.lock)
readonly pin pin_sum old old_sum
readonly pin_file=liburing_$pin.orig.tar.gz
readonly old_file=liburing_$old.orig.tar.gz

# --- What the cases are made of --------------------------------------------------------------------------------------

fail() { echo "$*"; exit 1; }

vendor() { timeout -k 5 120 "$tmp/scripts/vendor-liburing.sh" "$@"; }

# vendor_says PATTERN…: it succeeds and says each of these; vendor_fails PATTERN…: it fails and says each of these.
vendor_says() { vendor_ends 0 "$@"; }
vendor_fails() { vendor_ends 1 "$@"; }
vendor_ends() {
  local wanted=$1 status=0 pattern
  shift
  vendor >"$tmp/said" 2>&1 || status=$?
  cat "$tmp/said"
  ((status == wanted)) || fail "ended with status $status instead of $wanted"
  for pattern; do grep -qe "$pattern" "$tmp/said" || fail "did not say '$pattern'"; done
}

# path_without COMMAND…: a PATH on which these are not found.
path_without() {
  local bin folder folders
  bin=$(mktemp -d "$tmp/bin.XXXXXX")
  IFS=: read -ra folders <<<"$PATH"
  for folder in "${folders[@]}"; do
    find "$folder/" -maxdepth 1 -not -type d -exec ln -s -t "$bin" {} + 2>/dev/null || true
  done
  (cd "$bin" && rm -f -- "$@")
  echo "$bin"
}

# is_vendored VERSION SUM: whole, nothing beside it, and the header says so.
is_vendored() {
  grep -q "IO_URING_VERSION_MINOR ${1#*.}\$" "$home/include/liburing/io_uring_version.h" || fail "its headers are not $1"
  [[ -f $home/lib/liburing.a && -f $home/lib/liburing-ffi.a ]] || fail "a library is missing"
  [[ -d $home/src/examples && -d $home/src/test && -d $home/src/man ]] || fail "the source tree is not whole"
  grep -q "^#define LIBURING_VENDORED \"$1 $2\"\$" "$header" || fail "$header does not say $1"
  nothing_left_behind
}

pin_is_vendored() { is_vendored "$pin" "$pin_sum"; }
old_is_vendored() { is_vendored "$old" "$old_sum"; }

nothing_is_vendored() {
  [[ ! -e $home && ! -e $header ]] || fail "something is in place"
  nothing_left_behind
}

nothing_left_behind() {
  local left
  left=$(find "$tmp/third_party" -mindepth 1 -maxdepth 1 -not -name liburing -not -name liburing.lock)
  left+=$(find "$cache" -name '.*' 2>/dev/null || true)
  [[ -z $left ]] || fail "left behind: $left"
}

# serve_no_pin: the lock then names a suite that no mirror has.
serve_no_pin() {
  rm -f "$cache/$pin_file"
  sed -i "/^pin/s/$pin_sum .*/$pin_sum no-such-suite/" "$lock"
}

# start_over: the pin is vendored, both tarballs are in the cache.
start_over() {
  rm -rf "$home" "$header" "$cache" "$tmp"/third_party/.liburing.*
  cp third_party/liburing.lock "$lock"
  cp -a "$seed/." "$tmp"
}

# --- The first two cases download; the others start with what they left -----------------------------------------------

first_run() {
  vendor_says downloading
  pin_is_vendored
  [[ -z $(find "$home" -name '*.so*' -o -name debian) ]] || fail "there is a shared library, or Debian's folder"
  (($(wc -l <"$tmp/said") < 5)) || fail "says too much"
}

# As on a machine where apt-get update was never run, for which an index in another folder is enough.
another_version_with_an_apt_that_was_never_updated() {
  mkdir -p "$tmp/lists/partial"
  echo "Dir::State::Lists \"$tmp/lists\";" >"$tmp/apt.conf"
  APT_CONFIG=$tmp/apt.conf LIBURING_VERSION=$old vendor_says downloading
  old_is_vendored
}

# --- The other cases -------------------------------------------------------------------------------------------------

test_another_version_and_back_from_the_cache() {
  PATH=$(path_without apt-get)
  LIBURING_VERSION=$old vendor
  old_is_vendored
  vendor
  pin_is_vendored
}

test_second_run_needs_nothing_and_changes_nothing() {
  local before start took
  PATH=$(path_without apt-get apt-cache gcc make tar)
  rm "$header"
  vendor
  pin_is_vendored
  before=$(stat -c '%n %i %y' "$header" "$home")
  start=${EPOCHREALTIME/[.,]/}
  vendor
  took=$((${EPOCHREALTIME/[.,]/} - start))
  ((took < 200000)) || fail "took $took µs"
  [[ $(stat -c '%n %i %y' "$header" "$home") == "$before" ]] || fail "changed something"
}

test_a_lost_library_is_built_again() {
  rm "$home/lib/liburing.a"
  vendor
  pin_is_vendored
}

test_debug_info_and_tree_name_the_final_folder() {
  readelf --debug-dump=info "$home/lib/liburing.a" >"$tmp/info"
  grep -q "DW_AT_comp_dir.*$home/src/src" "$tmp/info" || fail "the debug info does not"
  ! grep -rl 'third_party/\.liburing' "$home/lib" "$home/include" "$home/src/config-host.mak" || fail "these do not"
}

test_the_tree_builds_its_examples() {
  make -s -C "$home/src/examples" io_uring-cp
  readelf --dynamic "$home/src/examples/io_uring-cp" >"$tmp/needs"
  ! grep liburing "$tmp/needs" || fail "the example is not linked with the static library"
}

# The header is all that this program sees of liburing's version, and no debug info tells of it.
test_go_links_what_was_vendored_last() {
  local version said
  printf 'module x\ngo 1.20\n' >"$tmp/go.mod"
  cat >"$tmp/x.go" <<'GO'
package x

// #cgo LDFLAGS: -L${SRCDIR}/third_party/liburing/lib -luring
// #include "liburing_vendored.h"
// int io_uring_minor_version(void);
import "C"

func Minor() int { return int(C.io_uring_minor_version()) }
GO
  mkdir -p "$tmp/cmd"
  printf 'package main\nimport "x"\nfunc main() { println(x.Minor()) }\n' >"$tmp/cmd/main.go"
  for version in "$pin" "$old" "$pin"; do
    LIBURING_VERSION=$version vendor
    said=$(cd "$tmp" && CGO_CFLAGS=-O2 go run ./cmd 2>&1)
    [[ $said == "${version#*.}" ]] || fail "with $version vendored, the program says $said"
  done
}

test_wrong_sum_in_the_lock() {
  sed -i "/^pin/s/$pin_sum/$old_sum/" "$lock"
  rm "$cache/$pin_file"
  vendor_fails "SHA-256 $pin_sum, but .* says $old_sum"
  pin_is_vendored
}

test_no_sum_in_the_lock() {
  sed -i "s/$pin_sum/${pin_sum%?}/" "$lock"
  vendor_fails 'no SHA-256'
  pin_is_vendored
}

test_damaged_cache() {
  rm -rf "$home"
  head -c 200000 "$seed/cache/go-liburing/$pin_file" >"$cache/$pin_file"
  vendor_says damaged downloading
  pin_is_vendored
  sha256sum -c <<<"$pin_sum  $cache/$pin_file"
}

test_cache_that_cannot_be_written() {
  rm -rf "$home" "$XDG_CACHE_HOME"
  touch "$XDG_CACHE_HOME"
  vendor_says downloading 'cannot keep'
  rm "$XDG_CACHE_HOME"
  pin_is_vendored
}

test_version_that_the_lock_does_not_have() {
  LIBURING_VERSION=1.0 vendor_fails '1.0: that version is not in third_party/liburing.lock'
  pin_is_vendored
}

test_tarball_in_hand() {
  PATH=$(path_without apt-get)
  mv "$cache/$old_file" "$tmp/in hand.tar.gz"
  (cd "$tmp" && LIBURING_TARBALL='in hand.tar.gz' vendor)
  old_is_vendored
  LIBURING_VERSION=$pin LIBURING_TARBALL="$tmp/in hand.tar.gz" vendor_fails "is liburing $old, but"
  # The one in hand is kept for later.
  rm -rf "$home"
  LIBURING_VERSION=$old vendor
  old_is_vendored
}

test_truncated_tarball() {
  head -c 300000 "$cache/$old_file" >"$tmp/truncated"
  LIBURING_TARBALL=$tmp/truncated vendor_fails 'not in third_party/liburing.lock'
  LIBURING_TARBALL=$tmp/none vendor_fails "no file $tmp/none"
  pin_is_vendored
}

test_pin_that_is_not_served() {
  rm -rf "$home" "$header" "$cache"
  serve_no_pin
  vendor_says WARNING "no-such-suite" downloading
  old_is_vendored
  # The next run does not try again, unless it is told to.
  PATH=$(path_without apt-get)
  vendor_says "$old is in place, the fallback for $pin"
  LIBURING_VERSION=$pin vendor_fails 'LIBURING_TARBALL='
  old_is_vendored
}

test_fallback_that_is_in_place() {
  LIBURING_VERSION=$old vendor
  rm -rf "$cache"
  serve_no_pin
  PATH=$(path_without apt-get)
  vendor_says WARNING
  vendor_says "$old is in place, the fallback for $pin"
  old_is_vendored
}

test_a_new_pin_replaces_the_fallback() {
  serve_no_pin
  rm -rf "$home"
  vendor_says WARNING
  cp third_party/liburing.lock "$lock"
  sed -i "s/^fallback/other/; s/$old_sum/$(tr 0-9 1-90 <<<"$old_sum")/" "$lock"
  cp "$seed/cache/go-liburing/$pin_file" "$cache"
  vendor
  pin_is_vendored
}

test_no_source_at_all() {
  rm -rf "$cache"
  vendor --clean
  nothing_is_vendored
  PATH=$(path_without apt-get) \
    vendor_fails 'no apt-get' "$pin_file (SHA-256 $pin_sum)" 'LIBURING_TARBALL=path'
  nothing_is_vendored
}

test_missing_tools() {
  PATH=$(path_without make gcc) LIBURING_VERSION=$old vendor_fails 'apt-get install make gcc libc6-dev$'
  CC=no-such-cc LIBURING_VERSION=$old vendor_fails 'no C compiler no-such-cc'
  pin_is_vendored
}

# compiler NAME COMMAND: writes one that does this where queue.c is to be compiled.
compiler() {
  printf '#!/bin/sh\ncase "$*" in *" queue.c") %s ;; esac\nexec gcc "$@"\n' "$2" >"$tmp/$1"
  chmod +x "$tmp/$1"
}

test_build_that_fails() {
  compiler bad-cc 'echo queue.c is no good; exit 1'
  CC=$tmp/bad-cc LIBURING_VERSION=$old vendor_fails 'queue.c is no good' 'cannot be built'
  pin_is_vendored
}

# await FILE
await() {
  local tries
  for ((tries = 0; tries < 300; tries++)); do
    [[ ! -e $1 ]] || return 0
    sleep 0.1
  done
  fail "$1 did not come"
}

# has_ended PID: or will at once, if nobody took note of its end yet.
has_ended() {
  local tries
  for ((tries = 0; tries < 20; tries++)); do
    kill -0 "$1" 2>/dev/null || return 0
    sleep 0.1
  done
  return 1
}

# interrupt SIGNAL STATUS: while the compiler runs.
interrupt() {
  local status=0
  compiler slow-cc "echo \$\$ >$tmp/pid; mv $tmp/pid $tmp/compiler; exec sleep 100"
  rm -f "$tmp/compiler"
  # What runs in the background may have been told to ignore an interrupt, and its children with it.
  CC=$tmp/slow-cc LIBURING_VERSION=$old env --default-signal=INT,TERM "$tmp/scripts/vendor-liburing.sh" &
  job=$!
  await "$tmp/compiler"
  kill -s "$1" "$job"
  wait "$job" || status=$?
  job=
  ((status == $2)) || fail "SIG$1: ended with status $status"
  has_ended "$(<"$tmp/compiler")" || fail "SIG$1: the compiler still runs"
  pin_is_vendored
}

test_interrupted_build() {
  interrupt INT 130
  interrupt TERM 143
}

# Nothing can be cleaned up then, but the next run does it.
test_killed_build() {
  mkdir "$tmp/third_party/.liburing.killed"
  LIBURING_VERSION=$old vendor
  old_is_vendored
}

test_two_runs_at_a_time() {
  compiler slow-cc "touch $tmp/compiling; sleep 1"
  rm -rf "$home"
  CC=$tmp/slow-cc vendor &
  await "$tmp/compiling"
  vendor_says 'waiting' 'is in place'
  wait $!
  pin_is_vendored
}

# is_installed DIR VERSION
is_installed() {
  grep -q "IO_URING_VERSION_MINOR ${2#*.}\$" "$1/include/liburing/io_uring_version.h" || fail "its headers are not $2"
  [[ -f $1/lib/liburing.a && ! -e $1/lib/liburing.so ]] || fail "the library is missing, or shared"
  [[ $(PKG_CONFIG_PATH=$1/lib/pkgconfig pkg-config --modversion liburing) == "$2" ]] || fail "pkg-config does not know $2"
  [[ -z $(find "$1" -maxdepth 1 -name '.*' -not -path "$1") ]] || fail "left something in $1"
}

# As in a module cache: the folder is not to be written into, and the script cannot be run by itself.
test_prefix() {
  local dir=$tmp/prefix said
  vendor --clean
  chmod -x "$tmp/scripts/vendor-liburing.sh"
  said=$(cd "$tmp" && PATH=$(path_without apt-get) bash scripts/vendor-liburing.sh --prefix prefix)
  chmod +x "$tmp/scripts/vendor-liburing.sh"
  is_installed "$dir" "$pin"
  nothing_is_vendored
  grep -Fx "export CGO_CFLAGS=\"-O2 -g -I$dir/include\" CGO_LDFLAGS=\"-O2 -g -L$dir/lib\"" <<<"$said" ||
    fail "does not say what to do: $said"
  LIBURING_VERSION=$old vendor --prefix "$dir"
  is_installed "$dir" "$old"
  rm -f "$cache/$pin_file"
  serve_no_pin
  vendor --prefix "$tmp/other"
  is_installed "$tmp/other" "$old"
}

test_prefix_that_cannot_be() {
  local status=0
  touch "$tmp/file"
  vendor --prefix "$tmp/file" 2>"$tmp/said" || status=$?
  grep "cannot write into $tmp/file" "$tmp/said"
  mkdir -p "$tmp/shared/lib"
  touch "$tmp/shared/lib/liburing.so"
  vendor --prefix "$tmp/shared" 2>"$tmp/said" || status+=$?
  grep 'linked with instead' "$tmp/said"
  vendor --prefix "$tmp/a space" 2>"$tmp/said" || status+=$?
  grep 'a path with a space' "$tmp/said"
  CC=false vendor --prefix "$tmp/empty" 2>"$tmp/said" || status+=$?
  [[ $status == 1111 ]] || fail "status $status"
  [[ -z $(ls -A "$tmp/empty") ]] || fail "left something behind"
  pin_is_vendored
}

test_clean_and_wrong_usage() {
  local status=0
  vendor --no-such-option || status=$?
  ((status == 2)) || fail "a wrong option: status $status"
  vendor --help | grep -q LIBURING_TARBALL
  pin_is_vendored
  vendor --clean
  nothing_is_vendored
}

# --- Running them ----------------------------------------------------------------------------------------------------

passed=0
failed=0

# check CASE: in a shell of its own, so that the first command that fails ends it.
check() {
  local status=0 name=${1#test_}
  (trap - EXIT; set -m; "$1") >"$tmp/log" 2>&1 &
  job=$!
  wait "$job" || status=$?
  job=
  if ((status == 0)); then
    passed=$((passed + 1))
    echo "ok: ${name//_/ }"
  else
    failed=$((failed + 1))
    echo "FAILED: ${name//_/ }, with status $status after"
    tail -n 20 "$tmp/log" | sed 's/^/    /'
  fi
}

mkdir -p "$tmp/scripts" "$tmp/third_party" "$seed/third_party"
cp scripts/vendor-liburing.sh "$tmp/scripts"
cp third_party/liburing.lock "$lock"
check first_run
((passed == 1)) || exit 1
cp -a "$home" "$seed/third_party"
cp -a "$header" "$seed"
check another_version_with_an_apt_that_was_never_updated
((passed == 2)) || exit 1
cp -a "$XDG_CACHE_HOME" "$seed"
(($#)) || mapfile -t all < <(declare -F | sed -n 's/^declare -f \(test_\)/\1/p')
for case in "${@:-${all[@]}}"; do
  start_over
  check "$case"
done
echo "$passed passed, $failed failed"
((failed == 0))
