#!/usr/bin/env bash
# Question: what is SO_RCVLOWAT of a TCP connection that a Go program has accepted?
# One would guess: 1, the default, and what the program's net.ListenConfig.Control has set for the listener otherwise.
# True: 0, whatever was set. Go's listeners are Multipath TCP's since Go 1.24; what such a listener accepts from a peer that
# knows only TCP is a plain TCP socket, and that has not got the listener's mark, nor the default. A listener without
# Multipath TCP hands it on, and a fresh or a connected socket has 1. (0 works like 1; but a program that compares with 1 to
# see whether the mark was changed is wrong.)
# Seen with Linux 6.18.44, go1.26.8:
#  > connected: 1
#  > accepted, nothing set: multipath listener 0, plain listener 1
#  > accepted, 4 set on the listener: multipath listener 0, plain listener 4
#  > what was accepted uses multipath: false
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOTOOLCHAIN=local GOWORK=off

cat >main.go <<'EOF'
package main

import (
	"context"
	"fmt"
	"net"
	"syscall"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// mark is the SO_RCVLOWAT of a connection.
func mark(c syscall.Conn) (mark int) {
	raw, err := c.SyscallConn()
	check(err)
	check(raw.Control(func(fd uintptr) {
		mark, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT)
	}))
	check(err)
	return mark
}

// accept returns both ends of a connection to a listener with that mark, 0 to leave it.
func accept(multipath bool, set int) (connected, accepted *net.TCPConn) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		failed := c.Control(func(fd uintptr) {
			if set != 0 {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, set)
			}
		})
		if err == nil {
			err = failed
		}
		return err
	}}
	if !multipath {
		lc.SetMultipathTCP(false) // true is the default
	}
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	check(err)
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	check(err)
	a, err := l.Accept()
	check(err)
	return c.(*net.TCPConn), a.(*net.TCPConn)
}

func main() {
	connected, accepted := accept(true, 0)
	_, plain := accept(false, 0)
	fmt.Println("connected:", mark(connected))
	fmt.Printf("accepted, nothing set: multipath listener %d, plain listener %d\n", mark(accepted), mark(plain))
	_, marked := accept(true, 4)
	_, plainMarked := accept(false, 4)
	fmt.Printf("accepted, 4 set on the listener: multipath listener %d, plain listener %d\n", mark(marked), mark(plainMarked))
	uses, err := accepted.MultipathTCP()
	check(err)
	fmt.Println("what was accepted uses multipath:", uses)
}
EOF
cat >go.mod <<'EOF'
module finding

go 1.26
EOF
go build -o program .
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "on Linux $(uname -r), $(go env GOVERSION)" - seen
echo 'still so'
