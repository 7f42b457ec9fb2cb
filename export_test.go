//go:build linux

package liburing

import (
	"time"
	"unsafe"

	"github.com/go-liburing/liburing/internal/abi"
)

// What the root's external tests see of the inside. Tests of other packages see
// what internal/ringtest shows.

const (
	BigEndian  = bigEndian
	ErrNoLinux = errNoLinux
	FixedFD    = fixedFD
	MaxRW      = maxRW
	NeedsBase  = needsBase
	OpBad      = opBad

	RefusalRounds = refusalRounds
)

var (
	AppendIovecs   = appendIovecs
	CHeaderVersion = cHeaderVersion
	CVersion       = cVersion
	ExplainEPERM   = explainEPERM
	ExplainFlags   = explainFlags
	IsFixed        = isFixed
	KernelLacks    = kernelLacks
	LoopFlags      = loopFlags
	Microseconds   = microseconds
	OpErrorOf      = opError
	SysctlDisabled = sysctlDisabled
	UnknownFlags   = unknownFlags
)

// Came returns the kernel with which a feature came.
func Came(f Feature) string {
	switch f := f.(type) {
	case Op:
		return f.facts().kernel
	case RegisterOp:
		return registerCame[f]
	case SetupFlags:
		return newest(setupCame[:], uint32(f))
	case Features:
		return newest(featuresCame[:], uint32(f))
	case Ability:
		return abilities[f].since
	}
	return ""
}

// Kernel returns the least kernel of an operation.
func (v Op) Kernel() string     { return v.facts().kernel }
func (v Op) TakesBuffers() bool { return v.facts().buffers }
func (v Op) TakesWorker() bool  { return v.facts().worker }

// Ring returns the loop's ring, for what Control's callers leave alone.
func (l *Loop) Ring() *Ring { return &l.ring }

// Waits reports whether a request for the descriptor is in the backlog.
func (l *Loop) Waits(fd int) bool {
	for i := range l.backlog.len() {
		if l.backlog.at(i).FD == int32(fd) {
			return true
		}
	}
	return false
}

// SetRaw has a ring submit what is quick without liburing, or not, and reports whether
// it did before.
func (r *Ring) SetRaw(on bool) (was bool) {
	was, r.mem.isRaw = r.mem.isRaw, on
	return was
}

// IsQuick reports whether what is queued is submitted so.
func (r *Ring) IsQuick() bool {
	_, quick := r.mem.isQuick()
	return quick
}

// IsShort reports whether SubmitRaw submits what is queued so.
func (r *Ring) IsShort() bool {
	_, short := r.mem.isShort()
	return short
}

func (l *Loop) Armed() bool    { return l.armed }
func (l *Loop) MayBlock() bool { return l.mayBlock }

// Timers returns how many timers are armed, the loop's own among them.
func (l *Loop) Timers() int { return l.timers.Pending }

// CancelOrder returns the requests in flight in the order in which they are cancelled.
func (l *Loop) CancelOrder() (order []Token) {
	for _, r := range l.table.inOrder(l.table.all()) {
		order = append(order, r.token)
	}
	return order
}

// Holding reports whether requests are held back for one that drains the ring.
func (l *Loop) Holding() bool { return l.holding }

// SpareChunks returns how much memory the backlog has in stock, and may have.
func (l *Loop) SpareChunks() (n, most int) { return len(l.backlog.spare), maxSpare }

// Backlog is a backlog of no loop. An entry's second half is nil where entries have one.
type Backlog struct{ b backlog }

// NewBacklog returns an empty one for the entries of a ring.
func NewBacklog(r *Ring) *Backlog { return &Backlog{newBacklog(r.mem, new(handleTable))} }

func (b *Backlog) Len() int                  { return b.b.len() }
func (b *Backlog) At(i int) (e, half *SQE)   { return b.halves(b.b.at(i)) }
func (b *Backlog) Push() (e, half *SQE)      { return b.halves(b.b.push()) }
func (b *Backlog) PushFront() (e, half *SQE) { return b.halves(b.b.pushFront()) }
func (b *Backlog) Pop()                      { b.b.pop() }
func (b *Backlog) Take(other *Backlog)       { b.b.take(&other.b) }
func (b *Backlog) halves(e *SQE) (_, half *SQE) {
	if b.b.step > 1 {
		half = e.half()
	}
	return e, half
}

// GivenUp returns how many loops were given up, their memory kept.
func GivenUp() int {
	leaked.Lock()
	defer leaked.Unlock()
	return len(leaked.list)
}

// CancelNow cancels a request without the queue.
func (l *Loop) CancelNow(t Token, done Callback) bool { return l.cancelNow(t, 0, done) }

// Call calls f in place of a function of liburing.
func (r *Ring) Call(f func() int32) error {
	return r.call("call", func(*ringMem) int32 { return f() })
}

func (r *Ring) EnterFlags() EnterFlags { return r.mem.enterFlags() }

// Memory returns an address in each of the ring's two mappings.
func (r *Ring) Memory() [2]uintptr {
	return [2]uintptr{uintptr(r.mem.sq.ringPtr), uintptr(unsafe.Pointer(r.mem.sq.sqes))}
}

// HasZCRX reports whether the ring keeps memory that a network card writes to.
func (r *Ring) HasZCRX() bool { return len(r.zcrx) != 0 }

// NewBufRing returns a ring of buffers that no kernel knows.
func NewBufRing(entries int) *BufRing {
	return &BufRing{mem: new(abi.BufRing), entries: entries}
}

// Memory returns the ring of buffers as the kernel sees it.
func (b *BufRing) Memory() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(b.mem)), uintptr(b.entries)*unsafe.Sizeof(abi.Buf{}))
}

// Tail returns how many buffers were put into the ring, modulo 1<<16.
func (b *BufRing) Tail() uint16 { return b.mem.Tail }

// UseFixed has an entry name the registered file that a descriptor stands for.
func (s *SQE) UseFixed(fd int) { s.useFixed(fd) }

// Without returns what is left of a time.
func (ts Timespec) Without(passed time.Duration) Timespec { return ts.without(passed) }

// Table is a handle table with some places that stay taken.
type Table struct{ t handleTable }

// NewTable returns a table of which n places are taken.
func NewTable(n int) *Table {
	t := new(Table)
	for range n {
		t.acquire()
	}
	return t
}

func (t *Table) acquire() (place, gen uint32) {
	if t.t.full() {
		t.t.grow()
	}
	place, h := t.t.acquire()
	return place, h.gen
}

// TakeAndRelease takes a place and gives it back, as a request does.
func (t *Table) TakeAndRelease() {
	place, gen := t.acquire()
	t.t.release(place, t.t.find(place, gen))
}
