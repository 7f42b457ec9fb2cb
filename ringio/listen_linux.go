//go:build linux

package ringio

import (
	"context"
	"net"
	"os"
	"runtime/trace"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// listener is a SocketListener on the ring.
type listener struct {
	s         *socket
	keepAlive net.KeepAliveConfig // of TCP's connections
	lent      atomic.Bool         // File was called: the socket may be a blocking one now
	last      net.Addr            // the local address of the last connection, see localOf
}

func (l *listener) Accept() (net.Conn, error) {
	w := l.s.engine.watch
	if w.watches() {
		defer trace.StartRegion(context.Background(), kindRegions[kindAccept]).End()
	}
	began := w.begin()
	c, err := l.accept()
	w.end(kindAccept, began)
	if err != nil {
		return nil, l.s.setError("accept", err)
	}
	return c, nil
}

// accept takes a connection that is there, or waits for one. None is taken in advance,
// so none is lost with a deadline or Close.
func (l *listener) accept() (net.Conn, error) {
	if err := l.s.begin(&l.s.in); err != nil {
		return nil, err
	}
	defer l.s.end(&l.s.in)
	for {
		if err := l.s.ready(&l.s.in); err != nil {
			return nil, err
		}
		fd, peer, err := l.acceptNow()
		switch err {
		case nil:
			return l.connection(fd, peer), nil
		case unix.EINTR, unix.ECONNABORTED: // the peer has gone: the next one
		case unix.EAGAIN:
			if err := l.s.poll(&l.s.in, unix.POLLIN); err != nil {
				return nil, err
			}
		default:
			if err == unix.EMFILE && l.s.engine.few.giveBack() {
				time.Sleep(time.Millisecond) // each is closed by who waited
				continue
			}
			return nil, os.NewSyscallError("accept4", err)
		}
	}
}

// acceptNow accepts without waiting. A File's method Fd makes the socket a blocking one,
// so once there was a File it is asked before whether there is a connection.
func (l *listener) acceptNow() (fd int, peer unix.Sockaddr, err error) {
	if l.lent.Load() && !readableNow(l.s.fd) {
		return -1, nil, unix.EAGAIN
	}
	return unix.Accept4(l.s.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
}

// connection makes a connection of what was accepted.
func (l *listener) connection(fd int, peer unix.Sockaddr) net.Conn {
	s := newSocket(l.s.engine, fd, int(l.s.family), int(l.s.kind), l.s.network)
	s.local, s.remote = l.localOf(s), s.addr(peer)
	if s.family == unix.AF_UNIX {
		return &unixConn{conn{s}}
	}
	s.setBool(unix.IPPROTO_TCP, unix.TCP_NODELAY, true)
	if l.keepAlive.Enable {
		s.setKeepAlive(l.keepAlive)
	}
	return &tcpConn{conn{s}}
}

// localOf returns a connection's local address. As a rule all of a listener have the
// same, which then is there once.
func (l *listener) localOf(s *socket) net.Addr {
	sa, _ := unix.Getsockname(s.fd)
	local := s.addr(sa)
	tcp, ok := local.(*net.TCPAddr)
	if last, is := l.last.(*net.TCPAddr); ok && is && last.AddrPort() == tcp.AddrPort() {
		return last
	}
	l.last = local
	return local
}

func (l *listener) Close() error   { return l.s.setError("close", l.s.close()) }
func (l *listener) Addr() net.Addr { return l.s.local }

func (l *listener) SetDeadline(t time.Time) error { return l.s.setDeadline(t, &l.s.in, &l.s.out) }

func (l *listener) SyscallConn() (syscall.RawConn, error) { return rawListener{rawConn{l.s}}, nil }

func (l *listener) File() (*os.File, error) {
	l.lent.Store(true)
	f, err := l.s.file()
	return f, l.s.setError("file", err)
}

// unixListener is a listener whose file goes with it.
type unixListener struct {
	listener
	once   sync.Once
	unlink bool
}

// SetUnlinkOnClose says whether Close removes the socket's file, as it does if Listen
// has made it.
func (l *unixListener) SetUnlinkOnClose(unlink bool) { l.unlink = unlink }

func (l *unixListener) Close() error {
	l.once.Do(func() {
		if path := l.s.local.String(); l.unlink && path != "" && path[0] != '@' {
			unix.Unlink(path)
		}
	})
	return l.listener.Close()
}
