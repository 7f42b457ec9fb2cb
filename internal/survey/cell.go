//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"unsafe"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// bufSize is how much is read and written, and half of the memory of a cell.
const bufSize = 4096

// cell is one try: an operation on a new descriptor of a kind, in one state.
type cell struct {
	kind     *kind
	op       *operation
	nonblock bool
	ready    bool // it is ready before the request is made

	index   int // among the cells that are tried together
	company *company
	mem     []byte

	fd    int
	peer  int           // the other end
	at    unix.Sockaddr // where the other end is
	ring  *liburing.Ring
	path  string // of its folder
	toCut int    // what Close is to close

	fds    []int
	undone []func()
	kept   []any // what the kernel has the address of

	events []event
}

func (c *cell) pair() pair { return pair{c.op.name, c.kind.name} }

// event is what a completion tells of a cell.
type event struct {
	text string
	more bool
}

// notHere is why a kind can't be tried on this machine.
type notHere string

// broken is an error that there should not be.
type broken struct{ err error }

func (c *cell) check(err error) {
	if err != nil {
		_, _, line, _ := runtime.Caller(1)
		panic(broken{fmt.Errorf("%s, line %d: %w", c.kind.name, line, err)})
	}
}

// must takes a new descriptor into the cell's keeping.
func (c *cell) must(fd int, err error) int {
	c.check(err)
	c.keep(fd)
	return fd
}

func (c *cell) keep(fds ...int)   { c.fds = append(c.fds, fds...) }
func (c *cell) atEnd(undo func()) { c.undone = append(c.undone, undo) }

// open makes the descriptor.
func (c *cell) open() (err error) {
	defer recovered(&err)
	c.fd = c.kind.open(c)
	if c.nonblock {
		c.check(unix.SetNonblock(c.fd, true))
	}
	if c.ready && c.kind.wake != nil {
		c.kind.wake(c)
	}
	return nil
}

// settle has it be as it is to begin.
func (c *cell) settle() (err error) {
	defer recovered(&err)
	c.kind.settle(c)
	return nil
}

// wake makes it ready.
func (c *cell) wake() (err error) {
	defer recovered(&err)
	c.kind.wake(c)
	return nil
}

// prepare fills the entry.
func (c *cell) prepare(s *liburing.SQE) (err error) {
	defer recovered(&err)
	c.op.prep(s, c)
	return nil
}

// recovered turns what check and open panic with into an error.
func recovered(err *error) {
	switch p := recover().(type) {
	case nil:
	case broken:
		*err = p.err
	case notHere:
		*err = errNotHere{string(p)}
	default:
		panic(p)
	}
}

type errNotHere struct{ why string }

func (e errNotHere) Error() string { return e.why }

// close undoes all that the cell has done.
func (c *cell) close() {
	for _, undo := range c.undone {
		undo()
	}
	c.closeFiles()
	if c.toCut != 0 && c.outcome() != "0" {
		unix.Close(c.toCut)
	}
	if c.path != "" {
		os.RemoveAll(c.path)
	}
	runtime.KeepAlive(c.kept)
}

// closeFiles lets go what a peer that does not read holds up.
func (c *cell) closeFiles() {
	for _, fd := range c.fds {
		unix.Close(fd)
	}
	c.fds = nil
}

// took notes a completion.
func (c *cell) took(cqe *liburing.CQE) {
	e := event{more: cqe.Flags&liburing.CQEFMore != 0}
	err := cqe.Err()
	switch {
	case cqe.Flags&liburing.CQEFNotif != 0:
		e.text = notified
	case err != nil:
		var errno unix.Errno
		errors.As(err, &errno)
		e.text = nameOf(errno)
	case cqe.Res == 0:
		e.text = "0"
	default:
		e.text = "n"
		c.tookDescriptor(int(cqe.Res))
	}
	c.events = append(c.events, e)
}

// nameOf is the error's name, as io_uring's documents have it.
func nameOf(errno unix.Errno) string {
	if errno == unix.EOPNOTSUPP {
		return "EOPNOTSUPP"
	}
	return unix.ErrnoName(errno)
}

// tookDescriptor has a descriptor closed that a request has made.
func (c *cell) tookDescriptor(fd int) {
	switch c.op.op {
	case liburing.OpAccept, liburing.OpOpenat, liburing.OpOpenat2:
		c.keep(fd)
	}
}

// done reports whether there is nothing more to come.
func (c *cell) done() bool {
	return len(c.events) > 0 && !c.events[len(c.events)-1].more
}

// What there is for requests beside the descriptor.

func (c *cell) buf() []byte {
	if c.kind.size > 0 {
		return c.mem[:c.kind.size]
	}
	return c.mem[:bufSize]
}

func (c *cell) iovecs() []liburing.Iovec {
	v := []liburing.Iovec{{Base: &c.mem[0]}}
	v[0].SetLen(len(c.buf()))
	c.kept = append(c.kept, v)
	return v
}

func (c *cell) message(bufs ...[]byte) *liburing.Msghdr {
	m := liburing.NewMsghdr(nil, nil, bufs...)
	c.kept = append(c.kept, m)
	return m
}

func (c *cell) name(s string) *byte {
	b := append([]byte(s), 0)
	c.kept = append(c.kept, b)
	return &b[0]
}

func (c *cell) event() *liburing.EpollEvent {
	e := &liburing.EpollEvent{Events: unix.EPOLLIN}
	c.kept = append(c.kept, e)
	return e
}

// loopback is the address of nobody.
func (c *cell) loopback() *liburing.Sockaddr {
	a := liburing.SockaddrFrom(netip.MustParseAddrPort("127.0.0.1:0"))
	c.kept = append(c.kept, a)
	return a
}

// pipe returns the read end of a pipe with data, or the write end of one without.
func (c *cell) pipe(read bool) int {
	var p [2]int
	c.check(unix.Pipe2(p[:], unix.O_CLOEXEC))
	c.keep(p[:]...)
	if !read {
		return p[1]
	}
	_, err := unix.Write(p[1], make([]byte, bufSize))
	c.check(err)
	return p[0]
}

// dup returns a number that the request is to close.
func (c *cell) dup() int {
	fd, err := unix.FcntlInt(uintptr(c.fd), unix.F_DUPFD_CLOEXEC, 0)
	c.check(err)
	c.toCut = fd
	return fd
}

// dir returns a folder of the cell's own, in which there is a file.
func (c *cell) dir() string {
	if c.path == "" {
		var err error
		c.path, err = os.MkdirTemp("", "survey")
		c.check(err)
		c.check(os.WriteFile(c.path+"/old", nil, 0o600))
	}
	return c.path
}

// Groups of provided buffers: one for each cell.
const (
	groupCount = 8
	groupSize  = bufSize / groupCount
)

func (c *cell) group() uint16 { return uint16(c.index + 1) }

// choose has the request take its memory from the cell's group.
func (c *cell) choose(s *liburing.SQE) {
	s.Flags |= liburing.SQEBufferSelect
	s.SetBufGroup(c.group())
}

func ioctl(fd int, request uintptr, arg *[3]uint64) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
		return errno
	}
	return nil
}
