package liburing

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"math/bits"
	"syscall"
)

// BufGroup is a group of buffers that a loop's requests receive into: the kernel takes
// one when there is data, so a thousand idle connections need none. A request uses it
// by Request.Buffers.
//
// A callback borrows the bytes (Completion.Buffer), and the buffer goes back to the
// kernel when it returns, unless it keeps them (Completion.Keep) until
// Borrowed.Release. When all buffers are taken, a request ends with ENOBUFS; Loop.Rearm
// makes it again as soon as buffers are back. The memory is outside the Go heap.
type BufGroup struct {
	loop  *Loop
	ring  *BufRing
	place int // in the loop's list, from 1 on

	incremental bool   // buffers are used up bit by bit
	minLeft     uint32 // what is left of one that is used further, at least

	mem  []byte
	size int
	bufs []provided // by ID
	last int        // the buffer that was put into the ring last, -1 at first

	ready   int          // buffers that the kernel has, as far as completions tell
	users   int          // requests in flight
	leases  slots[lease] // what callbacks have borrowed
	current int          // the lease of the callback that runs, or noLease
	waiting streamList   // requests to be made again when buffers are back
	offered bool         // some are back: it is among the loop's offers

	abandoned bool   // the loop is closed
	detail    detail // of completions that have none otherwise
}

// provided is a buffer of a group.
type provided struct {
	next     uint16 // the buffer that was put into the ring behind this one
	borrowed uint16 // leases on it
	taken    bool   // the kernel is done with it
	used     uint32 // bytes that it has filled
}

// maxProvided is how many entries a ring of buffers may have.
const maxProvided = 1 << 15

// NewBufGroup makes a group of count buffers of size bytes each, count at most
// 32768, and gives them to the kernel. It may be called from any goroutine. Needs
// Linux 5.19.
//
// With PbufRingInc buffers are used up bit by bit, so a large one holds many small
// pieces. This is meant for streams: connections, pipes, files. A datagram would be put
// into what happens to be left of a buffer, and silently be cut there, so receiving
// datagrams needs WithMinLeft. Request.Buffers says what else such a group refuses.
// Needs Linux 6.12.
func (l *Loop) NewBufGroup(count, size int, flags BufRingFlags, opts ...BufGroupOption) (*BufGroup, error) {
	const op = "buffer group"
	if count < 1 || count > maxProvided || size < 1 || size > 1<<30 {
		return nil, badInput(op, "count (%d) must be 1 to %d, size (%d) 1 to 1 GiB", count, maxProvided, size)
	}
	g := &BufGroup{loop: l, incremental: flags&PbufRingInc != 0, size: size, bufs: make([]provided, count), last: -1, current: noLease}
	for _, opt := range opts {
		opt(g)
	}
	if g.minLeft != 0 && (!g.incremental || g.minLeft > uint32(size)) {
		return nil, badInput(op, "what is to be left (%d) needs PbufRingInc, and buffers that have as much (%d)", g.minLeft, size)
	}
	var err error
	if g.mem, err = mapMemory(count * size); err != nil {
		return nil, &OpError{Op: op, Err: err, Hint: fmt.Sprintf("%d bytes could not be mapped", count*size)}
	}
	g.detail.group = g
	if err := l.Control(func(r *Ring) error { return g.register(r, flags) }); err != nil {
		return nil, errors.Join(err, unmapMemory(g.mem))
	}
	return g, nil
}

// BufGroupOption is an option of NewBufGroup.
type BufGroupOption func(*BufGroup)

// WithMinLeft makes the kernel give up a buffer of an incremental group once fewer than
// n bytes of it are left. If n is the longest datagram (for a multishot recvmsg,
// including all that RecvmsgOut takes apart) none is cut. Linux 6.18.44 has it; a
// kernel that does not answers EINVAL.
func WithMinLeft(n int) BufGroupOption {
	return func(g *BufGroup) { g.minLeft = uint32(min(max(n, 0), math.MaxInt32)) }
}

// register finds the group a number and fills its ring.
func (g *BufGroup) register(r *Ring, flags BufRingFlags) (err error) {
	if g.loop.closing.Load() {
		return ErrClosed
	}
	entries := 1 << bits.Len(uint(len(g.bufs)-1))
	for range 1 << 16 { // the next one that is free
		if g.minLeft > 0 && g.loop.nextGroup > maxMappedGroup {
			g.loop.nextGroup = 0
		}
		g.ring, err = g.setup(r, entries, flags)
		g.loop.nextGroup++
		if !errors.Is(err, syscall.EEXIST) {
			break
		}
	}
	if err != nil {
		return err
	}
	for id := range g.bufs {
		g.put(id)
	}
	g.place = g.loop.addGroup(g)
	return nil
}

