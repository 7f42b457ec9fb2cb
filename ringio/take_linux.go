//go:build linux

package ringio

import (
	"net"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Sockets are made by net, which looks names up, tries addresses in turn and knows the
// options. Then they are taken: the ring gets a descriptor of its own, and net's is
// closed. So the runtime's poller has nothing to do with them any more. What can't be
// taken, for want of a ring or of a descriptor, stays net's.

// taken returns what takes the place of one of net's connections, or that itself. dialled says
// whether it was made by dialling.
func taken[C any](e *Engine, c C, err error, dialled bool) (C, error) {
	if err != nil {
		var none C
		return none, err
	}
	var instead any
	switch of := any(c).(type) {
	case *net.TCPConn:
		if s := take(e, of, dialled); s != nil {
			instead = &tcpConn{conn{s}}
		}
	case *net.UnixConn:
		if s := take(e, of, dialled); s != nil {
			instead = &unixConn{conn{s}}
		}
	case *net.UDPConn:
		if s := take(e, of, dialled); s != nil {
			instead = &udpConn{conn{s}}
		}
	}
	if instead == nil {
		return c, nil
	}
	return instead.(C), nil
}

// takenListener is taken for listeners. keepAlive is what is set for TCP's connections,
// unlink what is done with the file of a Unix socket at the end.
func takenListener(e *Engine, l net.Listener, err error, keepAlive net.KeepAliveConfig, unlink bool) (net.Listener, error) {
	if err != nil {
		return nil, err
	}
	switch of := l.(type) {
	case *net.TCPListener:
		if s := take(e, of, false); s != nil {
			return &listener{s: s, keepAlive: keepAlive}, nil
		}
	case *net.UnixListener:
		of.SetUnlinkOnClose(false)
		if s := take(e, of, false); s != nil {
			return &unixListener{listener: listener{s: s}, unlink: unlink}, nil
		}
		of.SetUnlinkOnClose(unlink)
	}
	return l, nil
}

// endpoint is what net's connections and listeners are.
type endpoint interface {
	syscall.Conn
	Close() error
}

// take makes a socket of one of net's, which is closed then. It returns nil if that
// can't be, and leaves net's as it is.
func take(e *Engine, of endpoint, dialled bool) *socket {
	ring := e.pick()
	if ring == nil || ring.closed() {
		return nil
	}
	fd, err := duplicate(of)
	if err != nil {
		return nil
	}
	family, err1 := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	kind, err2 := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err1 != nil || err2 != nil {
		unix.Close(fd)
		return nil
	}
	s := newSocket(ring, fd, family, kind, "")
	switch of := of.(type) {
	case net.Conn:
		s.local, s.remote = of.LocalAddr(), of.RemoteAddr()
	case net.Listener:
		s.local = of.Addr()
	}
	s.dialled = dialled && s.remote != nil // DialUnix may have only a local address
	of.Close()
	if closed, ok := of.Close().(*net.OpError); ok { // which tells the network it was made for
		s.network = closed.Net
	}
	return s
}

// closed reports whether the engine is shut down.
func (e *engine) closed() bool {
	return e.shut.Load()
}

// duplicate returns another descriptor of a socket.
func duplicate(of syscall.Conn) (fd int, err error) {
	raw, err := of.SyscallConn()
	if err != nil {
		return -1, err
	}
	if failed := raw.Control(func(its uintptr) {
		fd, err = unix.FcntlInt(its, unix.F_DUPFD_CLOEXEC, 0)
	}); failed != nil {
		return -1, failed
	}
	runtime.KeepAlive(of)
	return fd, err
}

// addr makes net's address of the kernel's.
func (s *socket) addr(sa unix.Sockaddr) net.Addr {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return tcpAddr(sa.Addr[:], sa.Port, 0)
	case *unix.SockaddrInet6:
		return tcpAddr(sa.Addr[:], sa.Port, sa.ZoneId)
	case *unix.SockaddrUnix:
		return &net.UnixAddr{Name: sa.Name, Net: s.network}
	}
	return nil
}

// tcpAddr makes an address of one piece of memory.
func tcpAddr(ip []byte, port int, zone uint32) *net.TCPAddr {
	a := new(struct {
		net.TCPAddr
		ip [net.IPv6len]byte
	})
	n := copy(a.ip[:], ip)
	a.IP, a.Port = a.ip[:n:n], port
	if zone != 0 {
		a.Zone = zoneName(zone)
	}
	return &a.TCPAddr
}
