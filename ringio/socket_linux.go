//go:build linux

package ringio

import (
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// socket is a socket of its own descriptor, which the runtime's poller does not know:
// what has to wait waits on the ring, or by another descriptor, see polled. All its errors
// are as they come from the kernel, wrapped in os.SyscallError; conn and listener make net's of them.
//
// Of thousands none is in the processor's caches when its turn comes: what each read and
// write needs is at the start, in two lines of these.
type socket struct {
	users    atomic.Int64 // those who use the descriptor but do not have a half, and closedBit
	engine   *engine
	fd       int
	readPoll atomic.Pointer[readPoll] // what tells a reader of a busy one
	box      atomic.Pointer[outbox]   // what sends behind the writer's back; the writer makes it
	exact    atomic.Bool              // the program has had another descriptor of it
	dry      bool                     // the last read found nothing more: the next had better wait on the ring
	warmth   uint8                    // reads that had to wait
	dialled  bool                     // net lets it send to its peer alone
	kind     uint8                    // SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET
	in       half                     // what reads and accepts
	out      half                     // what writes

	polled  *polled       // how it reads while few are busy
	writes  atomic.Uint32 // that were plain calls; who writes has that half
	family  int32         // AF_INET, AF_INET6, AF_UNIX
	network string
	local   net.Addr
	remote  net.Addr
	gone    sync.WaitGroup
	_       [16]byte // to whole lines: else it would begin in the middle of one
}

// boxPatience is how long Close waits for a box.
const boxPatience = 10 * time.Millisecond

// orphanPatience is how long a peer may take to make room for a box behind Close. Tests have
// less.
var orphanPatience = time.Minute

// closedBit in socket.users says that Close was called.
const closedBit = 1 << 62

// half is one direction of a socket. There is one request of each in flight: two
// receives would complete in any order.
type half struct {
	mu       sync.Mutex
	deadline deadline
	msg      *message // of the first message on, kept
}

// newSocket makes a socket of a descriptor, which is its own from then on.
func newSocket(e *engine, fd, family, kind int, network string) *socket {
	s := &socket{engine: e, fd: fd, family: int32(family), kind: uint8(kind), network: network}
	s.users.Store(1) // Close's
	s.gone.Add(1)
	runtime.SetFinalizer(s, (*socket).bury)
	return s
}

// use keeps the descriptor open until done, as begin does until end. The error is
// net.ErrClosed.
func (s *socket) use() error {
	for {
		users := s.users.Load()
		if users&closedBit != 0 {
			return net.ErrClosed
		}
		if s.users.CompareAndSwap(users, users+1) {
			return nil
		}
	}
}

// done ends a use; the last one behind Close closes the descriptor.
func (s *socket) done() error {
	if s.users.Add(-1) != closedBit {
		return nil
	}
	err := unix.Close(s.fd)
	s.gone.Done()
	return os.NewSyscallError("close", err)
}

func (s *socket) closed() bool { return s.users.Load()&closedBit != 0 }

// close ends what waits, and returns when the descriptor is closed: no request has it
// any more, so that the peer sees the end. Only where the peer has to read first it is
// closed later.
func (s *socket) close() error {
	for {
		users := s.users.Load()
		if users&closedBit != 0 {
			return net.ErrClosed
		}
		if s.users.CompareAndSwap(users, users|closedBit) {
			break
		}
	}
	runtime.SetFinalizer(s, nil)
	s.in.deadline.close()
	s.out.deadline.close()
	s.endStuck()
	s.leavePolls()
	err, later := s.leaveBox()
	if !later {
		s.gone.Wait()
	}
	return err
}

// leavePolls ends what waits for something to read: a request would keep the connection
// open.
func (s *socket) leavePolls() {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	s.leavePolled()
	s.leaveReadPoll()
}

// leaveBox has the box emptied and gives Close's use of the descriptor up. A peer that
// does not read does not keep Close waiting: as with what is in the kernel, it is sent
// later, or not at all if the connection is to be reset.
func (s *socket) leaveBox() (err error, later bool) {
	s.out.mu.Lock() // the last writer may be about to make it
	b := s.box.Load()
	s.out.mu.Unlock()
	if b != nil && !s.emptiesSoon(b) {
		go func() {
			s.emptyBox(b)
			s.done()
		}()
		return nil, true
	}
	return s.done(), false
}

// emptiesSoon has the box emptied if that takes a moment only, or nothing of it is to be sent. It
// reports whether there is nothing left in it.
func (s *socket) emptiesSoon(b *outbox) bool {
	empty := b.flushes(boxPatience)
	if !empty && s.resets() {
		b.drop()
		return true
	}
	return empty
}

// resets reports whether the kernel resets the connection when it is closed.
func (s *socket) resets() bool {
	l, err := unix.GetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER)
	return err == nil && l.Onoff != 0 && l.Linger == 0
}

// emptyBox has the box of a connection that nobody has any more emptied. A peer that does
// not read for long is reset: it must not keep the descriptor by not reading.
func (s *socket) emptyBox(b *outbox) {
	if !b.flushes(orphanPatience) {
		unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		b.drop()
	}
}

// bury closes the descriptor when nobody has the socket any more, as net does.
func (s *socket) bury() {
	s.leavePolled()
	s.in.deadline.close()
	s.out.deadline.close()
	r, b := s.readPoll.Load(), s.box.Load()
	if r == nil && b == nil {
		unix.Close(s.fd)
		return
	}
	s.endStuck()
	go func() {
		if r != nil {
			r.end()
		}
		if b != nil && !s.emptiesSoon(b) {
			s.emptyBox(b)
		}
		unix.Close(s.fd)
	}()
}

