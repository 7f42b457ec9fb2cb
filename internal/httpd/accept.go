package httpd

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// listen returns a listening socket that is the caller's to close.
func listen(addr string) (fd int, at net.Addr, err error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return 0, nil, err
	}
	defer l.Close()
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		return 0, nil, err
	}
	controlErr := raw.Control(func(own uintptr) {
		fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0)
		if err == nil { // for the connections too, which inherit it
			err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		}
	})
	if err == nil {
		err = controlErr
	}
	return fd, l.Addr(), err
}

// acceptPause is how long no client is let in after that has failed, for want of
// descriptors, say.
const acceptPause = 50 * time.Millisecond

// door is where clients come in.
type door struct {
	listener int
	request  liburing.Token
	open     bool // a request to accept is in flight, or will be
	peer     liburing.Sockaddr
}

// clientAddr returns the address of who has come in last.
func (d *door) clientAddr() netip.AddrPort {
	at := d.peer.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

// accept lets the next client in if there is room for it. Those that find none
// wait in the listener's queue.
func (s *Server) accept() {
	d := &s.door
	if d.open || s.stopping || len(s.conns) >= s.options.MaxConns {
		return
	}
	d.open = true
	d.peer.Reset()
	d.request = s.loop.Accept(d.listener, &d.peer, unix.SOCK_CLOEXEC, s.accepted).Token()
}

func (s *Server) accepted(done liburing.Completion) {
	s.door.open = false
	fd, err := done.Result()
	if err == nil {
		c := &conn{server: s, fd: fd, peer: s.door.clientAddr(), answer: noAnswer}
		s.conns[c] = struct{}{}
		c.receive()
	}
	switch {
	case s.stopping:
		s.shutDoor()
	case err != nil:
		s.door.open = true
		s.report("accept a connection", err)
		s.loop.After(acceptPause, func() {
			s.door.open = false
			s.accept()
		})
	default:
		s.accept()
	}
}

// shutDoor closes the listener when no request uses it any more: who wants in
// from now on is refused.
func (s *Server) shutDoor() {
	if s.door.open {
		s.loop.Cancel(s.door.request, 0, nil)
		return
	}
	if s.door.listener > 0 {
		s.closeFD(s.door.listener)
		s.door.listener = 0
	}
}
