#!/usr/bin/env bash
# Where the processor's time goes, by perf: shares of it that the program with its library, io_uring, the entry to the
# kernel, its scheduler and the rest of it have, for no-ops, an echo server and reads of a disk. The table is that of
# docs/profile.md. It takes two processors that have nothing else to do, root, and a minute.
#
# usage: profile.sh [CASE…]   nop-BATCH, echo-CONNECTIONS, read-DEPTH; without an argument
#                             nop-1 nop-32 echo-64 echo-1000 read-16 read-64
#
# Settings, all optional:
#   SECONDS_EACH=2   how long each program runs
set -euo pipefail
cd "$(dirname "$0")/.."

readonly each=${SECONDS_EACH:-2}
export GOMAXPROCS=2 # as the benchmarks have it: with one, Go's monitor takes it away at each longer wait
bin=$(mktemp -d)
server=
trap 'stop_server; rm -rf "$bin"' EXIT

stop_server() { [[ -z $server ]] || { kill "$server" && wait "$server"; } 2>/dev/null || true; server=; }

build() {
  scripts/deps.sh
  command -v perf >/dev/null || apt-get install -y -qq --no-install-recommends linux-perf >/dev/null
  local name
  for name in nop echo-client echo-pipelined randread; do
    gcc -O2 -o "$bin/c-$name" "bench/c/$name.c" -Ithird_party/liburing/include -Lthird_party/liburing/lib -luring
  done
  go build -o "$bin/" ./bench/nop ./bench/randread ./bench/goservers ./examples/echo-server
}

# record PROGRAM COMMAND…: the command, on the second processor, under perf.
record() {
  local program=$1
  shift
  perf record -q -e cpu-clock -F 5000 -o "$bin/perf" -- taskset -c 1 "$@" >"$bin/said"
  row "$program" "$(basename "$1")"
}

# record_server PROGRAM CONNECTIONS COMMAND…: a server on the first processor that the client on the second one asks.
record_server() {
  local program=$1 connections=$2
  shift 2
  taskset -c 0 "$@" >/dev/null &
  server=$!
  sleep 0.3
  taskset -c 1 "$bin/c-echo-client" -port "$port" -server "$server" -connections "$connections" -seconds "$each" >"$bin/said" &
  sleep 0.5
  perf record -q -e cpu-clock -F 5000 -C 0 -o "$bin/perf" -- sleep "$(awk "BEGIN { print $each / 2 }")"
  wait $!
  stop_server
  row "$program" "$(basename "$1")"
}

# row PROGRAM COMMAND: a line of the table, of what perf has recorded of the command and the command has said.
row() {
  local cpu
  cpu=$(grep -o '\<cpu_us_per_[a-z]*=[0-9.]*' "$bin/said" | head -n 1 | cut -d= -f2)
  perf report -i "$bin/perf" --stdio --comm "${2:0:15}" --sort dso,sym --percentage relative 2>/dev/null |
    awk -v what="$what" -v program="$1" -v cpu="$cpu" '
      !/%/ || /^#/ { next }
      { share = $1 + 0; all += share; symbol = $NF }
      $2 !~ /kernel/ { own += share; next }
      symbol ~ /^(__)?(io_|req_)/ { ring += share; next }
      symbol ~ /^(entry_|syscall_|do_syscall|x64_sys|__x64_sys|exit_to_user|fdget|fget|fput|ksys_|vfs_)/ { enter += share; next }
      symbol ~ /sched|futex|wake|ttwu|pick_|enqueue|dequeue|switch|^ep_|epoll|hrtimer|idle/ { wake += share }
      END {
        rest = all - own - ring - enter - wake
        printf "| %s | %s | %.3g |", what, program, cpu
        cell(own); cell(ring); cell(enter); cell(wake); cell(rest)
        print ""
      }
      function cell(part) { printf " %.3g (%.0f %%) |", cpu * part / all, 100 * part / all }'
}

nop() {
  record C "$bin/c-nop" -mode "loop" -batch "$1" -seconds "$each"
  record Loop "$bin/nop" -mode loop -batch "$1" -seconds "$each"
}

echo_server() {
  port=$((20000 + RANDOM % 10000))
  record_server C "$1" "$bin/c-echo-pipelined" plain "$port"
  record_server Loop "$1" "$bin/echo-server" -addr "127.0.0.1:$port"
  record_server ringio "$1" "$bin/goservers" -on ringio -procs 1 -addr "127.0.0.1:$port"
  record_server net "$1" "$bin/goservers" -on net -procs 1 -addr "127.0.0.1:$port"
}

randread() {
  local file=bench/tmp/randread.data
  [[ -e $file ]] || { mkdir -p bench/tmp && head -c 2G /dev/urandom >"$file"; }
  record C "$bin/c-randread" -file "$file" -depth "$1" -seconds "$each"
  record Loop "$bin/randread" -file "$file" -depth "$1" -seconds "$each"
  record ringio "$bin/randread" -file "$file" -depth "$1" -seconds "$each" -mode ringio -procs 1
  record os.File "$bin/randread" -file "$file" -depth "$1" -seconds "$each" -mode os
}

[[ ${1-} != -* ]] || { sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
build
echo "| what | by | µs of processor time | program and library | io_uring | entering the kernel | waking, scheduling | the rest of the kernel |"
echo "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
[[ $# != 0 ]] || set -- nop-1 nop-32 echo-64 echo-1000 read-16 read-64
for what; do
  case $what in
    nop-*) nop "${what#*-}" ;;
    echo-*) echo_server "${what#*-}" ;;
    read-*) randread "${what#*-}" ;;
    *) sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
  esac
done
