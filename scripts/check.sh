#!/usr/bin/env bash
# Everything that can be found out about the module on this machine, part by part, and a table at the end. What the
# whole of it takes is hours; `make test` and `make lint` are for every day.
#
# usage: check.sh [PART…]   those alone; without an argument all
#        check.sh --list    what there is
#
# A part that can't run here counts as skipped, with the reason, never as passed. What a part prints is kept in the
# folder go-liburing/check of the cache (XDG_CACHE_HOME, ~/.cache), and shown where it fails.
#
# Settings, all optional:
#   FUZZTIME=60s   how long each fuzz target runs
set -euo pipefail
set -m # Ctrl-C reaches this script alone, which then ends its job as a whole
cd "$(dirname "$0")/.."

readonly logs=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/go-liburing/check
readonly cannot=77 # the status of a part that can't run here, after saying why
job=

# Each part, and what it is. There is a function part_NAME for each, which runs by itself.
readonly parts="
vet          go vet, gofmt
generated    generated files are not stale
builds       the builds without Linux, without cgo, and for other processors
test         the suite
staticcheck  staticcheck
shellcheck   shellcheck
race         the suite with the race detector
nocgo        the suite without cgo
32bit        the suite on 386, without cgo
cgocheck2    the suite with Go's check of pointers in C memory
checkptr     the suite with Go's check of unsafe pointers
asan         the suite and liburing with the address sanitizer and LeakSanitizer
analyzer     the C compiler's analyzer over liburing_cgo.h
govulncheck  known vulnerabilities in what is used
fuzz         each fuzz target for a minute
sandbox      io_uring refused, in part or altogether, and scarce
musl         the suite, static, with musl
vendor       scripts/vendor-liburing.sh
nested       the modules of their own
docker       an image, and a service in it, under Docker's seccomp profiles
soak         a quarter of an hour of everything
long         4 GiB copied and compared, and more than one call reads
kernels      the suite on Linux 5.10, 6.1, 6.12 and 7.x
arm64        the suite on arm64, with pages of 4 and 16 KiB
others       the suite on s390x and riscv64, without cgo
"

part_vet() { make vet; }
part_generated() { make generated; }
part_builds() { make other-builds; }
part_test() { go test -timeout 20m ./...; }
part_staticcheck() { scripts/lint.sh staticcheck; }
part_shellcheck() { scripts/lint.sh shellcheck; }
part_race() {
  go test -timeout 20m -race ./...
  go test -timeout 20m -race -tags liburing_go ./tests/model ./uringtest
}
part_nocgo() { of_rooms nocgo env CGO_ENABLED=0 go test -timeout 20m; }
part_32bit() {
  [[ $(go env GOHOSTARCH) == amd64 ]] || skip "a processor of $(go env GOHOSTARCH) runs nothing of 386"
  of_rooms nocgo env CGO_ENABLED=0 GOARCH=386 go test -timeout 20m
}
part_cgocheck2() { scripts/sanitize.sh cgocheck2; }
part_checkptr() { scripts/sanitize.sh checkptr; }
part_asan() { scripts/sanitize.sh asan; }
part_analyzer() {
  local flags=(-x c -D_GNU_SOURCE -I. -isystem third_party/liburing/include -o /dev/null liburing_cgo.h)
  if command -v clang >/dev/null || scripts/deps.sh clang; then
    clang --analyze -Xclang -analyzer-werror -Xanalyzer -analyzer-output=text "${flags[@]}"
  else
    echo "no clang is to be had: gcc's own"
    gcc -fanalyzer -Werror -c "${flags[@]}"
  fi
}
part_govulncheck() {
  local status=0
  go run golang.org/x/vuln/cmd/govulncheck@v1.1.4 ./... 2>&1 | tee "$logs/govulncheck.said" || status=$?
  ((status == 0)) && return
  ! grep -q 'fetching vulnerabilities' "$logs/govulncheck.said" ||
    skip "the database of vulnerabilities, https://vuln.go.dev, can't be reached"
  return "$status"
}
part_fuzz() {
  local package target
  while read -r package target; do
    echo "$target of $package"
    fuzz "$package" "$target" || return
  done < <(fuzz_targets)
}
part_sandbox() { go test -count=1 -v ./tests/sandbox; }
part_musl() {
  command -v musl-gcc >/dev/null || tool musl-gcc musl-tools
  of_rooms musl scripts/musl.sh go test -timeout 20m
}
part_vendor() { scripts/vendor-liburing-test.sh; }
part_nested() { make nested; }
part_docker() {
  [[ -n ${DOCKER_HOST-} || $(id -u) == 0 ]] || docker version >/dev/null 2>&1 ||
    skip "no Docker engine is running, and this is not root to start one"
  scripts/docker-test.sh
}
part_soak() { make soak; }
part_long() {
  local dir=${TMPDIR:-/tmp} disk memory
  disk=$(df --output=avail --block-size=1G "$dir" | tail -n 1)
  memory=$(awk '/^MemAvailable:/ { print int($2 / 1024 / 1024) }' /proc/meminfo)
  ((disk >= 16)) || skip "the files take 13 GiB, and $dir has $((disk))"
  ((memory >= 4)) || skip "a slice takes 2 GiB, and there are $memory"
  go test -count=1 -v -timeout 60m -run '^(TestFileCopy|TestFileLongSlice)$' ./ringio -long
}
part_kernels() {
  emulator qemu-system-x86_64
  scripts/kernels.sh
}
part_arm64() {
  emulator qemu-system-aarch64
  make arm64
}

