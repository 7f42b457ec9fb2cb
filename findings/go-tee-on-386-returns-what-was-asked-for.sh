#!/usr/bin/env bash
# Question: what does unix.Tee of golang.org/x/sys return in a program for 386, when a pipe has 5 bytes and 10 are asked for?
# One would guess: 5, as in a program for amd64.
# True: 5 in the lower half of its int64, and what was asked for in the upper: the system call returns 32 bits, and the
# wrapper takes another register for the rest, in which the kernel leaves the length. So an empty pipe, of which tee returns
# 0, looks as if there were bytes. Only int32(n) can be relied on.
# Seen with golang.org/x/sys v0.48.0, go1.26.8, Linux 6.18.44:
#  > amd64: 5 bytes, 10 wanted: 5; no bytes and no writer: 0
#  > 386: 5 bytes, 10 wanted: 42949672965 (lower half 5); no bytes and no writer: 42949672960 (lower half 0)
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0

cat >main.go <<'EOF'
package main

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

func main() {
	full, empty, into := pipe(), pipe(), pipe()
	_, err := unix.Write(full[1], []byte("hello"))
	check(err)
	check(unix.Close(empty[1]))
	fmt.Printf("%s: 5 bytes, 10 wanted: %s; no bytes and no writer: %s\n", runtime.GOARCH, tee(full[0], into[1]), tee(empty[0], into[1]))
}

func tee(from, to int) string {
	n, err := unix.Tee(from, to, 10, unix.SPLICE_F_NONBLOCK)
	check(err)
	if int64(int32(n)) == n {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d (lower half %d)", n, int32(n))
}

func pipe() [2]int {
	var p [2]int
	check(unix.Pipe(p[:]))
	return p
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
EOF
get() { "$@" 2>log || { cat log >&2; exit 2; }; }
get go mod init finding
get go get golang.org/x/sys@v0.48.0
for arch in amd64 386; do
	GOARCH=$arch go build -o program-$arch .
	./program-$arch
done >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "with $(go env GOVERSION) on Linux $(uname -r)" - seen
echo 'still so'
