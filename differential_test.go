//go:build linux && cgo

package liburing

import (
	"errors"
	"syscall"
	"testing"
	"unsafe"

	"github.com/go-liburing/liburing/internal/abi"
	"github.com/go-liburing/liburing/internal/ffi"
)

// What liburing.h inlines beside the functions that prepare an entry (tests/differential).

// notCompared are inlined functions without a line, and why.
var notCompared = map[string]string{
	"io_uring_buf_ring_available": "asks the kernel",
	"io_uring_cqe_iter_init":      "returns the struct that io_uring_cqe_iter_next goes on with; Go has the loop, Ring.CQEs",
}

// Every function that the vendored header inlines has a line, or a reason why not.
func TestEveryInlinedFunctionIsCompared(t *testing.T) {
	ffi.RequireLines(t, ".", ffi.Vendored(t, "."), false, inlines, notCompared)
}

// Both sides read and change a ring's memory alike, and return the same.
func TestInlinesDoWhatCDoes(t *testing.T) {
	lib := ffi.Vendored(t, ".")
	g := newRandom(lib)
	ffi.EachLine(t, lib, inlines, g.Random, func(t *testing.T, f ffi.Func, line inline) {
		ours, theirs := line(f, g)
		if ours != theirs {
			t.Fatal(ffi.Differences("result", ours, theirs))
		}
	})
}

// random makes rings, completions and messages.
type random struct {
	*ffi.Random
	rings [2]fakeRing
	mixed bool // the library knows queues with entries of both sizes
}

func newRandom(lib ffi.Library) *random {
	_, mixed := lib.Func("io_uring_get_sqe128")
	return &random{Random: ffi.NewRandom(), mixed: mixed}
}

// inline calls both sides and returns what each did, to be compared by ==:
// results, and the memory as it is then.
type inline func(f ffi.Func, g *random) (ours, theirs any)

