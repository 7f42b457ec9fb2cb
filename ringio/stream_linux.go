//go:build linux

package ringio

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// stream receives a busy TCP connection's bytes by a request that stays in the kernel,
// into buffers that the connections of a ring share: then a Read that waits asks for
// nothing. What comes while nobody reads is kept for the next Read, up to maxAhead;
// then the request is taken back, so that the peer has to wait.
//
// It knows nothing of its socket, so that one that is forgotten can be closed.
//
// There may be many: it is as small as can be.
type stream struct {
	mu          sync.Mutex
	op          *op           // the request, nil if there is none
	waiting     []byte        // the memory of the reader who waits
	wake        chan struct{} // one place, for that one
	got         int32         // bytes put where the reader waits
	ahead       int32         // bytes that came while nobody read
	end         int32
	armed       bool // the request is staged, and the ring has not been told
	interrupted bool // the deadline or Close wants the reader to look up
	dry         bool // the shared buffers were all taken
	barred      bool // no request is made any more

	engine      *engine
	gone        chan struct{} // closed when the request that was asked back is
	fd          int32
	first, last int32        // places + 1 of the buffers that came ahead
	taken       int32        // bytes of the first that were read
	full        atomic.Int32 // buffers in a row that came full
	leaves      bool         // what came ahead has been taken over, see retire
	_           [23]byte     // to whole lines

	near near // another line
}

const (
	maxAhead = 16 << 10
	// With mostAhead a request ends by itself: while a program that has one processor does
	// something else, nobody takes it back. Needs Linux 6.17.
	mostAhead = 128 << 10
	atEnd     = 1 // in stream.end: an end has come, for the kernel to tell; below zero an errno
)

// newStream returns a stream, nil where the kernel can't have one.
func newStream(e *engine, fd int) *stream {
	if !e.shareBuffers() {
		return nil
	}
	return &stream{engine: e, fd: int32(fd), wake: make(chan struct{}, 1)}
}

// outcome says what a stream's read has come to.
type outcome int

const (
	hasRead   outcome = iota // bytes, the end or an error
	lookUp                   // the deadline or Close may have come
	askKernel                // the shared buffers are all taken, the ring is shut down, or it is an end
)

// read returns what has come, or waits for it.
func (r *stream) read(p []byte) (n int, is outcome, err error) {
	for {
		r.mu.Lock()
		r.leaveShut()
		if r.ahead > 0 {
			n, is = r.take(p), hasRead
		} else if is, err = r.state(); is == mustWait {
			r.waiting = p
		}
		armed := r.armed
		r.armed = false
		r.mu.Unlock()
		if is != mustWait {
			return n, is, err
		}
		if armed {
			r.engine.kickAside()
		}
		r.near.waits(p)
		<-r.wake
		if n = int(r.got); n > 0 { // nobody else has to do with it before the next read
			r.got = 0
			return n, hasRead, nil
		}
	}
}

// nothing is the memory of who waits without any.
var nothing = []byte{}

// wait waits until read has something to return.
func (r *stream) wait() outcome {
	for {
		r.mu.Lock()
		r.leaveShut()
		is := hasRead
		switch {
		case r.ahead > 0 || r.end != 0:
		case r.interrupted:
			r.interrupted = false
			is = lookUp
		case r.dry || r.op == nil && !r.arm():
			is = askKernel
		default:
			r.waiting = nothing
			is = mustWait
		}
		armed := r.armed
		r.armed = false
		r.mu.Unlock()
		if is != mustWait {
			return is
		}
		if armed {
			r.engine.kickAside()
		}
		r.near.waits(nothing)
		<-r.wake
	}
}

// leaveShut takes the request back for good once the engine is being shut down: that waits for
// who reads now, and not for what he reads next. The lock is held, but not meanwhile.
func (r *stream) leaveShut() {
	if r.engine.closed() {
		r.barred = true
		r.getBack()
	}
}

// mustWait is what state returns where a read has to.
const mustWait outcome = -1

