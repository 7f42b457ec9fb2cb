//go:build linux

package ringio

import (
	"context"
	"io"
	"io/fs"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Copies between connections and files. The kernel moves what is much, without showing
// it to the program; what is little is quicker read and written.

// copySize is that of a copy's buffer. A read that fills it is much.
const copySize = 32 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copySize]byte) }}

// ReadFrom writes what r has, until its end: of a file by sendfile(2), of net.Buffers by
// system calls that write many of them.
func (c *tcpConn) ReadFrom(r io.Reader) (n int64, err error) {
	if from, ok := r.(tcpConnWithoutWriteTo); ok { // its WriteTo has called a writer that calls us
		r = from.tcpConn
	}
	handled := false
	if buffers, ok := r.(*net.Buffers); ok {
		n, err = c.writeBuffers(buffers)
		handled = true
	} else {
		n, handled, err = c.s.sendFile(r)
	}
	if !handled {
		n, err = io.Copy(struct{ io.Writer }{c}, r)
		if err != nil && canSplice(r) {
			err = ofSplice(err)
		}
	}
	if err != nil {
		err = c.s.opError("readfrom", err)
	}
	return n, err
}

// canSplice reports whether r is a connection, or the part of one that a LimitedReader has, that
// net would splice from.
func canSplice(r io.Reader) bool {
	if part, ok := r.(*io.LimitedReader); ok {
		r = part.R
	}
	return streamSocket(r) != nil
}

// streamSocket returns the socket of a connection that is a stream of bytes, nil if v is
// something else.
func streamSocket(v any) *socket {
	switch c := v.(type) {
	case *tcpConn:
		return c.s
	case *unixConn:
		if c.s.kind == unix.SOCK_STREAM {
			return c.s
		}
	}
	return nil
}

// ofSplice returns an error of a copy as net has it, which has no reads and writes of which it
// could tell.
func ofSplice(err error) error {
	for {
		switch e := err.(type) {
		case *net.OpError:
			err = e.Err
		case *os.SyscallError:
			return os.NewSyscallError("splice", e.Err)
		default:
			return err
		}
	}
}

// WriteTo writes what it reads to w, until the end. As in net, a writer that reads by itself
// does so, unless the kernel can write there.
func (c *tcpConn) WriteTo(w io.Writer) (n int64, err error) {
	to := drainFor(w)
	if from, ok := w.(io.ReaderFrom); ok && to == nil {
		n, err = from.ReadFrom(tcpConnWithoutWriteTo{tcpConn: c})
	} else {
		n, err = c.forwardAll(to, w)
	}
	if err == io.EOF {
		return n, err
	}
	return n, c.s.opError("writeto", err)
}

// tcpConnWithoutWriteTo is for io.Copy in a writer's ReadFrom, which would call WriteTo again.
type tcpConnWithoutWriteTo struct {
	//lint:ignore U1000 nobody can call what is there twice
	noWriteTo
	*tcpConn
}

