#!/bin/sh
# What the library does, in under a minute: a report of this kernel's io_uring, a
# file shown and a file copied through it, beside liburing's own C program.
set -eu
[ $# = 0 ] || { sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
cd "$(dirname "$0")/.."

size=256 # MiB
dir=$(mktemp -d "${TMPDIR:-/tmp}/liburing-demo.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

say() { printf '\n== %s\n' "$*"; }

go build -o "$dir/" ./examples/probe ./examples/cat ./examples/cp
tree=third_party/liburing
cc_cp=$dir/io_uring-cp
"${CC:-gcc}" -O2 -D_GNU_SOURCE -I"$tree/include" -o "$cc_cp" "$tree/src/examples/io_uring-cp.c" -L"$tree/lib" -luring

say "this kernel's io_uring"
"$dir/probe"

say "a text file through examples/cat"
"$dir/cat" LICENSE | head -n 5

say "$size MiB of random bytes, copied by examples/cp and by liburing's io_uring-cp"
head -c "${size}M" /dev/urandom >"$dir/original"

now() { date +%s%N; }
copy() { # copy NAME PROGRAM BEST: prints the shorter of BEST and this run's milliseconds
	rm -f "$dir/$1.copy"
	sync
	begin=$(now)
	"$2" "$dir/original" "$dir/$1.copy"
	took=$((($(now) - begin) / 1000000))
	if [ "$took" -lt "$3" ]; then echo "$took"; else echo "$3"; fi
}
go_ms=999999
c_ms=999999
for _ in 1 2 3; do # in turns, the best of each: a machine is never quiet
	go_ms=$(copy go "$dir/cp" "$go_ms")
	c_ms=$(copy c "$cc_cp" "$c_ms")
done

sum() { sha256sum <"$1" | cut -d' ' -f1; }
want=$(sum "$dir/original")
for name in go c; do
	got=$(sum "$dir/$name.copy")
	printf '%-12s sha256 %s\n' "$name" "$got"
	[ "$got" = "$want" ] || {
		echo "demo: the copy by $name differs from the original ($want)" >&2
		exit 1
	}
done
awk -v go="$go_ms" -v c="$c_ms" 'BEGIN {
	printf "Go, this library   %5d ms\nC, io_uring-cp     %5d ms\nratio              %5.2f (above 1: Go is faster)\n", go, c, c / (go ? go : 1)
}'
rm -rf "$dir"
printf '\ndemo: ok\n'
