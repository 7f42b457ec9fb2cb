//go:build linux

package ringio

import (
	"sync"
	"sync/atomic"

	"github.com/go-liburing/liburing"
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

	// keep is what the kernel may touch until the end, beside buf.
	buf  []byte
	keep any

	// told, if set, is called with each completion in place of waking a waiter, with
	// more set while others follow. It runs while the ring is locked: it must not
	// block, and not submit (stage does).
	told func(o *op, res int32, flags liburing.CQEFlags, more bool)

	// late, if set, is called when the request is about to be submitted, and prepares
	// sqe. It runs while the ring is locked, as told does.
	late func(o *op)

	res   int32
	flags liburing.CQEFlags
	done  chan struct{} // one place

	cancelled atomic.Bool // somebody has asked for its end

	engine *engine
	index  uint32
	use    uint32        // counts the submissions; belongs to the ring's lock
	flying bool          // the kernel has it; belongs to the ring's lock
	remade uint8         // since it was staged; the ring's lock
	first  bool          // res is that of a completion before the last; the ring's lock
	next   atomic.Uint32 // in the list of free ones: index + 1
}

// entry returns the op's empty entry, to be prepared.
func (o *op) entry() *liburing.SQE {
	o.sqe = liburing.SQE{}
	return &o.sqe
}

// token is the user data of the present use.
func (o *op) token() uint64 { return uint64(o.use)<<32 | uint64(o.index) }

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
		o.done <- struct{}{}
	}
}

// table has all ops of an engine. Free ones form a list without a lock.
type table struct {
	all  atomic.Pointer[[]*op]
	free atomic.Uint64 // a count of the changes, and index + 1 of the first
	grow sync.Mutex
}

// list returns all ops.
func (t *table) list() []*op {
	if all := t.all.Load(); all != nil {
		return *all
	}
	return nil
}

// acquire returns an op that nobody uses.
func (t *table) acquire(e *engine) *op {
	for {
		head := t.free.Load()
		if uint32(head) == 0 {
			return t.add(e)
		}
		o := t.list()[uint32(head)-1]
		if t.free.CompareAndSwap(head, changed(head, o.next.Load())) {
			return o
		}
	}
}

// changed is the list's head when place is the first.
func changed(head uint64, place uint32) uint64 { return (head>>32+1)<<32 | uint64(place) }

// release gives an op back, which the kernel must not have.
func (t *table) release(o *op) {
	o.buf, o.keep, o.told, o.late = nil, nil, nil, nil
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
	all := t.list()
	o := &op{done: make(chan struct{}, 1), engine: e, index: uint32(len(all))}
	all = append(all, o) // readers of the old slice do not look that far
	t.all.Store(&all)
	return o
}

// find returns the op that user data names if the use is the present one.
func (t *table) find(token uint64) *op {
	all := t.list()
	if uint64(uint32(token)) >= uint64(len(all)) {
		return nil
	}
	if o := all[uint32(token)]; o.use == uint32(token>>32) && o.flying {
		return o
	}
	return nil
}