// forwardAll reads and writes until the end. While it waits it has no buffer: a server of many
// idle connections that uses io.Copy takes little memory.
func (c *tcpConn) forwardAll(to drain, w io.Writer) (n int64, err error) {
	for err == nil {
		if err = c.s.recvReady(); err != nil {
			return n, c.s.opError("read", err)
		}
		var moved int64
		var much bool
		moved, much, err = c.forward(w)
		n += moved
		for much && err == nil && to != nil {
			moved, much, err = c.s.splice(to, w)
			n += moved
		}
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// forward is one read and one write. It reports whether there may be much more.
func (c *tcpConn) forward(w io.Writer) (n int64, much bool, err error) {
	buf := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buf)
	got, err := c.Read(buf[:])
	if got == 0 {
		return 0, false, err
	}
	put, failed := w.Write(buf[:got])
	if failed == nil && put < got {
		failed = io.ErrShortWrite
	}
	if failed != nil {
		err = failed
	}
	return int64(put), got == copySize, err
}

// fileReader is an os.File or what it makes of itself for io.Copy.
type fileReader interface {
	fs.File
	io.Seeker
	syscall.Conn
}

// sendTo is File.WriteTo where w is a connection to which sendfile(2) sends: how far a copy got
// that fails, the file's position then tells.
func sendTo(w io.Writer, f *File) (n int64, handled bool, err error) {
	s := streamSocket(w)
	if s == nil {
		return 0, false, nil
	}
	n, handled, err = s.sendFile(f)
	if err != nil {
		err = &fs.PathError{Op: "read", Path: f.Name(), Err: err} // as os has it
	}
	return n, handled, err
}

// sendFile sends the rest of a regular file, or the part that a LimitedReader has of it.
// It is not handled if it is something else, or the kernel refuses it.
func (s *socket) sendFile(r io.Reader) (n int64, handled bool, err error) {
	left, limited := int64(1<<62), false
	part, ok := r.(*io.LimitedReader)
	if ok {
		r, left, limited = part.R, part.N, true
	}
	f, ok := r.(fileReader)
	if !ok {
		return 0, false, nil
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return 0, false, nil
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, false, nil
	}
	defer s.engine.watch.start(context.Background(), kindSend).end()
	position := positionOf(r)
	if raw.Read(func(fd uintptr) bool { // as net does: nobody else is to read on meanwhile
		n, handled, err = s.sendFD(int(fd), left, position)
		return true
	}) != nil {
		return 0, false, nil
	}
	if limited {
		part.N -= n
	}
	return n, handled, err
}

// sendFD sends from a file's position on. What keeps it from beginning, such as Close or the
// deadline, a plain write is to tell.
func (s *socket) sendFD(fd int, left int64, position sync.Locker) (n int64, handled bool, err error) {
	if err := s.beginOut(); err != nil {
		return 0, false, err
	}
	defer s.end(&s.out)
	for left > 0 {
		if err := s.ready(&s.out); err != nil {
			return n, n > 0, err
		}
		position.Lock()
		sent, err := unix.Sendfile(s.fd, fd, nil, int(min(left, maxTransfer)))
		position.Unlock()
		switch {
		case sent > 0:
			n, left = n+int64(sent), left-int64(sent)
		case err == unix.EAGAIN:
			if err := s.poll(&s.out, unix.POLLOUT); err != nil {
				return n, true, err
			}
		case err == unix.EINTR:
		case err == nil:
			return n, true, nil // the file's end
		default:
			return n, n > 0 || err == unix.EPIPE || err == unix.ECONNRESET, s.failed(&s.out, "sendfile", err)
		}
	}
	return n, true, nil
}

// beginOut is begin for one who writes by the descriptor: what was written before goes
// first.
func (s *socket) beginOut() error {
	if err := s.begin(&s.out); err != nil {
		return err
	}
	b := s.box.Load()
	if b == nil {
		return nil
	}
	err := s.ready(&s.out)
	if err == nil {
		err = s.flush(b)
	}
	if err != nil {
		s.end(&s.out)
		return s.failed(&s.out, "write", err)
	}
	return nil
}

// sendVector sends buffers, many with one system call, and takes what it has sent from
// them.
func (s *socket) sendVector(buffers *net.Buffers) (n int64, err error) {
	defer s.engine.watch.start(context.Background(), kindSend).end()
	if err := s.beginOut(); err != nil {
		return 0, err
	}
	defer s.end(&s.out)
	if err := s.ready(&s.out); err != nil { // as net, also if there is nothing to write
		return 0, err
	}
	for {
		for len(*buffers) > 0 && len((*buffers)[0]) == 0 {
			*buffers = (*buffers)[1:]
		}
		if len(*buffers) == 0 {
			return n, nil
		}
		if err := s.ready(&s.out); err != nil {
			return n, err
		}
		sent, err := unix.SendmsgBuffers(s.fd, (*buffers)[:min(len(*buffers), maxVector)], nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		switch err {
		case nil:
			n += int64(sent)
			consume(buffers, sent)
		case unix.EINTR:
		case unix.EAGAIN:
			if err := s.poll(&s.out, unix.POLLOUT); err != nil {
				return n, err
			}
		default:
			return n, s.failed(&s.out, "writev", err)
		}
	}
}

// consume takes n bytes from the front of buffers.
func consume(buffers *net.Buffers, n int) {
	for n > 0 {
		first := &(*buffers)[0]
		part := min(n, len(*first))
		*first, n = (*first)[part:], n-part
		if len(*first) == 0 {
			*first = nil
			*buffers = (*buffers)[1:]
		}
	}
}

// writeBuffers is WriteBuffers.
func (c *conn) writeBuffers(buffers *net.Buffers) (int64, error) {
	n, err := c.s.sendVector(buffers)
	return n, c.s.opError("writev", err)
}

// pipe is what bytes pass through between two descriptors. The collector closes those
// that it takes from the pool. It can tell only because they take 16 bytes or more, with
// the cleanup on 32-bit processors too: smaller ones share a block with other values.
type pipe struct {
	pipeEnds
	cleanup runtime.Cleanup
}

type pipeEnds struct{ r, w int }

var pipes = sync.Pool{New: func() any { return newPipe() }}

// newPipe returns nil when there are no descriptors.
func newPipe() *pipe {
	var fds [2]int
	if unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil {
		return nil
	}
	unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, pipeSize) // or it stays smaller
	p := &pipe{pipeEnds: pipeEnds{fds[0], fds[1]}}
	p.cleanup = runtime.AddCleanup(p, pipeEnds.close, p.pipeEnds)
	return p
}

const pipeSize = 1 << 20

func (p *pipe) close() {
	p.cleanup.Stop()
	p.pipeEnds.close()
	runtime.KeepAlive(p) // until it has no cleanup any more
}

func (e pipeEnds) close() {
	unix.Close(e.r)
	unix.Close(e.w)
}

// drain moves n bytes from a pipe to where a copy goes, and returns how many it has.
type drain func(p *pipe, n int) (int, error)

// drainFor returns the drain for w, nil if the kernel can't write there by itself.
func drainFor(w io.Writer) drain {
	if s := streamSocket(w); s != nil {
		return s.drain
	}
	switch w := w.(type) {
	case *File:
		return drainForFile(w.std(), w)
	case *os.File:
		return drainForFile(w, w)
	}
	return nil
}

// drainForFile returns the drain for v, which is f or has it.
func drainForFile(f *os.File, v any) drain {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil
	}
	if appends(raw) {
		return nil
	}
	position, watch := positionOf(v), watchOf(v)
	return func(p *pipe, n int) (done int, err error) {
		defer watch.start(context.Background(), kindWrite).end()
		if failed := raw.Write(func(fd uintptr) bool {
			position.Lock()
			defer position.Unlock()
			for done < n && err == nil {
				some, failed := unix.Splice(p.r, nil, int(fd), nil, n-done, unix.SPLICE_F_MOVE) // an int on 386
				done += int(max(some, 0))
				if failed != unix.EINTR {
					err = failed
				}
			}
			return true
		}); failed != nil {
			err = failed
		}
		return done, err
	}
}