// state says why a read that finds no bytes need not wait. If it must there is a
// request.
func (r *stream) state() (outcome, error) {
	switch {
	case r.end == atEnd:
		r.end = 0 // CloseRead's is not the last word: what comes behind it is read, as in net
		return askKernel, nil
	case r.end != 0:
		return hasRead, r.tellEnd()
	case r.interrupted:
		r.interrupted = false
		return lookUp, nil
	case r.dry:
		r.dry = false
		return askKernel, nil
	case r.op == nil && !r.arm():
		return askKernel, nil
	}
	return mustWait, nil
}

// arm makes the request, if it may. The lock is held. Where it may not, the kernel has none
// any more: what another request brought meanwhile would be out of order.
func (r *stream) arm() bool {
	if r.barred {
		return false
	}
	o := r.engine.acquire()
	sqe := o.entry()
	sqe.PrepRecvMultishot(int(r.fd), nil, 0) // RecvSendPollFirst has the kernel miss resets
	sqe.SetFlags(liburing.SQEBufferSelect)
	sqe.SetBufGroup(sharedGroup)
	if r.engine.limits.Load() {
		sqe.FileIndex = mostAhead
	}
	o.keep, o.told = r, toldStream
	if r.engine.stage(o) != nil {
		r.engine.release(o)
		return false
	}
	r.op, r.armed = o, true
	return true
}

func toldStream(o *op, res int32, flags liburing.CQEFlags, more bool) {
	o.keep.(*stream).told(o, res, flags, more)
}

// told takes what the request brings. The ring is locked.
func (r *stream) told(o *op, res int32, flags liburing.CQEFlags, more bool) {
	cqe := liburing.CQE{Res: res, Flags: flags}
	id, has := cqe.BufferID()
	r.mu.Lock()
	if has {
		r.bring(int(id), int(res))
	}
	if more {
		r.follow(o)
	} else {
		r.ends(o, res)
	}
	if r.waiting != nil && (r.got > 0 || r.ahead > 0 || r.op == nil) {
		r.wakeReader()
	}
	if r.ahead > maxAhead && r.op != nil && r.engine.cancelHere(r.op) {
		r.engine.counts.cancels++
	}
	r.mu.Unlock()
}

// bring gives a buffer's bytes to the reader who waits, or keeps them.
func (r *stream) bring(id, n int) {
	shared := r.engine.shared
	if shared.free--; shared.free < shared.made/8 {
		shared.grow()
	}
	switch {
	case n <= 0:
		shared.add(id)
	case r.waiting != nil && r.got == 0 && n <= len(r.waiting):
		r.got = int32(copy(r.waiting, shared.bytes(id)[:n]))
		shared.add(id)
	default:
		r.keep(id, n)
		if r.waiting != nil && r.got == 0 {
			r.got = int32(r.take(r.waiting))
		}
	}
	if n == sharedSize {
		r.full.Add(1)
	} else if r.full.Load() != 0 {
		r.full.Store(0)
	}
}

// ends notes with what the request has ended.
func (r *stream) ends(o *op, res int32) {
	switch {
	case res == 0:
		r.end = atEnd
	case res == -int32(unix.ENOBUFS):
		r.dry = true
		r.engine.shared.grow()
	case res == -int32(unix.EINVAL) && o.sqe.FileIndex != 0: // this kernel knows no mostAhead
		r.engine.limits.Store(false)
	case res == -int32(unix.ECANCELED): // taken back: the next read makes it anew if it may
	case res < 0:
		r.end = res
	}
	r.op = nil
	if r.gone != nil {
		close(r.gone)
		r.gone = nil
		return
	}
	r.engine.release(o)
	if res == -int32(unix.ECANCELED) && r.waiting != nil { // it follows the pump, see home
		r.arm()
		r.armed = false // this turn submits it
	}
}

// recall asks for the request back. The channel is closed when the kernel has it no
// more.
func (r *stream) recall() (gone chan struct{}) {
	if r.gone == nil {
		o, e := r.op, r.engine
		gone := make(chan struct{})
		r.gone = gone
		go func() { // the ring may be locked
			e.cancel(o)
			<-gone
			e.release(o)
		}()
	}
	return r.gone
}