// begin takes a direction for one caller, as soon as those before it are through. That
// keeps the descriptor open: close takes both before it gives that up.
func (s *socket) begin(h *half) error {
	if s.closed() { // who has the half may not be through for long
		return net.ErrClosed
	}
	h.mu.Lock()
	if s.closed() {
		h.mu.Unlock()
		return net.ErrClosed
	}
	return nil
}

func (s *socket) end(h *half) { h.mu.Unlock() }

// ready says why nothing may be begun: the socket is closed, the deadline has passed.
func (s *socket) ready(h *half) error {
	switch {
	case s.closed():
		return net.ErrClosed
	case h.deadline.passed():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// setDeadline needs no descriptor: a deadline knows itself whether it is closed.
func (s *socket) setDeadline(t time.Time, halves ...*half) error {
	if s.closed() {
		return net.ErrClosed
	}
	for _, h := range halves {
		h.deadline.set(t)
	}
	return nil
}

// control calls f with the descriptor.
func (s *socket) control(f func(fd int) error) error {
	if err := s.use(); err != nil {
		return err
	}
	defer s.done()
	return f(s.fd)
}

func (s *socket) shutdown(how int) error {
	return s.control(func(fd int) error {
		return os.NewSyscallError("shutdown", unix.Shutdown(fd, how))
	})
}

// file returns another descriptor of the socket, named as net names it.
func (s *socket) file() (f *os.File, err error) {
	err = s.control(func(fd int) error {
		s.exact.Store(true)
		if err := s.flushAside(); err != nil {
			return err
		}
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("fcntl", err)
		}
		f = s.lettingWait(os.NewFile(uintptr(dup), s.network+":"+words(s.local)+"->"+words(s.remote)))
		return nil
	})
	return f, err
}

// lettingWait returns the File of a socket as net makes it: its Fd lets the callers wait, as a
// process expects that gets the descriptor. os does so only for what it has made nonblocking
// itself, or net has. It is f where net can't, or the socket lets its callers wait already.
func (s *socket) lettingWait(f *os.File) *os.File {
	if waits, _ := blocks(f); waits {
		return f
	}
	nets, err := s.netsOf(f)
	if err != nil {
		return f
	}
	defer nets.Close()
	theirs, err := nets.File()
	if err != nil {
		return f
	}
	f.Close()
	return theirs
}

// netsFiler is what net makes of a socket's File.
type netsFiler interface {
	File() (*os.File, error)
	io.Closer
}

// netsOf has net make what leaves the socket's options alone: a listener does, also of what
// listens to nobody, and a connection would not.
func (s *socket) netsOf(f *os.File) (netsFiler, error) {
	var nets any
	var err error
	if s.kind == unix.SOCK_DGRAM {
		nets, err = net.FilePacketConn(f)
	} else {
		nets, err = net.FileListener(f)
	}
	if err != nil {
		return nil, err
	}
	return nets.(netsFiler), nil
}

func words(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// rawConn is a connection's syscall.RawConn.
type rawConn struct{ s *socket }

func (c rawConn) Control(f func(fd uintptr)) error {
	err := c.s.control(func(fd int) error {
		if err := c.s.flushAside(); err != nil {
			return err
		}
		f(uintptr(fd))
		c.s.noteOptions()
		return nil
	})
	return c.s.setError("raw-control", err)
}

func (c rawConn) Read(f func(fd uintptr) bool) error {
	return c.s.opError("raw-read", c.s.raw(&c.s.in, unix.POLLIN, f))
}

func (c rawConn) Write(f func(fd uintptr) bool) error {
	return c.s.opError("raw-write", c.s.raw(&c.s.out, unix.POLLOUT, f))
}

// raw calls f until it returns true, and waits for the events in between.
func (s *socket) raw(h *half, events uint32, f func(fd uintptr) bool) error {
	if err := s.begin(h); err != nil {
		return err
	}
	defer s.end(h)
	defer s.noteOptions()
	if b := s.box.Load(); h == &s.out && b != nil {
		if err := s.flush(b); err != nil {
			return s.failed(h, "write", err)
		}
	}
	return s.rawCalls(h, events, f)
}

// noteOptions is called when the program has had the descriptor, and may have set options.
func (s *socket) noteOptions() {
	if r := s.readPoll.Load(); r != nil {
		r.noteLeast()
	}
}

// rawCalls is raw when the half is taken. As a rule there is one wait: what wants more than
// there is then is told of changes.
func (s *socket) rawCalls(h *half, events uint32, f func(fd uintptr) bool) error {
	var more *changes
	defer func() { more.end() }()
	for waited := false; ; {
		if err := s.ready(h); err != nil {
			return err
		}
		if f(uintptr(s.fd)) {
			return nil
		}
		var err error
		switch {
		case !waited:
			err = s.poll(h, events)
		case more == nil:
			more = newChanges(s, h, events)
			fallthrough
		default:
			err = more.wait()
		}
		if err != nil {
			return err
		}
		waited = true
	}
}

// rawListener is a listener's syscall.RawConn, which reads and writes nothing.
type rawListener struct{ rawConn }

func (rawListener) Read(func(uintptr) bool) error  { return syscall.EINVAL }
func (rawListener) Write(func(uintptr) bool) error { return syscall.EINVAL }

// opError makes net's error of one of reading or writing.
func (s *socket) opError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: s.network, Source: s.local, Addr: s.remote, Err: err}
}

// setError makes net's error of one that has to do with the local end alone.
func (s *socket) setError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: s.network, Addr: s.local, Err: err}
}
