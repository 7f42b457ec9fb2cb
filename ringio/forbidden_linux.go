//go:build linux

package ringio

import (
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// A program may forbid itself system calls when it has opened what it needs: then the engine is
// there already, and finds that it may not enter its ring any more. Nothing can be asked of the
// kernel then. What has not been asked yet ends as when the engine is shut down: files go on by
// plain calls, and connections and files that are opened later are net's and os's. Connections
// and listeners that there are wait by the runtime's poller from then on.
//
// What the kernel has is called back by io_uring_register, if that is still allowed and the kernel
// is Linux 6.0 or newer. Else what only waits is left there and forgotten. What has the caller's
// memory stays until something comes: a deadline can't end it, and Close and Shutdown do so by
// shutting the connection down.

// mostRefused is how often in a row entering the ring is refused until it is taken for
// forbidden. A filter may be that of a single thread; those that try again are others.
const mostRefused = 8

// errForbidden is the error of what would be asked of the kernel. Users do not see it.
var errForbidden = errors.New("ringio: io_uring was forbidden")

// forbidden is what the engine knows of that.
type forbidden struct {
	times int                   // in a row that entering was refused; the ring's lock
	why   atomic.Pointer[error] // nil if it is not
	cut   atomic.Bool           // Shutdown waits no longer
	stuck atomic.Bool           // what the kernel has can't be called back
	first *liburing.SQE         // of the ring's queue
}

func (f *forbidden) is() bool { return f.why.Load() != nil }

// isForbidden returns why, nil if it is not.
func (e *engine) isForbidden() error {
	if why := e.forbidden.why.Load(); why != nil {
		return *why
	}
	return nil
}

// refused notes how entering the ring went, and gives it up where that is forbidden. With SQPoll
// nobody knows what the kernel's thread is about to take. The ring is locked.
func (e *engine) refused(err error) {
	switch {
	case err == nil:
		if e.forbidden.times != 0 {
			e.forbidden.times = 0
		}
	case !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EACCES) || e.sqPoll:
		e.forbidden.times = 0
	case e.forbidden.times < mostRefused:
		e.forbidden.times++
	case !e.forbidden.is():
		e.forbid(err)
	}
}

// forbid gives the ring up.
func (e *engine) forbid(why error) {
	e.staging.Lock()
	e.forbidden.why.Store(&why)
	e.shut.Store(true)
	e.staging.Unlock()
	if refusedLater.CompareAndSwap(nil, &why) {
		go slog.Info("ringio goes on without io_uring", "why", why)
	}
	for _, token := range e.untaken() {
		if o := e.table.find(token); o != nil {
			e.giveUp(o)
		}
	}
	e.refuse()
	e.callBack()
	e.present.Store(int32(e.flying))
}

// giveUp tells the end of a request that the kernel does not have, or is to keep for itself.
func (e *engine) giveUp(o *op) {
	e.flying--
	e.owing.less(o.place)
	o.finish(-int32(unix.ECANCELED), 0)
}

// callBack has the kernel cancel all that it has. What is told of it comes as ever.
func (e *engine) callBack() {
	_, err := e.ring.RegisterSyncCancel(liburing.SyncCancelReg{
		Flags: liburing.AsyncCancelAny | liburing.AsyncCancelAll, Timeout: liburing.NewTimespec(time.Millisecond),
	})
	if err == nil || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ETIME) {
		return
	}
	e.forbidden.stuck.Store(true)
	e.eachFlying(func(o *op) {
		switch {
		case o.sqe.Opcode == liburing.OpPollAdd, o.sqe.Opcode == liburing.OpTimeout:
			e.giveUp(o)
		case o.cancelled.Load():
			o.endStuck()
		}
	})
}

// endStuck ends a request that waits for a connection, which ends with it.
func (o *op) endStuck() {
	if !o.forFile() {
		unix.Shutdown(int(o.sqe.FD), unix.SHUT_RDWR)
	}
}

