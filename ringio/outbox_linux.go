//go:build linux

package ringio

import (
	"sync"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// outbox has what was written while the crowd was there: it is sent by the ring's next
// turn. One send is on its way at a time, and what is written meanwhile goes with the
// next one, so the order is kept. There are never more than boxSize bytes waiting. It is one
// line of the processor's cache, see socket.
type outbox struct {
	engine *engine
	wake   chan struct{} // one place, for who waits in flush

	mu      sync.Mutex
	op      *op     // the send or its wait for room, staged or on its way, nil if there is none
	waiting *boxful // what the next send has
	flying  *boxful // what the kernel has
	fd      int32
	sent    int32   // bytes of flying that have been sent
	failed  int16   // an errno
	does    boxWork // the op
	ends    bool    // the connection's end is to be sent behind all that
	room    bool    // it has been waited for, and is there
	looked  bool    // how it is at first is known: what comes now is a change
	blocks  bool    // the kernel can't be asked for room, and waits for it in the send
	awaited bool    // somebody waits in flush: of the others' wake nothing need be fetched
}

// boxWork is what a box's op does. A send that finds no room does not wait, as in
// sendWaiting.
type boxWork uint8

const (
	boxSends   boxWork = iota
	boxPolls           // waits for room
	boxWatches         // waits for it where the other direction has ended
)

const (
	boxSize   = 16 << 10
	mostBoxed = 4 << 10 // of one write: copying more is no gain
)

// boxful is what one send has: as a rule so little that it lies beside what tells how much.
// Of what lies apart, as large pieces of memory do, each would be in no cache.
type boxful struct {
	n     int
	parts int    // writes
	large []byte // what has no room in small
	small [216]byte
}

// The sizes of a box, beside small.
type (
	largeBox [4 << 10]byte
	fullBox  [boxSize]byte
)

var (
	boxfuls    = sync.Pool{New: func() any { return new(boxful) }}
	largeBoxes = sync.Pool{New: func() any { return new(largeBox) }}
	fullBoxes  = sync.Pool{New: func() any { return new(fullBox) }}
)

// add appends p, if it has room.
func (f *boxful) add(p []byte) bool {
	n := f.n + len(p)
	if n > boxSize {
		return false
	}
	if n > len(f.all()) {
		f.grow(n)
	}
	copy(f.all()[f.n:], p)
	f.n = n
	f.parts++
	return true
}

// all returns the memory.
func (f *boxful) all() []byte {
	if f.large != nil {
		return f.large
	}
	return f.small[:]
}

// grow makes room for n bytes in all.
func (f *boxful) grow(n int) {
	var room []byte
	if n <= len(largeBox{}) {
		room = largeBoxes.Get().(*largeBox)[:]
	} else {
		room = fullBoxes.Get().(*fullBox)[:]
	}
	copy(room, f.all()[:f.n])
	f.releaseLarge()
	f.large = room
}

// release gives the memory back.
func (f *boxful) release() {
	f.releaseLarge()
	f.n, f.parts = 0, 0
	boxfuls.Put(f)
}

func (f *boxful) releaseLarge() {
	switch len(f.large) {
	case len(largeBox{}):
		largeBoxes.Put((*largeBox)(f.large))
	case len(fullBox{}):
		fullBoxes.Put((*fullBox)(f.large))
	}
	f.large = nil
}

func newOutbox(e *engine, fd int) *outbox {
	return &outbox{engine: e, fd: int32(fd), wake: make(chan struct{}, 1)}
}

// put takes p to be sent, if it has room. The error is that of a send before it.
func (b *outbox) put(p []byte) (taken bool, err error) {
	b.mu.Lock()
	taken, err = b.take(p)
	b.mu.Unlock()
	return taken, err
}

// take is put with the lock held.
func (b *outbox) take(p []byte) (taken bool, err error) {
	switch {
	case b.failed != 0:
		return false, b.tell()
	case b.ends:
		return false, unix.EPIPE
	case b.waiting == nil:
		b.waiting = boxfuls.Get().(*boxful)
	}
	if !b.waiting.add(p) {
		return false, nil
	}
	if b.op != nil {
		return true, nil
	}
	b.op = b.engine.acquire()
	b.op.keep, b.op.late, b.op.told = b, prepareBox, toldBox
	if b.engine.stage(b.op) != nil { // it is being shut down: the writer sends p itself
		b.waiting.release()
		b.idle()
		return false, nil
	}
	return true, nil
}

func prepareBox(o *op) { o.keep.(*outbox).prepare(o) }

func toldBox(o *op, res int32, _ liburing.CQEFlags, more bool) { o.keep.(*outbox).told(o, res, more) }

// prepare makes the request. The ring is locked.
func (b *outbox) prepare(o *op) {
	b.mu.Lock()
	switch b.does {
	case boxSends:
		b.prepareSend(o)
	case boxPolls:
		o.entry().PrepPollAdd(int(b.fd), unix.POLLOUT)
	case boxWatches:
		o.entry().PrepPollMultishot(int(b.fd), unix.POLLOUT)
	}
	b.mu.Unlock()
}

// prepareSend takes what waits, if nothing is on its way.
func (b *outbox) prepareSend(o *op) {
	if b.flying == nil {
		b.flying, b.waiting = b.waiting, nil
		b.engine.few.saved += b.flying.parts - 1
	} // else that is made anew, or goes on
	flags := unix.MSG_NOSIGNAL | unix.MSG_DONTWAIT
	if b.blocks {
		flags = unix.MSG_NOSIGNAL | unix.MSG_WAITALL
	}
	o.entry().PrepSend(int(b.fd), b.flying.all()[b.sent:b.flying.n], flags)
}

// told takes what a request has come to, and has the next one made. The ring is locked.
func (b *outbox) told(o *op, res int32, more bool) {
	b.mu.Lock()
	b.goOn(o, res, more)
	b.mu.Unlock()
}

// goOn is told with the lock held.
func (b *outbox) goOn(o *op, res int32, more bool) {
	switch {
	case res == -int32(unix.ECANCELED) && b.failed == 0 && b.engine.forbidden.is():
		b.engine.flying++ // for Shutdown
		go b.sendAside()
		return
	case b.does != boxSends:
		b.toldRoom(o, res, more)
	case res == -int32(unix.EAGAIN) && !b.blocks:
		b.does = boxPolls
	case res < 0:
		b.failed = int16(-res)
	default:
		b.toldSent(int(res))
	}
	if more {
		return
	}
	if b.isCut() {
		b.cut()
	}
	if !b.ended() {
		b.engine.stageAgain(o)
	}
}

// ended reports whether there is nothing more to be sent, and sees to what is to be done then.
func (b *outbox) ended() bool {
	all := b.failed == 0 && b.flying == nil && b.waiting == nil
	if all && b.ends {
		unix.Shutdown(int(b.fd), unix.SHUT_WR) // the descriptor is open as long as there is a send
	}
	if all || b.failed != 0 {
		b.idle()
		return true
	}
	return false
}

func (b *outbox) toldSent(n int) {
	if b.sent += int32(n); int(b.sent) == b.flying.n {
		b.flying.release()
		b.flying, b.sent = nil, 0
	}
}

// toldRoom takes what a wait for room brings.
func (b *outbox) toldRoom(o *op, res int32, more bool) {
	b.room = b.room || isRoom(res, b.looked)
	b.looked = more
	switch {
	case more:
		if b.room && !o.cancelled.Swap(true) {
			o.engine.cancelToken(o.token(), cancelPause)
		}
	case b.room:
		b.does, b.room = boxSends, false
	case res > 0:
		b.does = boxWatches
	case res == -int32(unix.EINVAL) && b.does == boxWatches:
		b.does, b.blocks = boxSends, true
	default:
		b.failed = int16(-res)
	}
}

// isCut reports whether Shutdown has ended what was to be sent: the connection is there, but
// what was written has a gap at its end.
func (b *outbox) isCut() bool { return b.failed == int16(unix.ECANCELED) }

// cut has nothing more sent, and the connection reset at Close: the peer must not take the end
// that it sends for the end of all.
func (b *outbox) cut() {
	b.failed = int16(unix.ECANCELED)
	unix.SetsockoptLinger(int(b.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// endBehind has the connection's end sent behind what is to be sent, and nothing taken any
// more. There is nothing behind which it could be if it reports false.
func (b *outbox) endBehind() (behind bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isCut() {
		return false, ErrShutdown
	}
	b.ends = true
	return b.op != nil, nil
}

// idle says that nothing is to be sent any more.
func (b *outbox) idle() {
	b.engine.release(b.op)
	b.op, b.flying, b.waiting, b.sent = nil, nil, nil, 0
	b.does, b.room = boxSends, false
	if b.awaited {
		b.awaited = false
		b.expire()
	}
}

// drop gives up what has not been sent, and returns when the kernel has nothing of it.
func (b *outbox) drop() {
	e := b.engine
	e.mu.Lock() // first, as when told
	b.mu.Lock()
	b.failed = int16(unix.ECONNABORTED)
	if o := b.op; o != nil && !o.cancelled.Swap(true) && o.flying {
		e.cancelToken(o.token(), cancelPause)
	}
	b.mu.Unlock()
	e.mu.Unlock()
	b.flushes(1 << 62)
}

// expire has who waits in flush look up.
func (b *outbox) expire() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// state reports whether something is to be sent yet, and the error of what was sent, see tell.
func (b *outbox) state() (busy bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.op != nil, b.tell()
}

func (b *outbox) busy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.op != nil
}

// mustWait is busy for one who is going to wait until it is not.
func (b *outbox) mustWait() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.awaited = b.op != nil
	return b.awaited
}

// tell returns the error of what was sent. One that ends the connection the kernel tells once,
// whether a write or a read; it tells the writes behind that EPIPE. The lock is held.
func (b *outbox) tell() error {
	if b.failed == 0 {
		return nil
	}
	errno := unix.Errno(b.failed)
	if endsConnection(errno) {
		b.failed = int16(unix.EPIPE)
	}
	return errno
}

// takeEnd returns the error that has ended the connection, for a read, if nobody was told.
func (b *outbox) takeEnd() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !endsConnection(unix.Errno(b.failed)) {
		return nil
	}
	return b.tell()
}

// endsConnection reports whether an error is one that the kernel keeps for whoever asks first.
func endsConnection(errno unix.Errno) bool {
	switch errno {
	case unix.ECONNRESET, unix.ECONNABORTED, unix.ETIMEDOUT, unix.EHOSTUNREACH, unix.ENETUNREACH:
		return true
	}
	return false
}

// flush waits until all has been sent, until the deadline or Close ends that.
func (s *socket) flush(b *outbox) error {
	if busy, err := b.state(); !busy {
		return err
	}
	if err := s.awaitSent(b); err != nil {
		return err
	}
	_, err := b.state()
	return err
}

// awaitSent is flush that leaves the error of what was sent to others.
func (s *socket) awaitSent(b *outbox) error {
	s.out.deadline.attach(b)
	defer s.out.deadline.detach()
	s.engine.drive()
	for b.mustWait() {
		if err := s.ready(&s.out); err != nil {
			return err
		}
		<-b.wake
	}
	return nil
}

// flushAside is flush for who is about to do something else with the descriptor, which must
// not come before what was written. As a rule that is on its way, whatever the deadline is by
// now. Nobody who looks at a connection that is stuck is to wait for the writer who is, too: what
// that one writes has no order beside it.
func (s *socket) flushAside() error {
	b := s.box.Load()
	if b == nil {
		return nil
	}
	s.engine.drive()
	for limit := time.Now().Add(boxPatience); b.busy() && time.Now().Before(limit); {
		time.Sleep(20 * time.Microsecond)
	}
	if !b.busy() || !s.out.mu.TryLock() {
		return nil
	}
	defer s.out.mu.Unlock()
	return s.awaitSent(b)
}

// flushes waits until all has been sent, but no longer than limit.
func (b *outbox) flushes(limit time.Duration) bool {
	b.engine.drive()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for waited := false; ; waited = true {
		if !b.mustWait() {
			if waited {
				b.expire() // another may wait: Close beside CloseWrite
			}
			return true
		}
		select {
		case <-b.wake:
		case <-timer.C:
			return false
		}
	}
}