// recallUnread asks for the request back if nobody waits for what it brings.
func (r *stream) recallUnread() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == nil && r.op != nil {
		r.recall()
	}
}

func (r *stream) wakeReader() {
	r.waiting = nil
	r.engine.woken++
	r.wake <- struct{}{}
}

// keep appends a buffer to those that came ahead, or what it has to the last of them: a peer
// that sends little at a time must not keep all buffers from others.
func (r *stream) keep(id, n int) {
	shared, place := r.engine.shared, int32(id)+1
	r.ahead += int32(n)
	if r.last != 0 && shared.join(int(r.last-1), id, n) {
		shared.add(id)
		return
	}
	shared.length[id], shared.next[id] = int32(n), 0
	if r.last == 0 {
		r.first = place
	} else {
		shared.next[r.last-1] = place
	}
	r.last = place
}

// take moves bytes that came ahead to p.
func (r *stream) take(p []byte) (n int) {
	shared := r.engine.shared
	for n < len(p) && r.first != 0 {
		id := int(r.first - 1)
		part := copy(p[n:], shared.bytes(id)[r.taken:shared.length[id]])
		n += part
		r.taken += int32(part)
		if r.taken == shared.length[id] {
			r.first, r.taken = shared.next[id], 0
			if r.first == 0 {
				r.last = 0
			}
			shared.giveBack(id)
		}
	}
	r.ahead -= int32(n)
	return n
}

// tellEnd returns the error that the stream has ended with, which the kernel tells once; then
// the connection is at its end.
func (r *stream) tellEnd() error {
	errno := unix.Errno(-r.end)
	r.end = atEnd
	return errno
}

// takeReset returns the reset that nobody was told of yet, for a write to tell.
func (r *stream) takeReset() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.getBackOnce() // or it may be on its way; what a reader has made behind it has not heard of it
	if r.end != -int32(unix.ECONNRESET) {
		return nil
	}
	return r.tellEnd()
}

// expire has the reader look up, now or when it is about to wait.
func (r *stream) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.interrupted = true
	if r.waiting != nil {
		r.waiting = nil
		r.wake <- struct{}{}
	}
}

// getBack returns when the kernel has the request no more. The lock is held, but not
// meanwhile.
func (r *stream) getBack() {
	for r.op != nil {
		r.getBackOnce()
	}
}

// getBackOnce is getBack of the present request: a reader who waits may have made another by
// then.
func (r *stream) getBackOnce() {
	if r.op != nil {
		gone := r.recall()
		r.mu.Unlock()
		<-gone
		r.mu.Lock()
	}
}

// bar takes the request back for good, from under the reader who waits, too, and reports
// whether bytes have come in advance, though that one may have them by now.
func (r *stream) bar() (ahead bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.barred = true
	r.getBack()
	return r.ahead > 0 || r.leaves
}

// retire takes the request back, and returns what has come.
func (r *stream) retire() *leftover {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.getBack()
	if r.end == atEnd { // the kernel says so again, or has more
		r.end = 0
	}
	if r.ahead == 0 && r.end == 0 {
		return nil
	}
	left := &leftover{end: r.end}
	if r.ahead > 0 {
		left.bytes = make([]byte, r.ahead)
		r.take(left.bytes)
		r.leaves = true
	}
	return left
}

// sharedBuffers are what the streams of a ring receive into.
type sharedBuffers struct {
	memory []byte // outside the Go heap: the kernel has it as long as the ring is there, see end
	ring   *liburing.BufRing
	free   int     // what the kernel has; this, made, added and add belong to the ring's lock
	made   int     // so many have been added for the first time
	added  int     // so many since show
	length []int32 // of what came, for who keeps it
	next   []int32

	mu    sync.Mutex
	back  []int // given back by readers
	some  atomic.Bool
	ended bool // the ring is gone
	kept  int  // from then on: what came ahead and is still to be read
}