// appends reports whether a file is open for appending, to which splice(2) and
// copy_file_range(2) refuse to write.
func appends(raw syscall.RawConn) (does bool) {
	raw.Control(func(fd uintptr) {
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		does = err == nil && flags&unix.O_APPEND != 0
	})
	return does
}

// drain is a drain to a connection.
func (s *socket) drain(p *pipe, n int) (done int, err error) {
	defer s.engine.watch.start(context.Background(), kindSend).end()
	if err := s.beginOut(); err != nil {
		return 0, s.opError("write", err)
	}
	defer s.end(&s.out)
	for done < n {
		if err := s.ready(&s.out); err != nil {
			return done, s.opError("write", err)
		}
		some, err := unix.Splice(p.r, nil, s.fd, nil, n-done, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		done += int(max(some, 0))
		switch err {
		case nil, unix.EINTR:
		case unix.EAGAIN:
			if err := s.poll(&s.out, unix.POLLOUT); err != nil {
				return done, s.opError("write", err)
			}
		default:
			return done, s.opError("write", s.failed(&s.out, "splice", err))
		}
	}
	return done, nil
}

// splice moves what is there, without waiting for more, and reports whether it was much.
func (s *socket) splice(to drain, w io.Writer) (n int64, much bool, err error) {
	p := pipes.Get().(*pipe)
	if p == nil {
		return 0, false, nil // there is no descriptor: by read and write, then
	}
	got, err := s.fillPipe(p)
	if got <= 0 {
		pipes.Put(p)
		return 0, false, s.opError("read", err)
	}
	done, err := to(p, got)
	if done < got {
		if err == unix.EINVAL { // a file system without it
			rest, failed := p.writeTo(w, got-done)
			done, err = done+rest, failed
		}
		p.close()
	} else {
		pipes.Put(p)
	}
	return int64(done), got >= copySize, err
}

// fillPipe moves what has come to a pipe.
func (s *socket) fillPipe(p *pipe) (int, error) {
	defer s.engine.watch.start(context.Background(), kindRecv).end()
	if err := s.begin(&s.in); err != nil {
		return 0, err
	}
	defer s.end(&s.in)
	if err := s.ready(&s.in); err != nil {
		return 0, err
	}
	for {
		n, err := unix.Splice(s.fd, nil, p.w, nil, pipeSize, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		switch err {
		case nil:
			return int(n), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, nil
		default:
			return 0, s.failed(&s.in, "splice", err)
		}
	}
}

// writeTo writes n bytes that a pipe has.
func (p *pipe) writeTo(w io.Writer, n int) (int, error) {
	b := make([]byte, n)
	for at := 0; at < n; {
		got, err := unix.Read(p.r, b[at:])
		if err != nil && err != unix.EINTR {
			return 0, os.NewSyscallError("read", err)
		}
		at += max(got, 0)
	}
	return w.Write(b)
}
