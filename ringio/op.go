//go:build linux

package ringio

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/prefetch"
)

// op is a request: what is asked of the kernel, what it may touch meanwhile, and how
// its end is told. An engine makes it once and uses it again and again; its place in
// the engine's table is its name to the kernel, with a number of the use beside it, so
// that a late completion or cancel can't be taken for one of the next use.
//
// Whoever has acquired an op fills entry, sets keep and perhaps told, submits it, and
// waits or is told; then it may be submitted again, or released.
type op struct {
	sqe liburing.SQE

	// What the kernel may touch until the end, and what told and late work on.
	keep any

	// told, if set, is called with each completion in place of waking a waiter, with
	// more set while others follow. It runs while the ring is locked: it must not
	// block, and not submit (stage does).
	told func(o *op, res int32, flags liburing.CQEFlags, more bool)

	// late, if set, is called when the request is about to be submitted, and prepares
	// sqe. It runs while the ring is locked, as told does.
	late func(o *op)

	engine *engine
	index  uint32
	use    uint32 // counts the submissions; belongs to the ring's lock
	flying bool   // the kernel has it; belongs to the ring's lock
	place  uint8  // among those who owe; the ring's lock
	remade uint8  // since it was staged; the ring's lock
	first  bool   // res is that of a completion before the last; the ring's lock
	quick  bool   // waitContext waits
	brief  bool   // it takes no time to submit, see brief

	cancelled atomic.Bool // somebody has asked for its end
	thread    int32       // that submitted it; the ring's lock; all since sqe is in one line of the processor's cache

	res   int32
	flags liburing.CQEFlags
	done  sync.WaitGroup // for who waits: smaller than a channel, thousands may
	ended chan struct{}  // one place: the same for waitContext, which is quicker, too
	buf   *byte          // held as keep is

	target uint64        // of a cancel
	pause  time.Duration // before it is repeated

	next atomic.Uint32 // in the list of free ones: index + 1
	_    [4]byte       // to whole lines
}

// entry returns the op's empty entry, to be prepared.
func (o *op) entry() *liburing.SQE {
	o.sqe = liburing.SQE{}
	return &o.sqe
}

// hold keeps memory until the op is released.
func (o *op) hold(b []byte) { o.buf = unsafe.SliceData(b) }

// token is the user data of the present use.
func (o *op) token() uint64 { return uint64(o.use)<<32 | uint64(o.index) }

// forFile reports whether the request is of the kind that files are read and written by.
func (o *op) forFile() bool {
	switch o.sqe.Opcode {
	case liburing.OpRead, liburing.OpReadFixed, liburing.OpReadv, liburing.OpReadvFixed,
		liburing.OpWrite, liburing.OpWriteFixed, liburing.OpWritev, liburing.OpWritevFixed, liburing.OpFsync:
		return true
	}
	return false
}

// finish tells the end, or something before it.
func (o *op) finish(res int32, flags liburing.CQEFlags) {
	more := flags&liburing.CQEFMore != 0
	o.flying = more
	if o.told != nil {
		o.told(o, res, flags, more)
		return
	}
	if !o.first { // what follows, of a send without a copy, is that its memory is free
		o.res, o.flags = res, flags
	}
	if o.first = more; !more {
		o.engine.woken++
		if o.quick {
			o.ended <- struct{}{}
		} else {
			o.done.Done()
		}
	}
}

// forContext says, before o is submitted, that waitContext is going to wait for it.
func (o *op) forContext() {
	if o.quick = true; o.ended == nil {
		o.ended = make(chan struct{}, 1)
	}
}

// table has all ops of an engine, some in each piece of memory. Free ones form a list
// without a lock.
type table struct {
	all  atomic.Pointer[[]*piece]
	free atomic.Uint64 // a count of the changes, and index + 1 of the first
	grow sync.Mutex
	rest []op // of the last piece, not used yet
}

// piece has ops that begin with a line of the processor's cache.
type piece struct {
	_   [prefetch.Line - 8]byte // before it the heap has 8 bytes of its own
	ops [32]op
}

// pieces returns all ops.
func (t *table) pieces() []*piece {
	if all := t.all.Load(); all != nil {
		return *all
	}
	return nil
}

// at returns the op of an index.
func (t *table) at(index uint32) *op {
	const n = uint32(len(piece{}.ops))
	return &t.pieces()[index/n].ops[index%n]
}

// acquire returns an op that nobody uses.
func (t *table) acquire(e *engine) *op {
	for {
		head := t.free.Load()
		if uint32(head) == 0 {
			return t.add(e)
		}
		o := t.at(uint32(head) - 1)
		if t.free.CompareAndSwap(head, changed(head, o.next.Load())) {
			return o
		}
	}
}

// changed is the list's head when place is the first.
func changed(head uint64, place uint32) uint64 { return (head>>32+1)<<32 | uint64(place) }

// release gives an op back, which the kernel must not have.
func (t *table) release(o *op) {
	o.buf, o.keep, o.told, o.late, o.quick, o.brief = nil, nil, nil, nil, false, false
	for {
		head := t.free.Load()
		o.next.Store(uint32(head))
		if t.free.CompareAndSwap(head, changed(head, o.index+1)) {
			return
		}
	}
}

func (t *table) add(e *engine) *op {
	t.grow.Lock()
	defer t.grow.Unlock()
	if len(t.rest) == 0 {
		t.rest = t.more(e)
	}
	o := &t.rest[0]
	t.rest = t.rest[1:]
	return o
}

// more makes a piece.
func (t *table) more(e *engine) []op {
	p, all := new(piece), t.pieces()
	for i := range p.ops {
		p.ops[i].engine, p.ops[i].index = e, uint32(len(all)*len(p.ops)+i)
	}
	all = append(all, p) // readers of the old slice do not look that far
	t.all.Store(&all)
	return p.ops[:]
}

// find returns the op that user data names if the use is the present one.
func (t *table) find(token uint64) *op {
	if uint64(uint32(token)) >= uint64(len(t.pieces())*len(piece{}.ops)) {
		return nil
	}
	if o := t.at(uint32(token)); o.use == uint32(token>>32) && o.flying {
		return o
	}
	return nil
}