// setup makes the ring of the group with the next number.
func (g *BufGroup) setup(r *Ring, entries int, flags BufRingFlags) (*BufRing, error) {
	if g.minLeft == 0 {
		return r.SetupBufRing(entries, g.loop.nextGroup, flags)
	}
	ring, err := r.MapBufRing(BufReg{RingEntries: uint32(entries), Bgid: g.loop.nextGroup, Flags: flags, MinLeft: g.minLeft})
	if errors.Is(err, syscall.EINVAL) {
		err = &OpError{Op: "buffer group", Err: syscall.EINVAL, Hint: "this kernel does not know WithMinLeft"}
	}
	return ring, err
}

// addGroup puts a group into the list, at a free place if there is one.
func (l *Loop) addGroup(g *BufGroup) (place int) {
	for i, other := range l.groups {
		if other == nil {
			l.groups[i] = g
			return i + 1
		}
	}
	l.groups = append(l.groups, g)
	return len(l.groups)
}

// Close takes the buffers back from the kernel. While requests that use the group are
// in flight, streams wait for it, or buffers are kept, it does nothing and returns
// ErrBufferInUse. The loop's Close closes its groups itself. A second Close does
// nothing.
func (g *BufGroup) Close() error {
	err := g.loop.Control(func(*Ring) error {
		if g.mem == nil {
			return nil
		}
		if n := g.users + g.leases.used() + g.waiting.n; n > 0 {
			return fmt.Errorf("%w: %d", ErrBufferInUse, n)
		}
		if err := g.ring.Free(); err != nil {
			return err
		}
		g.loop.groups[g.place-1] = nil
		return g.unmap()
	})
	if errors.Is(err, ErrClosed) { // with the loop
		return nil
	}
	return err
}

// abandon gives the group up when the ring is gone. Memory that somebody has
// kept stays until it is released.
func (g *BufGroup) abandon() {
	g.ring.Free()
	g.abandoned = true
	g.unmapIfFree()
}

func (g *BufGroup) unmapIfFree() {
	if g.leases.used() == 0 {
		g.unmap()
	}
}

func (g *BufGroup) unmap() error {
	mem := g.mem
	g.mem = nil
	return unmapMemory(mem)
}

// buffer returns the memory of a buffer.
func (g *BufGroup) buffer(id int) []byte { return g.mem[id*g.size : (id+1)*g.size : (id+1)*g.size] }

// put gives a buffer to the kernel.
func (g *BufGroup) put(id int) {
	g.bufs[id] = provided{}
	if g.last >= 0 {
		g.bufs[g.last].next = uint16(id)
	}
	g.last = id
	g.ring.set(g.buffer(id), uint16(id), 0)
	g.ring.Advance(1)
	g.ready++
	if g.waiting.n > 0 {
		g.offer()
	}
}

// deliver calls the callback of a request that uses the group. truncated tells
// that the result may be more than what is in the buffer.
func (g *BufGroup) deliver(c Completion, cb Callback, truncated bool) {
	if !c.More() {
		g.users--
	}
	if c.detail == nil {
		c.detail = &g.detail
	}
	if c.Res == -int32(syscall.ENOBUFS) {
		g.loop.stats.BuffersShort++
	}
	id, ok := c.BufferID()
	if !ok || int(id) >= len(g.bufs) {
		cb(c)
		return
	}
	n := uint32(max(c.Res, 0))
	if truncated {
		n = min(n, uint32(g.size)-g.bufs[id].used)
	}
	g.current = g.borrow(int(id), n, c.Flags&CQEFBufMore != 0)
	defer g.settle() // the callback may panic
	cb(c)
}

// borrow notes the buffers that a completion has filled with n bytes, from the
// buffer id on, and returns the lease on them. more tells that the kernel goes on
// with the last of them.
func (g *BufGroup) borrow(id int, n uint32, more bool) int {
	if g.leases.full() {
		g.leases.grow()
	}
	place, e := g.leases.acquire()
	l := &e.v
	*l = lease{first: id, off: g.bufs[id].used, n: n}
	for {
		b := &g.bufs[id]
		b.borrowed++
		l.count++
		part := min(n, uint32(g.size)-b.used)
		b.used += part
		if n -= part; n == 0 || int(l.count) == len(g.bufs) {
			l.n -= n // more than there is room for can't be
			b.taken = !more
			if b.taken {
				g.ready--
			}
			return int(place)
		}
		b.taken = true
		g.ready--
		id = int(b.next)
	}
}

