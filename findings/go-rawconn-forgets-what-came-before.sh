#!/usr/bin/env bash
# Question: syscall.RawConn.Read calls a function, waits until the descriptor is readable if that returns false, and calls
# it again. A reader knows that its last read has emptied the socket. May the function return false at once then, without
# the read that would say EAGAIN?
# One would guess: yes: it says that it has to wait, and what has come since makes the descriptor readable.
# True: no. The poller is told of an arrival once (EPOLLET), and Read forgets what it was told before it calls the function:
# of what came between two Reads it then waits for ever. The function has to try first, each time.
# Seen with Linux 6.18.44, go1.26.8:
#  > a function that tries first:       read 1 byte
#  > a function that knows it must wait: i/o timeout, with 1 byte in the socket
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOTOOLCHAIN=local GOWORK=off

cat >main.go <<'EOF'
package main

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	peer, err := net.Dial("tcp", l.Addr().String())
	check(err)
	conn, err := l.Accept()
	check(err)
	raw, err := conn.(*net.TCPConn).SyscallConn()
	check(err)
	fmt.Println("a function that tries first:      ", read(conn, peer, raw, false))
	fmt.Println("a function that knows it must wait:", read(conn, peer, raw, true))
}

// read has a byte come while nobody reads, and then reads it.
func read(conn, peer net.Conn, raw syscall.RawConn, waits bool) string {
	peer.Write([]byte("x"))
	time.Sleep(100 * time.Millisecond) // the poller is told of it
	conn.SetReadDeadline(time.Now().Add(time.Second))
	n, buf := 0, make([]byte, 8)
	err := raw.Read(func(fd uintptr) bool {
		if waits {
			waits = false
			return false
		}
		var err error
		n, err = syscall.Read(int(fd), buf)
		return err != syscall.EAGAIN
	})
	if err != nil {
		conn.SetReadDeadline(time.Time{})
		n, _ = conn.Read(buf)
		return fmt.Sprintf("i/o timeout, with %d byte in the socket", n)
	}
	return fmt.Sprintf("read %d byte", n)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
EOF
go mod init finding 2>log || { cat log >&2; exit 2; }
go build -o program .
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "with $(go env GOVERSION) on Linux $(uname -r)" - seen
echo 'still so'