// untaken returns the requests that are in the ring's queue and that the kernel has not taken.
func (e *engine) untaken() (tokens []uint64) {
	size, n := e.ring.SQEntries(), e.ring.SQReady()
	all, end := unsafe.Slice(e.forbidden.first, size), size
	if next := e.ring.GetSQE(); next != nil { // else it is full, and each is one
		next.PrepNop()
		end = int((uintptr(unsafe.Pointer(next)) - uintptr(unsafe.Pointer(e.forbidden.first))) / unsafe.Sizeof(*next))
	}
	for i := range n {
		tokens = append(tokens, all[(end-n+i+size)%size].UserData)
	}
	return tokens
}

// sendAside sends what a box has by plain calls. As it is the last time, it looks for room again
// and again.
func (b *outbox) sendAside() {
	for pause := leastPause; b.sendsMore(); pause = min(2*pause, mostPause) {
		time.Sleep(pause)
	}
	e := b.engine
	e.mu.Lock()
	e.flying--
	e.unlock()
}

// sendsMore sends what there is room for, and reports whether there is more.
func (b *outbox) sendsMore() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.ended() {
		if b.flying == nil {
			b.flying, b.waiting = b.waiting, nil
		}
		n, err := sendNow(int(b.fd), b.flying.all()[b.sent:b.flying.n])
		switch {
		case err == nil:
			b.toldSent(n)
		case err == unix.EAGAIN && !b.engine.forbidden.cut.Load():
			return true
		case err == unix.EAGAIN:
			b.cut()
		default:
			b.failed = int16(err.(unix.Errno))
		}
	}
	return false
}

// byPoller does what would wait by the ring: it tries again and again, and waits in between for
// events.
func (s *socket) byPoller(h *half, events uint32, try func() (int, error)) (int, error) {
	for {
		n, err := try()
		if err != unix.EAGAIN {
			return n, err
		}
		if err := s.pollAside(h, events); err != nil {
			return 0, err
		}
	}
}

// aside waits in the runtime's poller, by another descriptor of a socket.
type aside struct{ file *os.File }

// expire has who waits look up.
func (a aside) expire() { a.file.SetDeadline(longAgo) }

// pollAside waits for events, for the deadline or for Close, as net does.
func (s *socket) pollAside(h *half, events uint32) error {
	fd, err := unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	a := aside{os.NewFile(uintptr(fd), "socket")}
	defer a.file.Close()
	raw, err := a.file.SyscallConn()
	if err != nil {
		return err
	}
	wait := raw.Read
	if events == unix.POLLOUT {
		wait = raw.Write
	}
	defer s.attachReader(h)
	h.deadline.attach(a)
	defer h.deadline.detach()
	for {
		err := wait(func(fd uintptr) bool { return isThere(int(fd), events) })
		if why := s.ready(h); why != nil {
			return why
		}
		if err == nil || !os.IsTimeout(err) {
			return err
		}
		a.file.SetDeadline(time.Time{}) // it was put off meanwhile
	}
}

// isThere reports whether one of the events has happened, or a write is to find the end.
func isThere(fd int, events uint32) bool {
	now := [1]unix.PollFd{{Fd: int32(fd), Events: int16(events)}}
	if n, err := unix.Poll(now[:], 0); err != nil || n == 0 {
		return false
	}
	return events != unix.POLLOUT || isRoom(int32(now[0].Revents), false)
}

// endStuck ends what waits in the kernel for connections when the engine is shut down, where
// nothing else can.
func (e *engine) endStuck() {
	if e.forbidden.stuck.Load() {
		e.mu.Lock()
		defer e.unlock()
		e.eachFlying((*op).endStuck)
	}
}

// endStuck ends what waits in the kernel for a connection that is closed, where nothing else
// can.
func (s *socket) endStuck() {
	if s.engine.forbidden.stuck.Load() {
		unix.Shutdown(s.fd, unix.SHUT_RDWR)
	}
}