part_others() {
  emulator qemu-system-s390x
  emulator qemu-system-riscv64
  BACKEND=go scripts/kernels.sh trixie:s390x trixie:riscv64
}

# of_rooms CHECK COMMAND…: the command with the packages of one of scripts/rooms.sh's checks.
of_rooms() {
  local rooms
  mapfile -t rooms < <(scripts/rooms.sh "$1")
  shift
  "$@" "${rooms[@]}"
}

# fuzz_targets: prints each package that has some, with one of them.
fuzz_targets() {
  local package
  for package in $(git ls-files '*_test.go' | xargs grep -l '^func Fuzz' | xargs -n 1 dirname | sort -u); do
    sed -n "s/^func \(Fuzz[A-Za-z0-9_]*\)(.*/.\/${package//\//\\/} \1/p" "$package"/*_test.go
  done
}

# fuzz PACKAGE TARGET: fails if an input does. Go's fuzzer may call the end of its own time a failure, if an input is
# running then: it says just "context deadline exceeded" (go.dev/issue/75804), and writes no input.
fuzz() {
  local status=0 said=$logs/$2.said
  go test -run '^$' -fuzz "^$2\$" -fuzztime "${FUZZTIME:-60s}" "$1" | tee "$said" || status=$?
  ((status == 0)) || ! ended_by_time "$said" || { echo "its time ended while an input ran: no failure"; status=0; }
  return "$status"
}

# ended_by_time FILE: whether all that the fuzzer called a failure there is that its time was over.
ended_by_time() {
  awk '/^--- FAIL/ { getline; over = $0 ~ /^ *context deadline exceeded$/; getline; over = over && $0 == "FAIL" } END { exit !over }' "$1"
}

skip() { echo "$*"; exit "$cannot"; }

# tool COMMAND PACKAGE: installs Debian's package of the command.
tool() {
  [[ $(id -u) == 0 && -e /etc/debian_version ]] ||
    skip "$1 is missing: install Debian's package $2, or run this as root on Debian"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null ||
    skip "$1 is missing, and apt-get could not install the package $2"
}

# emulator COMMAND: the kernels' scripts install it themselves, if they can.
emulator() {
  command -v "$1" >/dev/null || [[ $(id -u) == 0 && -e /etc/debian_version ]] ||
    skip "$1 is missing: install it, or run this as root on Debian"
}

names() { awk 'NF { print $1 }' <<<"$parts"; }

usage() { sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0"; }

# row: a line of the table, in its widths.
row() { printf '%-12s %-8s %8s  %s\n' "$@"; }

# run PART: prints how it went, and notes it for the table.
run() {
  local part=$1 log=$logs/$1.log began=$SECONDS status=0 result advice=
  printf '%-12s ' "$part"
  (set -e; "part_$part") </dev/null >"$log" 2>&1 &
  job=$!
  wait "$job" || status=$?
  job=
  case $status in
    0) result=passed ;;
    "$cannot") result=skipped advice=$(tail -n 1 "$log") ;;
    *) result=FAILED advice="see $log; again: make check PART=$part" ;;
  esac
  printf '%s, %d s\n' "$result" $((SECONDS - began))
  [[ $result != FAILED ]] || tail -n 40 "$log"
  table+=("$(row "$part" "$result" $((SECONDS - began)) "$advice")")
  counts[$result]=$((${counts[$result]-0} + 1))
}

case ${1-} in
  -h | --help) usage; exit ;;
  --list) sed '/^$/d' <<<"$parts"; exit ;;
esac
wanted=("$@")
(($#)) || mapfile -t wanted < <(names)
for part in "${wanted[@]}"; do
  names | grep -qx -e "$part" || { echo "check: there is no part $part: see check.sh --list" >&2; exit 2; }
done

trap '[[ -z $job ]] || kill -- "-$job" 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$logs"
scripts/deps.sh
scripts/vendor-liburing.sh
declare -A counts=()
table=()
for part in "${wanted[@]}"; do run "$part"; done
echo
row part result seconds 'what to do'
printf '%s\n' "${table[@]}"
echo
echo "${counts[passed]-0} passed, ${counts[skipped]-0} skipped, ${counts[FAILED]-0} failed"
((${counts[FAILED]-0} == 0))