const (
	sharedGroup = 1
	sharedFirst = 128
	sharedSize  = 2 << 10
)

// shareBuffers makes the buffers, if there are none yet, and reports whether there are.
// Needs Linux 6.0, for the requests too.
func (e *engine) shareBuffers() bool {
	switch e.sharing.Load() {
	case 1:
		return true
	case -1:
		return false
	}
	e.mu.Lock()
	defer e.unlock()
	if e.shared != nil {
		return true
	}
	if e.ended {
		return false
	}
	shared, err := newSharedBuffers(e.ring, max(e.ring.CQEntries()/2, leastRoom))
	if err != nil {
		e.sharing.Store(-1)
		return false
	}
	e.shared = shared
	e.limits.Store(true)
	e.sharing.Store(1)
	return true
}

// newSharedBuffers makes so many buffers, or fewer where these may take no more memory.
func newSharedBuffers(ring *liburing.Ring, count int) (*sharedBuffers, error) {
	bufRing, err := ring.SetupBufRing(count, sharedGroup, 0)
	for ; errors.Is(err, unix.ENOMEM) && count > sharedFirst; bufRing, err = ring.SetupBufRing(count, sharedGroup, 0) {
		count /= 4
	}
	if err != nil {
		return nil, err
	}
	memory, err := unix.Mmap(-1, 0, count*sharedSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		bufRing.Free()
		return nil, err
	}
	b := &sharedBuffers{memory: memory, ring: bufRing, length: make([]int32, count), next: make([]int32, count)}
	b.grow()
	return b, nil
}

// grow adds as many buffers as there are already. Few do for thousands of connections
// that have little to say; memory that was never added the system has not given.
func (b *sharedBuffers) grow() {
	for range min(max(b.made, sharedFirst), len(b.length)-b.made) {
		b.add(b.made)
		b.made++
	}
	b.show()
}

func (b *sharedBuffers) bytes(id int) []byte {
	return b.memory[id*sharedSize : (id+1)*sharedSize]
}

// join adds the n bytes of a buffer to those of another, if that has room for them.
func (b *sharedBuffers) join(to, id, n int) bool {
	had := int(b.length[to])
	if had+n > sharedSize {
		return false
	}
	copy(b.bytes(to)[had:], b.bytes(id)[:n])
	b.length[to] += int32(n)
	return true
}

// add gives the kernel a buffer, which gets to see it with show.
func (b *sharedBuffers) add(id int) {
	b.ring.Add(b.bytes(id), uint16(id), b.added)
	b.free++
	if b.added++; b.added == shownAtOnce {
		b.show()
	}
}

// shownAtOnce is how many buffers wait for show at most: few of the least there are.
const shownAtOnce = 16

// show has the kernel see what was added: a store that others see costs more than the rest.
func (b *sharedBuffers) show() {
	if b != nil && b.added > 0 {
		b.ring.Advance(b.added)
		b.added = 0
	}
}

// giveBack is add for those who have no lock: the ring's next turn does it.
func (b *sharedBuffers) giveBack(id int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		b.kept--
		b.unmapUnused()
		return
	}
	b.back = append(b.back, id)
	b.some.Store(true)
}

// end gives the memory back to the system when the ring is gone and what came ahead has been
// read, or its connection closed or forgotten. The ring is locked.
func (b *sharedBuffers) end() {
	b.ring.Free()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended, b.kept = true, b.made-b.free-len(b.back)
	b.unmapUnused()
}

func (b *sharedBuffers) unmapUnused() {
	if b.kept == 0 {
		unix.Munmap(b.memory)
		b.memory = nil
	}
}

// takeBack gives the kernel what was given back. The ring is locked.
func (b *sharedBuffers) takeBack() {
	if b == nil || !b.some.Load() {
		return
	}
	b.mu.Lock()
	for _, id := range b.back {
		b.add(id)
	}
	b.show()
	b.back = b.back[:0]
	b.some.Store(false)
	b.mu.Unlock()
}