// settle ends the borrowing of a callback that has not kept its bytes.
func (g *BufGroup) settle() {
	if i := g.current; i != noLease {
		g.current = noLease
		g.endLease(uint32(i))
	}
}

// endLease ends a lease. Buffers that nobody has borrowed any more and that the
// kernel is done with go back to it.
func (g *BufGroup) endLease(place uint32) {
	e := &g.leases.list[place]
	l := e.v
	g.leases.release(place, e)
	if g.abandoned {
		g.unmapIfFree()
		return
	}
	for id := l.first; l.count > 0; l.count-- {
		b := &g.bufs[id]
		next := int(b.next)
		if b.borrowed--; b.borrowed == 0 && b.taken {
			g.put(id)
		}
		id = next
	}
}

// Buffer returns the bytes that the kernel has put into a buffer of the request's
// BufGroup, nil if there are none. They are borrowed: they may be used until the
// callback returns. For a bundle it returns the first buffer; see Buffers.
func (c Completion) Buffer() []byte {
	for b := range c.Buffers() {
		return b
	}
	return nil
}

// Buffers returns the bytes of all buffers that the completion has filled: a
// bundle (RecvSendBundle) may have several. They are borrowed as those of Buffer
// are.
func (c Completion) Buffers() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if g, i := c.lease(); i != noLease {
			g.each(g.leases.list[i].v, yield)
		}
	}
}

// Keep keeps the bytes beyond the callback's return, until Borrowed.Release. Call it in
// the callback, once; without buffers the result has no bytes.
func (c Completion) Keep() Borrowed {
	g, i := c.lease()
	if i == noLease {
		return Borrowed{}
	}
	g.current = noLease
	return Borrowed{group: g, lease: uint32(i), gen: g.leases.list[i].gen}
}

// lease returns the lease of the callback that runs, if it is c's.
func (c Completion) lease() (*BufGroup, int) {
	if c.detail == nil || c.detail.group == nil {
		return nil, noLease
	}
	g := c.detail.group
	id, ok := c.BufferID()
	if !ok || g.current == noLease || g.leases.list[g.current].v.first != int(id) {
		return nil, noLease
	}
	return g, g.current
}

// each yields the bytes of a lease, buffer by buffer.
func (g *BufGroup) each(l lease, yield func([]byte) bool) {
	for id, off, n := l.first, l.off, l.n; n > 0; off = 0 {
		part := min(n, uint32(g.size)-off)
		if !yield(g.buffer(id)[off : off+part : off+part]) {
			return
		}
		n -= part
		id = int(g.bufs[id].next)
	}
}

// Borrowed is a callback's hold on bytes in a BufGroup's buffers, from Completion.Keep.
// Use it where requests are made; from other goroutines, Post(func() { b.Release() }).
// The bytes outlive the loop: after its Close use it on one goroutine at a time.
type Borrowed struct {
	group *BufGroup
	lease uint32
	gen   uint32
}

// valid reports whether the bytes are still kept.
func (b Borrowed) valid() bool {
	return b.group != nil && b.group.leases.find(b.lease, b.gen) != nil
}

// Bytes returns what was kept, for a bundle the part in the first buffer; nil after
// Release.
func (b Borrowed) Bytes() []byte {
	for part := range b.All() {
		return part
	}
	return nil
}

// All returns what was kept, buffer by buffer.
func (b Borrowed) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if b.valid() {
			b.group.each(b.group.leases.list[b.lease].v, yield)
		}
	}
}

// Release gives the buffers back to the kernel; nothing may use their bytes any more,
// requests included. A second call does nothing and returns ErrReleased.
func (b Borrowed) Release() error {
	if !b.valid() {
		return ErrReleased
	}
	b.group.loop.checkCaller()
	b.group.endLease(b.lease)
	return nil
}

// lease is what a completion has borrowed: n bytes in count buffers, from off in
// the first on.
type lease struct {
	first int // a buffer
	count uint16
	off   uint32
	n     uint32
}

const noLease = -1
