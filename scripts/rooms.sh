#!/bin/sh
# Prints the folders of the packages whose tests drive rings, of those that one of the checks runs:
#
#   debug     make test, with the tag liburing_debug
#   nocgo     make test, without cgo
#   kernels   scripts/kernels.sh: all that need no Go where they run, and measure nothing
#   docker    scripts/docker-test.sh
#   sanitize  scripts/sanitize.sh
#   musl      scripts/check.sh musl
#
# usage: rooms.sh CHECK
set -eu

case ${1-} in
debug | nocgo | kernels | docker | sanitize | musl) ;;
*) sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0" >&2 && exit 2 ;;
esac

# Each folder, and its checks.
awk -v check="$1" 'index($0, " " check) { print $1 }' <<'ROOMS'
./               debug nocgo kernels docker sanitize musl
./doctor               nocgo kernels
./examples                   kernels
./internal/httpd             kernels
./internal/survey            kernels
./loopio         debug nocgo kernels docker sanitize
./ringio         debug nocgo kernels        sanitize musl
./tests/build                               sanitize
./tests/differential                        sanitize
./tests/faults         nocgo kernels
./tests/loop     debug nocgo kernels docker sanitize musl
./tests/model    debug nocgo kernels docker sanitize
./tests/opcodes  debug nocgo kernels docker sanitize musl
./tests/register debug nocgo kernels docker sanitize musl
./tests/ring     debug nocgo kernels docker sanitize musl
./tests/sandbox        nocgo kernels
./tests/soak           nocgo kernels docker sanitize
./tests/zcrx                 kernels
./uringtest            nocgo
ROOMS