// inlines has a line for each function of liburing.h that does not prepare an
// entry.
var inlines = map[string]inline{
	// Completions.
	"io_uring_cqe_nr": func(f ffi.Func, g *random) (any, any) {
		c := g.cqe()
		return uint32(c.Nr()), uint32(f.Call(ffi.At(c)))
	},
	"io_uring_cqe_get_data64": func(f ffi.Func, g *random) (any, any) {
		c := g.cqe()
		return c.GetData64(), f.Call(ffi.At(c))
	},
	"io_uring_cqe_get_data": func(f ffi.Func, g *random) (any, any) {
		c := g.cqe()
		return c.GetData64(), f.Call(ffi.At(c))
	},
	"io_uring_cqe_seen": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		c := g.cqe()
		if a.m.flags&SetupCQEMixed == 0 {
			c.Flags &^= CQEF32 // a message can bring it; C steps over two places then
		}
		if g.IntN(8) == 0 {
			c = nil
		}
		a.CQESeen(c)
		f.Call(ffi.At(&b.m), ffi.At(c))
		return a.state(), b.state()
	},
	"io_uring_cqe_shift": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		return shift(a.m.cqeSize, CQE{}), uint32(f.Call(ffi.At(&b.m)))
	},
	"io_uring_cqe_shift_from_flags": func(f ffi.Func, g *random) (any, any) {
		a, _ := g.twins()
		return shift(a.m.cqeSize, CQE{}), uint32(f.Call(uint64(a.m.flags)))
	},
	"io_uring_cqe_iter_next": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		i := &cqeIter{&b.cqes[0], cqPlaces - 1, shift(b.m.cqeSize, CQE{}), b.cqHead, b.cqTail}
		var ours, theirs walked
		for c := range a.CQEs() {
			ours.add(ffi.At(c) - ffi.At(&a.cqes))
		}
		for uint8(f.Call(ffi.At(i), ffi.At(&b.out))) != 0 {
			// CQEs drops what is not for the program.
			if c := &b.cqes[b.cqeAt(b.out)]; c.Flags&CQEFSkip == 0 && !b.m.own(c) {
				theirs.add(b.out - ffi.At(&b.cqes))
			}
		}
		b.cqHead = b.cqTail // what a C program does then, and CQEs itself
		ours.ring, theirs.ring = a.state(), b.state()
		return ours, theirs
	},

	// The submission queue.
	"io_uring_initialize_sqe": func(f ffi.Func, g *random) (any, any) {
		a, b := new(SQE), new(SQE)
		g.Fill(unsafe.Pointer(a), unsafe.Sizeof(*a))
		*b = *a
		a.initialize()
		f.Call(ffi.At(b))
		return *a, *b
	},
	"io_uring_sqe_shift": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		return shift(a.m.sqeSize, SQE{}), uint32(f.Call(ffi.At(&b.m)))
	},
	"io_uring_sqe_shift_from_flags": func(f ffi.Func, g *random) (any, any) {
		a, _ := g.twins()
		return shift(a.m.sqeSize, SQE{}), uint32(f.Call(uint64(a.m.flags)))
	},
	"io_uring_load_sq_head": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		return a.m.loadSQHead(), uint32(f.Call(ffi.At(&b.m)))
	},
	"io_uring_sq_ready": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		return uint32(a.SQReady()), uint32(f.Call(ffi.At(&b.m)))
	},
	"io_uring_sq_space_left": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		return uint32(a.SQSpaceLeft()), uint32(f.Call(ffi.At(&b.m)))
	},
	"io_uring_get_sqe": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		ours, theirs := ffi.At(a.GetSQE()), f.Call(ffi.At(&b.m))
		return queued{a.sqeAt(ours), a.state()}, queued{b.sqeAt(theirs), b.state()}
	},
	"io_uring_get_sqe128": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		place := a.m.sq.sqeTail
		ours, theirs := ffi.At(a.GetSQE128()), f.Call(ffi.At(&b.m))
		if b.m.sq.sqeTail-place == 3 { // C's filler cuts chains, and is a silent one
			filler := b.m.sqe(place)
			filler.UserData, filler.Flags = udataFiller, a.m.sqe(place).links()
		}
		return queued{a.sqeAt(ours), a.state()}, queued{b.sqeAt(theirs), b.state()}
	},
	"io_uring_sqring_wait": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		if a.SQSpaceLeft() == 0 { // it would wait in the kernel
			a.m.flags &^= SetupSQPoll
			b.m.flags &^= SetupSQPoll
		}
		return errno(a.SQRingWait()), int32(f.Call(ffi.At(&b.m)))
	},

	// The completion queue.
	"io_uring_cq_ready": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		return uint32(a.CQReady()), uint32(f.Call(ffi.At(&b.m)))
	},
	"io_uring_cq_has_overflow": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		return a.CQHasOverflow(), uint8(f.Call(ffi.At(&b.m))) != 0
	},
	"io_uring_cq_advance": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		n := g.IntN(a.CQReady() + 1)
		a.CQAdvance(n)
		f.Call(ffi.At(&b.m), uint64(n))
		return a.state(), b.state()
	},
	"io_uring_cq_eventfd_enabled": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		return a.CQEventfdEnabled(), uint8(f.Call(ffi.At(&b.m))) != 0
	},
	"io_uring_cq_eventfd_toggle": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		on := g.IntN(2)
		ours, theirs := errno(a.CQEventfdToggle(on != 0)), int32(f.Call(ffi.At(&b.m), uint64(on)))
		return peeked{0, ours, a.state()}, peeked{0, theirs, b.state()}
	},
	"io_uring_peek_cqe": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		cqe, err := a.PeekCQE()
		ret := int32(f.Call(ffi.At(&b.m), ffi.At(&b.out)))
		return peeked{a.cqeAt(ffi.At(cqe)), errno(err), a.state()}, peeked{b.cqeAt(b.out), ret, b.state()}
	},
	"__io_uring_peek_cqe": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		cqe := a.m.peekNoWait()
		ret := int32(f.Call(ffi.At(&b.m), ffi.At(&b.out), 0))
		return peeked{a.cqeAt(ffi.At(cqe)), 0, a.state()}, peeked{b.cqeAt(b.out), ret, b.state()}
	},
	"io_uring_wait_cqe": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twinsWithCompletion()
		cqe, err := a.WaitCQE()
		ret := int32(f.Call(ffi.At(&b.m), ffi.At(&b.out)))
		return peeked{a.cqeAt(ffi.At(cqe)), errno(err), a.state()}, peeked{b.cqeAt(b.out), ret, b.state()}
	},
	"io_uring_wait_cqe_nr": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twinsWithCompletion()
		cqe, err := a.WaitCQENr(1)
		ret := int32(f.Call(ffi.At(&b.m), ffi.At(&b.out), 1))
		return peeked{a.cqeAt(ffi.At(cqe)), errno(err), a.state()}, peeked{b.cqeAt(b.out), ret, b.state()}
	},

	// Buffer rings.
	"io_uring_buf_ring_mask": func(f ffi.Func, g *random) (any, any) {
		n := uint32(1) << g.IntN(16)
		b := BufRing{entries: int(n)}
		return int32(b.Mask()), int32(f.Call(uint64(n)))
	},
	"io_uring_buf_ring_init": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		a.bufRing().Init()
		f.Call(ffi.At(&b.bufs))
		return a.state(), b.state()
	},
	"io_uring_buf_ring_add": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		buf, bid, offset := g.Buf(), g.U16(), g.IntN(1<<16)
		a.bufRing().Add(buf, bid, offset)
		f.Call(ffi.At(&b.bufs), ffi.First(buf), ffi.Size(buf), uint64(bid), ffi.Word(bufPlaces-1), ffi.Word(offset))
		return a.state(), b.state()
	},
	"io_uring_buf_ring_advance": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		n := g.IntN(bufPlaces + 1)
		a.bufRing().Advance(n)
		f.Call(ffi.At(&b.bufs), ffi.Word(n))
		return a.state(), b.state()
	},
	"io_uring_buf_ring_cq_advance": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		n := g.IntN(min(a.CQReady(), bufPlaces) + 1)
		a.bufRing().CQAdvance(n)
		f.Call(ffi.At(&b.m), ffi.At(&b.bufs), ffi.Word(n))
		return a.state(), b.state()
	},
	"__io_uring_buf_ring_cq_advance": func(f ffi.Func, g *random) (any, any) {
		a, b := g.twins()
		cqes, bufs := g.IntN(a.CQReady()+1), g.IntN(bufPlaces+1)
		a.bufRing().CQAdvanceRaw(cqes, bufs)
		f.Call(ffi.At(&b.m), ffi.At(&b.bufs), ffi.Word(cqes), ffi.Word(bufs))
		return a.state(), b.state()
	},

	// Received messages.
	"io_uring_recvmsg_validate": func(f ffi.Func, g *random) (any, any) {
		buf, msg := g.message()
		n := g.IntN(len(buf) + 1)
		ours, theirs := RecvmsgValidate(buf[:n], msg), f.Call(ffi.First(buf), ffi.Word(n), ffi.At(msg))
		return ours != nil, theirs == ffi.First(buf)
	},
	"io_uring_recvmsg_name": func(f ffi.Func, g *random) (any, any) {
		buf, msg := g.message()
		return ffi.First(RecvmsgValidate(buf, msg).Name()), f.Call(ffi.First(buf))
	},
	"io_uring_recvmsg_payload": func(f ffi.Func, g *random) (any, any) {
		buf, msg := g.message()
		return ffi.First(RecvmsgValidate(buf, msg).Payload()), f.Call(ffi.First(buf), ffi.At(msg))
	},
	"io_uring_recvmsg_payload_length": func(f ffi.Func, g *random) (any, any) {
		buf, msg := g.message()
		return uint32(RecvmsgValidate(buf, msg).PayloadLength()), uint32(f.Call(ffi.First(buf), ffi.Size(buf), ffi.At(msg)))
	},
	"io_uring_recvmsg_cmsg_firsthdr": func(f ffi.Func, g *random) (any, any) {
		buf, msg := g.message()
		return ffi.At(RecvmsgValidate(buf, msg).CmsgFirsthdr()), f.Call(ffi.First(buf), ffi.At(msg))
	},
	"io_uring_recvmsg_cmsg_nexthdr": func(f ffi.Func, g *random) (any, any) {
		buf, msg := g.message()
		o := RecvmsgValidate(buf, msg)
		var ours, theirs walked
		for c := o.CmsgFirsthdr(); c != nil; {
			theirs.add(f.Call(ffi.First(buf), ffi.At(msg), ffi.At(c)))
			c = o.CmsgNexthdr(c)
			ours.add(ffi.At(c))
		}
		return ours, theirs
	},

	// What a kernel knows.
	"io_uring_opcode_supported": func(f ffi.Func, g *random) (any, any) {
		p := new(Probe)
		g.Fill(unsafe.Pointer(&p.raw), unsafe.Sizeof(p.raw))
		op := g.U8()
		return p.OpcodeSupported(Op(op)), int32(f.Call(ffi.At(&p.raw), uint64(op))) != 0
	},
}

