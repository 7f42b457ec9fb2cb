//go:build linux

package ringio

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// conn has what all connections have, with net's errors.
type conn struct{ s *socket }

func (c *conn) Read(p []byte) (int, error) {
	if c.s.engine.watch.watches() {
		return c.readWatched(p)
	}
	return c.read(p)
}

func (c *conn) readWatched(p []byte) (int, error) {
	return c.s.engine.watch.call(context.Background(), kindRecv, func() (int, error) { return c.read(p) })
}

func (c *conn) read(p []byte) (int, error) {
	n, err := c.s.recv(p)
	if err != nil && err != io.EOF {
		err = c.s.opError("read", err)
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	if c.s.engine.watch.watches() {
		return c.writeWatched(p)
	}
	return c.write(p)
}

func (c *conn) writeWatched(p []byte) (int, error) {
	return c.s.engine.watch.call(context.Background(), kindSend, func() (int, error) { return c.write(p) })
}

func (c *conn) write(p []byte) (int, error) {
	n, err := c.s.send(p)
	if err != nil {
		err = c.s.opError("write", err)
	}
	return n, err
}

func (c *conn) Close() error { return c.s.opError("close", c.s.close()) }

func (c *conn) LocalAddr() net.Addr  { return c.s.local }
func (c *conn) RemoteAddr() net.Addr { return c.s.remote }

func (c *conn) SetDeadline(t time.Time) error {
	return c.s.setError("set", c.s.setDeadline(t, &c.s.in, &c.s.out))
}

func (c *conn) SetReadDeadline(t time.Time) error {
	return c.s.setError("set", c.s.setDeadline(t, &c.s.in))
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.s.setError("set", c.s.setDeadline(t, &c.s.out))
}

func (c *conn) SetReadBuffer(bytes int) error {
	return c.s.setError("set", c.s.setInt(unix.SOL_SOCKET, unix.SO_RCVBUF, bytes))
}

func (c *conn) SetWriteBuffer(bytes int) error {
	return c.s.setError("set", c.s.setInt(unix.SOL_SOCKET, unix.SO_SNDBUF, bytes))
}

func (c *conn) SyscallConn() (syscall.RawConn, error) { return rawConn{c.s}, nil }

func (c *conn) File() (*os.File, error) {
	f, err := c.s.file()
	return f, c.s.opError("file", err)
}

func (c *conn) closeRead() error  { return c.s.opError("close", c.s.shutdown(unix.SHUT_RD)) }
func (c *conn) closeWrite() error { return c.s.opError("close", c.s.closeWrite()) }

// tcpConn is a TCPConn on the ring.
type tcpConn struct{ conn }

func (c *tcpConn) CloseRead() error  { return c.closeRead() }
func (c *tcpConn) CloseWrite() error { return c.closeWrite() }

func (c *tcpConn) SetNoDelay(noDelay bool) error {
	return c.s.opError("set", c.s.setBool(unix.IPPROTO_TCP, unix.TCP_NODELAY, noDelay))
}

func (c *tcpConn) SetLinger(sec int) error { return c.s.opError("set", c.s.setLinger(sec)) }

func (c *tcpConn) SetKeepAlive(keepalive bool) error {
	return c.s.opError("set", c.s.setBool(unix.SOL_SOCKET, unix.SO_KEEPALIVE, keepalive))
}

func (c *tcpConn) SetKeepAlivePeriod(d time.Duration) error {
	return c.s.opError("set", c.s.setSeconds(unix.TCP_KEEPIDLE, d, keepAliveIdle))
}

func (c *tcpConn) SetKeepAliveConfig(config net.KeepAliveConfig) error {
	return c.s.opError("set", c.s.setKeepAlive(config))
}

// MultipathTCP reports whether the connection uses Multipath TCP: other sockets, and
// those that have fallen back to TCP, have no such information.
func (c *tcpConn) MultipathTCP() (bool, error) {
	const solMPTCP, mptcpInfo = 284, 1
	err := c.s.control(func(fd int) error {
		_, err := unix.GetsockoptInt(fd, solMPTCP, mptcpInfo)
		return err
	})
	return err != unix.EOPNOTSUPP && err != unix.ENOPROTOOPT, nil
}

// waitReadable waits until there is something to read, if only the end.
func (c *conn) waitReadable() error { return c.s.opError("read", c.s.recvReady()) }

func (s *socket) recvReady() error {
	err := s.begin(&s.in)
	if err == nil {
		err = s.awaitReadable()
		s.end(&s.in)
	}
	return err
}

// awaitReadable does not look by a read, which would take the socket's error away.
func (s *socket) awaitReadable() error {
	if err := s.ready(&s.in); err != nil {
		return err
	}
	if s.polled != nil {
		if _, done, err := s.recvPolled(nil); done {
			return err
		}
	}
	if s.tries() && readableNow(s.fd) {
		return nil
	}
	if r := s.readPoll.Load(); r != nil {
		if done, err := s.awaitTold(r); done {
			return err
		}
	}
	err := s.poll(&s.in, unix.POLLIN)
	s.warm()
	s.dry = false
	return err
}

const maxTransfer = 1 << 30 // of one request, as in net

// recv reads what is there, or waits for it.
func (s *socket) recv(p []byte) (n int, err error) {
	if err = s.begin(&s.in); err != nil {
		return 0, err
	}
	if len(p) > 0 { // else it would look like the end
		if n, err = s.receive(p); err == io.EOF {
			err = s.tellEnd()
		}
	}
	s.end(&s.in)
	return n, err
}

func (s *socket) receive(p []byte) (int, error) {
	if err := s.ready(&s.in); err != nil {
		return 0, err
	}
	if s.kind == unix.SOCK_STREAM {
		p = p[:min(len(p), maxTransfer)]
	}
	n, err := s.recvOnce(p)
	if err != nil {
		return 0, s.failed(&s.in, "read", err)
	}
	if n == 0 && s.kind != unix.SOCK_DGRAM {
		return 0, io.EOF
	}
	return n, nil
}

// tellEnd returns the end as a read tells it, or the error that it stands for: the kernel tells
// one once, and a box may have been told in place of the read.
func (s *socket) tellEnd() error {
	b := s.box.Load()
	if b == nil {
		return io.EOF
	}
	for b.busy() && hungUp(s.fd) && s.ready(&s.in) == nil { // it is about to be told
		s.engine.drive()
		time.Sleep(20 * time.Microsecond)
	}
	if err := b.takeEnd(); err != nil {
		return os.NewSyscallError("read", err)
	}
	return io.EOF
}

// hungUp reports whether a connection has ended in both directions.
func hungUp(fd int) bool {
	ready := [1]unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(ready[:], 0)
	return err == nil && n != 0 && ready[0].Revents&unix.POLLHUP != 0
}

// send writes all of p, waiting for room.
func (s *socket) send(p []byte) (n int, err error) {
	if err = s.begin(&s.out); err != nil {
		return 0, err
	}
	if taken, err1 := s.sendBehind(p); err1 != nil {
		err = err1
	} else if taken {
		n = len(p)
	} else {
		n, err = s.sendPlainly(p)
	}
	s.end(&s.out)
	return n, err
}

// sendPlainly is send when the half is taken, and the ring has nothing to send before it.
func (s *socket) sendPlainly(p []byte) (n int, err error) {
	for {
		if err := s.ready(&s.out); err != nil {
			return n, err
		}
		part := p[n:]
		if s.kind == unix.SOCK_STREAM {
			part = part[:min(len(part), maxTransfer)]
		}
		sent, err := s.sendOnce(part)
		n += max(sent, 0)
		switch {
		case err != nil:
			return n, s.failed(&s.out, "write", err)
		case n == len(p):
			return n, nil
		case sent == 0:
			return n, io.ErrUnexpectedEOF
		}
	}
}

// failed returns what the user is told of a request that failed: one that was cancelled
// was so by Close, the deadline or Shutdown.
func (s *socket) failed(h *half, call string, err error) error {
	if errors.Is(err, unix.ECANCELED) {
		if why := s.ready(h); why != nil {
			return why
		}
		if s.engine.closed() {
			return ErrShutdown
		}
	}
	if errno, ok := err.(syscall.Errno); ok {
		return os.NewSyscallError(call, errno)
	}
	return err
}

// sendBehind has the ring's next turn send p if the crowd is there, and else waits until
// what was sent so is on its way. The error is that of a write.
func (s *socket) sendBehind(p []byte) (taken bool, err error) {
	behind := s.engine.crowd.here.Load() && !s.engine.parked.Load() && s.readPoll.Load() != nil && !s.exact.Load() && len(p) <= mostBoxed && len(p) > 0
	b := s.box.Load()
	if !behind && b == nil {
		return false, nil
	}
	if err := s.ready(&s.out); err != nil {
		return false, err
	}
	if b == nil {
		if !takesWrites(s.fd) {
			return false, nil
		}
		b = newOutbox(s.engine, s.fd)
		s.box.Store(b)
		if r := s.readPoll.Load(); r != nil {
			r.near.to(s)
		}
	}
	if behind {
		taken, err = b.put(p)
	}
	switch {
	case err == nil && taken:
		s.engine.kickAside()
		return true, nil
	case err == nil:
		err = s.flush(b)
	}
	if err != nil {
		return false, s.failed(&s.out, "write", err)
	}
	return false, nil
}

// takesWrites reports whether a TCP connection is open for writing: of one that is not the kernel
// is to tell the writer.
func takesWrites(fd int) bool {
	switch tcpState(fd) {
	case 0, unix.BPF_TCP_ESTABLISHED, unix.BPF_TCP_CLOSE_WAIT:
		return true
	}
	return false
}

// tcpState returns the state of a TCP connection as the kernel numbers them, 0 if it can't be
// had.
func tcpState(fd int) byte {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0
	}
	return info.State
}

// closeWrite sends the end behind what has been written, whatever the deadline is now: that
// has been told to be written. As at Close it is on its way then, as far as the peer reads: the
// process may end. Who writes meanwhile sees to that itself.
func (s *socket) closeWrite() error {
	if err := s.use(); err != nil {
		return err
	}
	defer s.done()
	if b := s.box.Load(); b != nil {
		behind, err := b.endBehind()
		if behind && s.out.mu.TryLock() {
			b.flushes(boxPatience)
			s.out.mu.Unlock()
		}
		if behind || err != nil {
			return err
		}
	}
	return s.shutdown(unix.SHUT_WR)
}
