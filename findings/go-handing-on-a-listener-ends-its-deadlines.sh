#!/usr/bin/env bash
# Question: a Go server hands its listener to a child process (TCPListener.File, exec.Cmd.ExtraFiles), as for a restart
# without a gap. Does its own listener stay as it was?
# One would guess: yes. File gives a duplicate, which is closed afterwards, and only the child uses it.
# True: no deadline of the parent's listener works any more. Starting the child takes the descriptor by os.File.Fd, which
# sets it to blocking; and O_NONBLOCK belongs to what both descriptors share. The same goes for Cmd.Stdin, for Fd called
# by hand (to give the number to io_uring, say), and for connections. SyscallConn changes nothing, and net.FileListener of
# the duplicate sets O_NONBLOCK again, for all of them.
# Seen with Linux 6.18.44, go1.26.8, golang.org/x/sys v0.48.0 (a deadline of 100 ms, a client comes after a second):
#  > File alone:             nonblocking true, Accept ends by its deadline
#  > File, SyscallConn:      nonblocking true, Accept ends by its deadline
#  > File, Fd:               nonblocking false, Accept waits for the client
#  > File, ExtraFiles:       nonblocking false, Accept waits for the client
#  > File, Stdin:            nonblocking false, Accept waits for the client
#  > File, Fd, FileListener: nonblocking true, Accept ends by its deadline
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOPATH=$work/go GOFLAGS=-modcacherw GOTOOLCHAIN=local GOWORK=off

cat >main.go <<'EOF'
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	try("File alone:", func(*os.File) error { return nil })
	try("File, SyscallConn:", func(f *os.File) error {
		raw, err := f.SyscallConn()
		return errors.Join(err, raw.Control(func(uintptr) {}))
	})
	try("File, Fd:", func(f *os.File) error {
		f.Fd()
		return nil
	})
	try("File, ExtraFiles:", func(f *os.File) error {
		child := exec.Command("true")
		child.ExtraFiles = []*os.File{f}
		return child.Run()
	})
	try("File, Stdin:", func(f *os.File) error {
		child := exec.Command("true")
		child.Stdin = f
		return child.Run()
	})
	try("File, Fd, FileListener:", func(f *os.File) error {
		f.Fd()
		other, err := net.FileListener(f)
		return errors.Join(err, other.Close())
	})
}

func try(name string, use func(*os.File) error) {
	any, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	defer any.Close()
	listener := any.(*net.TCPListener)
	duplicate, err := listener.File()
	check(err)
	check(use(duplicate))
	check(duplicate.Close())

	client := time.AfterFunc(time.Second, func() {
		conn, err := net.Dial("tcp", listener.Addr().String())
		check(err)
		conn.Close()
	})
	check(listener.SetDeadline(time.Now().Add(100 * time.Millisecond)))
	_, err = listener.Accept()
	how := "waits for the client"
	if errors.Is(err, os.ErrDeadlineExceeded) && client.Stop() {
		how = "ends by its deadline"
	}
	fmt.Printf("%-23s nonblocking %v, Accept %s\n", name, nonblocking(listener), how)
}

func nonblocking(listener *net.TCPListener) bool {
	raw, err := listener.SyscallConn()
	check(err)
	var flags int
	check(raw.Control(func(fd uintptr) { flags, _ = unix.FcntlInt(fd, unix.F_GETFL, 0) }))
	return flags&unix.O_NONBLOCK != 0
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
EOF
go mod init finding 2>log || { cat log >&2; exit 2; }
go get golang.org/x/sys@v0.48.0 2>log || { cat log >&2; exit 2; }
go build -o program .
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "with $(go env GOVERSION) on Linux $(uname -r)" - seen
echo 'still so'