// What taking an entry, taking a completion, and going over all of something did.
type (
	queued struct {
		entry int
		ring  ringState
	}
	peeked struct {
		completion int
		errno      int32
		ring       ringState
	}
	walked struct {
		steps  int
		places [16]uint64
		ring   ringState
	}
)

func (w *walked) add(place uint64) {
	w.places[w.steps] = place
	w.steps++
}

// errno is an error as liburing returns it.
func errno(err error) int32 {
	if e := syscall.Errno(0); errors.As(err, &e) {
		return -int32(e)
	}
	return 0
}

// cqeIter is struct io_uring_cqe_iter.
type cqeIter struct {
	cqes                    *CQE
	mask, shift, head, tail uint32
}

// fakeRing is a ring that no kernel knows: all that liburing.h's functions read
// and write of one lies in Go memory.
type fakeRing struct {
	Ring
	m   ringMem
	out uint64 // where C stores a pointer to a completion
	ringState
}

// ringState is what must be equal after both sides have done the same.
type ringState struct {
	sqeHead, sqeTail uint32
	sqHead, sqTail   uint32
	sqFlags          uint32
	cqHead, cqTail   uint32
	cqFlags          uint32
	sqes             [2 * sqPlaces]SQE
	cqes             [2 * cqPlaces]CQE
	bufs             [bufPlaces]abi.Buf
}

