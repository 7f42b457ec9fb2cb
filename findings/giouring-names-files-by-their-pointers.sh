#!/usr/bin/env bash
# Question: giouring is liburing in pure Go, function by function. Do its operations on names do what liburing's do?
# One would guess: yes: PrepareOpenat and its like take the name as []byte, with a NUL at the end.
# True: they hand the kernel the address of the slice's header instead of that of its bytes. So the kernel takes the bytes
# of a pointer for the name: what is there is not found, and mkdirat succeeds and makes a folder with such a name. The
# timeout has the same fault with its Timespec, and does not fire. Operations that take an address as a number, such as
# read, are right, because the caller makes it. Beside that it links only with -checklinkname=0: it refers to functions
# of Go's own packages that are not exported.
# Seen with Linux 6.18.44, go1.26.8, github.com/pawelgaczynski/giouring v0.0.0-20230826085535-69588b89acb9:
#  > go build: refused by the linker; with -checklinkname=0: works
#  > read:     5
#  > openat:   no such file or directory
#  > openat2:  no such file or directory
#  > statx:    no such file or directory
#  > mkdirat:  0
#  > the folder "made" is there: false, another one: true
#  > timeout of 10 ms: has not fired after 500 ms
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOPATH=$work/go GOFLAGS=-modcacherw GOTOOLCHAIN=local GOWORK=off

cat >main.go <<'EOF'
package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"
)

const (
	atCwd = unix.AT_FDCWD
	limit = 500 * time.Millisecond
)

var ring *giouring.Ring

func main() {
	check(os.Mkdir("folder", 0o700))
	check(os.Chdir("folder"))
	check(os.WriteFile("there", []byte("hello"), 0o600))
	fd, err := unix.Open("there", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	check(err)
	ring, err = giouring.CreateRing(8)
	check(err)

	there, made, buf := []byte("there\x00"), []byte("made\x00"), make([]byte, 8)
	run("read:    ", func(sqe *giouring.SubmissionQueueEntry) {
		sqe.PrepareRead(fd, uintptr(unsafe.Pointer(&buf[0])), uint32(len(buf)), 0)
	})
	run("openat:  ", func(sqe *giouring.SubmissionQueueEntry) { sqe.PrepareOpenat(atCwd, there, unix.O_RDONLY, 0) })
	run("openat2: ", func(sqe *giouring.SubmissionQueueEntry) { sqe.PrepareOpenat2(atCwd, there, &unix.OpenHow{}) })
	run("statx:   ", func(sqe *giouring.SubmissionQueueEntry) {
		sqe.PrepareStatx(atCwd, there, 0, unix.STATX_SIZE, &unix.Statx_t{})
	})
	run("mkdirat: ", func(sqe *giouring.SubmissionQueueEntry) { sqe.PrepareMkdirat(atCwd, made, 0o700) })
	entries, err := os.ReadDir(".")
	check(err)
	_, err = os.Stat("made")
	fmt.Printf("the folder \"made\" is there: %v, another one: %v\n", err == nil, err != nil && len(entries) == 2)
	run("timeout of 10 ms:", func(sqe *giouring.SubmissionQueueEntry) {
		sqe.PrepareTimeout(&syscall.Timespec{Nsec: int64(10 * time.Millisecond)}, 0, 0)
	})
}

// run prints the request's result, or that there is none within the limit.
func run(name string, prepare func(*giouring.SubmissionQueueEntry)) {
	prepare(ring.GetSQE())
	_, err := ring.Submit()
	check(err)
	ts := syscall.NsecToTimespec(limit.Nanoseconds())
	cqe, err := ring.WaitCQETimeout(&ts)
	switch {
	case err != nil:
		fmt.Println(name, "has not fired after 500 ms")
		return
	case cqe.Res < 0:
		fmt.Println(name, syscall.Errno(-cqe.Res))
	default:
		fmt.Println(name, cqe.Res)
	}
	ring.CQESeen(cqe)
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
get go get github.com/pawelgaczynski/giouring@v0.0.0-20230826085535-69588b89acb9
linker=works
go build -o program . 2>log || linker='refused by the linker'
go build -ldflags=-checklinkname=0 -o program .
{
  echo "go build: $linker; with -checklinkname=0: works"
  timeout 60 ./program
} >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "with $(go env GOVERSION) on Linux $(uname -r)" - seen
echo 'still so'
