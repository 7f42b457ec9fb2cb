package loopio

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// Listen returns a descriptor that listens on an address, for Loop.Accept and
// Loop.MultishotAccept, and the actual address, with the port that the kernel has
// chosen for 0. The networks and addresses are those of net.Listen ("tcp", "tcp4",
// "tcp6", "unix", "unixpacket"), and so are the options (SO_REUSEADDR, the backlog;
// TCP_NODELAY, which connections inherit); for others, pass liburing.FD a listener of a
// net.ListenConfig. Unlike net it does not listen for Multipath TCP: connections of
// such a listener, even ordinary ones, refuse to send without a copy (EOPNOTSUPP).
// Close it with CloseFD.
func Listen(network, address string) (fd int, local net.Addr, err error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), network, address)
	if err != nil {
		return -1, nil, err
	}
	defer l.Close()
	if path, ok := l.(*net.UnixListener); ok {
		path.SetUnlinkOnClose(false)
	}
	if fd, err = duplicate(l.(syscall.Conn)); err == nil && l.Addr().Network() == "tcp" {
		err = noDelay(fd)
	}
	return fd, l.Addr(), err
}

// noDelay has what is sent through a TCP socket leave at once, as package net has it: a
// Writer collects by itself.
func noDelay(fd int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
}

// ListenPacket is Listen for datagrams ("udp", "udp4", "udp6", "unixgram"), like
// net.ListenPacket: for Loop.Recvmsg and Loop.RecvmsgMultishot.
func ListenPacket(network, address string) (fd int, local net.Addr, err error) {
	var config net.ListenConfig
	l, err := config.ListenPacket(context.Background(), network, address)
	if err != nil {
		return -1, nil, err
	}
	defer l.Close()
	fd, err = duplicate(l.(syscall.Conn))
	return fd, l.LocalAddr(), err
}

// duplicate returns another descriptor of the same file, one of its own.
func duplicate(c syscall.Conn) (fd int, err error) {
	fd, err = unix.FcntlInt(uintptr(liburing.FD(c)), unix.F_DUPFD_CLOEXEC, 0)
	return fd, os.NewSyscallError("fcntl", err)
}

// Dial connects a new stream socket to an address, and calls done with its descriptor,
// or the error. Like any request, it can be given a context or a deadline:
//
//	loopio.Dial(loop, liburing.SockaddrFrom(addr), done).WithContext(ctx)
//
// Names are not looked up, because that blocks (use net.Resolver). TCP_NODELAY is set,
// as in package net. Needs Linux 5.5.
func Dial(l *liburing.Loop, to *liburing.Sockaddr, done func(fd int, err error)) liburing.Request {
	if done == nil { // there is no function to give the socket to
		return refuseDial(l, nil, func(int, error) {})
	}
	if to == nil {
		return refuseDial(l, &liburing.OpError{Op: "connect", Err: syscall.EINVAL, Hint: "there is no address"}, done)
	}
	fd, err := unix.Socket(int(to.Family()), unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return refuseDial(l, &liburing.OpError{Op: "socket", Err: err}, done)
	}
	if to.Family() != unix.AF_UNIX {
		noDelay(fd) // where it is TCP
	}
	return l.Connect(fd, to, func(c liburing.Completion) {
		if err := c.Err(); err != nil {
			closeFD(fd)
			done(-1, err)
			return
		}
		done(fd, nil)
	})
}

// refuseDial returns a request that fails, and has done be told why: it can be given a
// context like others, and takes its chain with it.
func refuseDial(l *liburing.Loop, why error, done func(fd int, err error)) liburing.Request {
	return l.Connect(-1, liburing.NewSockaddr(), func(c liburing.Completion) {
		if err := c.Err(); errors.Is(err, liburing.ErrClosed) {
			why = err
		}
		done(-1, why)
	})
}