const (
	sqPlaces  = 8
	cqPlaces  = 8
	bufPlaces = 8
)

func (r *fakeRing) state() ringState {
	r.ringState.sqeHead, r.ringState.sqeTail = r.m.sq.sqeHead, r.m.sq.sqeTail
	return r.ringState
}

// sqeAt and cqeAt turn an entry's address into its index, -1 for none.
func (r *fakeRing) sqeAt(address uint64) int {
	if address == 0 {
		return -1
	}
	return int(address-ffi.At(&r.sqes)) / int(unsafe.Sizeof(SQE{}))
}

func (r *fakeRing) cqeAt(address uint64) int {
	if address == 0 {
		return -1
	}
	return int(address-ffi.At(&r.cqes)) / int(unsafe.Sizeof(CQE{}))
}

func (r *fakeRing) bufRing() *BufRing {
	return &BufRing{ring: &r.Ring, mem: (*abi.BufRing)(unsafe.Pointer(&r.bufs)), entries: bufPlaces}
}

// twins returns two rings in the same random state: any setup, queues that are
// empty, full or about to wrap around.
func (g *random) twins() (a, b *fakeRing) {
	a, b = &g.rings[0], &g.rings[1]
	s := &a.ringState
	g.Fill(unsafe.Pointer(&s.sqes), unsafe.Sizeof(s.sqes))
	g.Fill(unsafe.Pointer(&s.cqes), unsafe.Sizeof(s.cqes))
	g.Fill(unsafe.Pointer(&s.bufs), unsafe.Sizeof(s.bufs))
	s.sqHead, s.cqHead = g.U32(), g.U32()
	s.sqTail, s.cqTail = g.U32(), s.cqHead+uint32(g.IntN(cqPlaces+1))
	s.sqeHead, s.sqeTail = g.U32(), s.sqHead+uint32(g.IntN(sqPlaces+1))
	s.sqFlags = g.U32()
	s.cqFlags = g.U32()

	flags := g.setup()
	features := Features(g.U32())
	g.completions(s, flags)
	if flags&SetupIOPoll == 0 {
		s.sqFlags &^= uint32(SQCQOverflow | SQTaskrun) // or peeking would enter the kernel
	}
	b.ringState = *s
	noCQFlags := g.IntN(8) == 0 // an old kernel's ring
	for _, r := range []*fakeRing{a, b} {
		r.wire(flags, features)
		if noCQFlags {
			r.m.cq.kflags = nil
		}
	}
	return a, b
}

