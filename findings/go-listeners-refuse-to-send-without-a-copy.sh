#!/usr/bin/env bash
# Question: a Go server has accepted a connection of plain TCP; MSG_ZEROCOPY works there. Does io_uring send through it
# without a copy (IORING_OP_SEND_ZC)?
# One would guess: yes, it is the same in the kernel.
# True: no. Since Go 1.24 net.Listen listens for Multipath TCP where the kernel has that. A client of plain TCP, which is
# the rule, gets a connection of plain TCP all the same; but the mark on a socket that io_uring asks for (SOCK_SUPPORT_ZC)
# is inherited from the listener, and one for Multipath TCP has none. SetMultipathTCP(false) of a net.ListenConfig, or
# GODEBUG=multipathtcp=0, has TCP listened for. A connection that is Multipath TCP itself refuses both.
# Seen with Linux 6.18.44, go1.26.8, golang.org/x/sys v0.48.0, github.com/pawelgaczynski/giouring
# v0.0.0-20230826085535-69588b89acb9:
#  > listener MPTCP, client TCP, connection TCP:
#  >   write:                     sent
#  >   SO_ZEROCOPY, MSG_ZEROCOPY: sent
#  >   io_uring, SEND_ZC:         operation not supported
#  > listener MPTCP, client MPTCP, connection MPTCP:
#  >   write:                     sent
#  >   SO_ZEROCOPY, MSG_ZEROCOPY: operation not supported
#  >   io_uring, SEND_ZC:         operation not supported
#  > listener TCP, client TCP, connection TCP:
#  >   write:                     sent
#  >   SO_ZEROCOPY, MSG_ZEROCOPY: sent
#  >   io_uring, SEND_ZC:         sent
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOPATH=$work/go GOFLAGS=-modcacherw GOTOOLCHAIN=local GOWORK=off

cat >main.go <<'EOF'
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"
)

var text = make([]byte, 16<<10)

func main() {
	for _, multipath := range []bool{true, false} {
		var config net.ListenConfig
		if !multipath {
			config.SetMultipathTCP(false) // it is on in net.Listen too
		}
		listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
		check(err)
		try(listener, unix.IPPROTO_TCP)
		if multipath {
			try(listener, unix.IPPROTO_MPTCP)
		}
		check(listener.Close())
	}
}

// try has a client connect, and sends to it in three ways.
func try(listener net.Listener, proto int) {
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, proto)
	check(err)
	defer unix.Close(client)
	port := listener.Addr().(*net.TCPAddr).Port
	check(unix.Connect(client, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}))
	conn, err := listener.Accept()
	check(err)
	defer conn.Close()
	fmt.Printf("listener %s, client %s, connection %s:\n", protocol(listener.(*net.TCPListener)), names[proto], protocol(conn.(*net.TCPConn)))
	use(conn.(*net.TCPConn), func(fd int) {
		_, err := unix.Write(fd, text)
		say("write", err)
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ZEROCOPY, 1)
		if err == nil {
			_, err = unix.SendmsgN(fd, text, nil, nil, unix.MSG_ZEROCOPY)
		}
		say("SO_ZEROCOPY, MSG_ZEROCOPY", err)
		say("io_uring, SEND_ZC", sendZC(fd))
	})
}

// sendZC returns the error of the send's completion.
func sendZC(fd int) error {
	ring, err := giouring.CreateRing(8)
	check(err)
	defer ring.QueueExit()
	ring.GetSQE().PrepareSendZC(fd, text, 0, 0)
	_, err = ring.Submit()
	check(err)
	cqe, err := ring.WaitCQE()
	check(err)
	if cqe.Res < 0 {
		return unix.Errno(-cqe.Res)
	}
	return nil
}

func say(how string, err error) {
	if err == nil {
		err = errors.New("sent")
	}
	fmt.Printf("  %-26s %v\n", how+":", err)
}

var names = map[int]string{unix.IPPROTO_TCP: "TCP", unix.IPPROTO_MPTCP: "MPTCP"}

func protocol(c syscall.Conn) string {
	number := 0
	use(c, func(fd int) { number, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL) })
	return names[number]
}

func use(c syscall.Conn, f func(fd int)) {
	raw, err := c.SyscallConn()
	check(err)
	check(raw.Control(func(fd uintptr) { f(int(fd)) }))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
EOF
go mod init finding 2>log || { cat log >&2; exit 2; }
go get golang.org/x/sys@v0.48.0 github.com/pawelgaczynski/giouring@v0.0.0-20230826085535-69588b89acb9 2>log || { cat log >&2; exit 2; }
go build -ldflags=-checklinkname=0 -o program . # giouring reaches into package syscall
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "with $(go env GOVERSION) on Linux $(uname -r)" - seen
echo 'still so'