// twinsWithCompletion returns twins on which waiting for a completion finds one.
func (g *random) twinsWithCompletion() (a, b *fakeRing) {
	for {
		if a, b = g.twins(); a.m.peekNoWait() != nil {
			a.ringState, b.out = b.ringState, 0 // peeking has dropped fillers
			return a, b
		}
	}
}

// setup returns flags of a ring that liburing.h's functions look at.
func (g *random) setup() SetupFlags {
	size := []SetupFlags{0, SetupSQE128, SetupSQEMixed}[g.IntN(3)] | []SetupFlags{0, SetupCQE32, SetupCQEMixed}[g.IntN(3)]
	if !g.mixed {
		size &^= SetupSQEMixed | SetupCQEMixed
	}
	return size | SetupFlags(g.Uint32())&(SetupSQPoll|SetupDeferTaskrun|SetupNoSQArray)
}

// completions gives the completions that are there flags that the kernel could
// give them: big ones take two places that lie together, fillers are small.
func (g *random) completions(s *ringState, flags SetupFlags) {
	shift := uint32(0)
	if flags&SetupCQE32 != 0 {
		shift = 1
	}
	for head := s.cqHead; head != s.cqTail; head++ {
		c := &s.cqes[head%cqPlaces<<shift]
		c.Flags &^= CQEF32 | CQEFSkip
		if g.IntN(4) == 0 { // a timeout of liburing's own, where the kernel has no other way
			c.UserData, c.Res = ^uint64(0), 0
		}
		if flags&SetupCQEMixed == 0 {
			continue
		}
		switch {
		case s.cqTail-head > 1 && head%cqPlaces != cqPlaces-1 && g.IntN(2) == 0:
			c.Flags |= CQEF32
			head++
		case g.IntN(3) == 0:
			c.Flags |= CQEFSkip
		}
	}
}

// wire makes the ring's struct point to its memory.
func (r *fakeRing) wire(flags SetupFlags, features Features) {
	s := &r.ringState
	r.m = ringMem{flags: flags, features: features, ringFD: -1}
	r.m.sq = sqMem{
		khead: &s.sqHead, ktail: &s.sqTail, kflags: &s.sqFlags, sqes: &s.sqes[0],
		sqeHead: s.sqeHead, sqeTail: s.sqeTail, ringMask: sqPlaces - 1, ringEntries: sqPlaces,
	}
	r.m.cq = cqMem{
		khead: &s.cqHead, ktail: &s.cqTail, kflags: &s.cqFlags, cqes: &s.cqes[0],
		ringMask: cqPlaces - 1, ringEntries: cqPlaces,
	}
	r.m.init()
	r.Ring = Ring{mem: &r.m}
	r.out = 0
}

func (g *random) cqe() *CQE {
	c := new(CQE)
	g.Fill(unsafe.Pointer(c), unsafe.Sizeof(*c))
	if !g.mixed {
		c.Flags &^= CQEF32
	}
	return c
}

// message returns a buffer as a multishot recvmsg fills it, and the request's
// msghdr. The control messages may have any length below what would overflow
// C's arithmetic.
func (g *random) message() ([]byte, *Msghdr) {
	name, ctrl, payload := g.IntN(40), g.IntN(200), g.IntN(100)
	start := 8 * g.IntN(1000)
	buf := g.Mem[start : start+RecvmsgOutSize+name+ctrl+payload]
	for i := range buf {
		buf[i] = byte(g.Uint32())
	}
	msg := &Msghdr{Namelen: uint32(name), Controllen: uint64(ctrl)}
	head := (*[4]uint32)(unsafe.Pointer(&buf[0]))
	head[0] = g.U32()
	head[1] = uint32(g.IntN(ctrl + 1))
	for at := 0; at+sizeofCmsghdr <= ctrl; {
		n := uint64(g.IntN(64))
		if g.IntN(16) == 0 {
			n = g.Uint64() >> 2
		}
		cmsg := (*Cmsghdr)(unsafe.Pointer(&buf[RecvmsgOutSize+name+at]))
		cmsg.Len = n
		at += cmsgAlign(int(min(n, 256)))
		if n == 0 {
			break
		}
	}
	return buf, msg
}

// shift is how liburing has the size of a queue's entries: 1 if they are twice one's.
func shift[T any](size uintptr, one T) uint32 { return uint32(size / unsafe.Sizeof(one) / 2) }
