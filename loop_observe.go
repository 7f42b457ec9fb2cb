package liburing

import (
	"context"
	"fmt"
	"iter"
	"math/bits"
	"runtime"
	"runtime/trace"
	"strings"
	"time"
)

// What a loop does, seen from outside. All that takes time is done only while it is
// observed, and hangs on what the loop looks at anyway: entries that are about to go to
// the kernel are inspected as for a policy, completions take the way of the special
// ones, and where stacks are wanted the queue looks full, so that requests pass through
// the backlog.

// Observed says what a loop observes. Combine values with |.
type Observed uint8

const (
	ObserveRequests Observed = 1 << iota // InFlight knows descriptors and ages
	ObserveStacks                        // InFlight knows who made a request, which costs some µs for each
	ObserveLatency                       // Latencies counts how long requests take
	ObserveRegions                       // callbacks and waits are regions of a trace (runtime/trace)
)

// Observe makes the loop observe itself from now on; 0 ends it. It may be called from any
// goroutine while the loop runs, else where requests are made. Of requests that were made before, only the
// operation is known. Each turn reads the clock once, and so does each completion;
// memory is allocated only when more requests are in flight than ever before.
func (l *Loop) Observe(what Observed) error {
	return l.call(func() error {
		if what&(ObserveStacks|ObserveLatency) != 0 {
			what |= ObserveRequests
		}
		if what == 0 {
			l.observer = nil
		} else if l.observer == nil {
			l.observer = new(observer)
		}
		if l.observer != nil {
			l.observer.what = what
		}
		l.inspects = l.ring.audit != nil || l.observer != nil
		l.allSpecial = l.bigs != nil || l.observer != nil
		l.viaBacklog = what&ObserveStacks != 0
		if l.viaBacklog {
			l.space = 0
		}
		return nil
	})
}

// InFlight describes a request that has not had its last completion.
type InFlight struct {
	Token Token
	Op    Op
	State State // StateQueued or StateInFlight

	// What only ObserveRequests knows.
	FD          int           // the descriptor, as requests take it (see Fixed); -1: none, or unknown
	Age         time.Duration // since it went to the kernel; 0: it has not, or unknown
	Completions int           // of a request that completes more than once

	Stack []string // the functions that made it, the innermost first; only ObserveStacks knows
}

// String returns all of it in one line.
func (r InFlight) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %v", r.Op, r.State)
	if r.FD >= 0 {
		name, n := "fd", r.FD
		if isFixed(n) {
			name, n = "file", n%fixedFD
		}
		fmt.Fprintf(&b, ", %s %d", name, n)
	}
	if r.Age > 0 {
		fmt.Fprintf(&b, ", %v old", r.Age)
	}
	if r.Completions > 0 {
		fmt.Fprintf(&b, ", %d completions", r.Completions)
	}
	if len(r.Stack) > 0 {
		fmt.Fprintf(&b, ", made by %s", r.Stack[0])
	}
	return b.String()
}

// InFlight returns the requests that have not had their last completion, without the
// loop's own, in no particular order. It may be called from any goroutine while the loop
// runs, and then waits for a callback that is running; else call it where requests are
// made. The only error is ErrClosed.
func (l *Loop) InFlight() (all []InFlight, err error) {
	err = l.call(func() error {
		queued := make(map[Token]bool)
		for sqe := range l.entriesBackwards {
			queued[Token(sqe.UserData)] = true
		}
		l.table.inFlight(func(t Token) {
			r := InFlight{Token: t, Op: l.table.handle(t).op, State: StateInFlight, FD: -1}
			if queued[t] {
				r.State = StateQueued
			}
			if l.observer != nil {
				l.observer.tell(&r)
			}
			all = append(all, r)
		})
		return nil
	})
	return all, err
}

// observer is what a loop that is observed knows beside.
type observer struct {
	what    Observed
	records []record // by the place of the handle
	latency [OpLast]*Latency
}

// record is what is known of a request.
type record struct {
	gen         uint32 // of the handle that it is about
	completions uint32
	fd          int32
	fixed       bool
	submitted   time.Duration // by clock; 0: not yet
	depth       int
	stack       [24]uintptr
}

// at returns the record of a request, nil if it has none.
func (o *observer) at(t Token) *record {
	if place := int(t.place()); place < len(o.records) && o.records[place].gen == t.gen() {
		return &o.records[place]
	}
	return nil
}

// begin returns the record of a request, which is empty if there was none of it.
func (o *observer) begin(t Token) *record {
	place := int(t.place())
	for place >= len(o.records) {
		o.records = append(o.records, make([]record, max(64, len(o.records)))...)
	}
	r := &o.records[place]
	if r.gen != t.gen() {
		*r = record{gen: t.gen(), fd: -1}
	}
	return r
}

// made remembers who makes a request.
func (o *observer) made(t Token) {
	if o.what&ObserveStacks != 0 {
		r := o.begin(t)
		r.depth = runtime.Callers(4, r.stack[:]) // without this, and the way here
	}
}

// submits remembers what goes to the kernel now.
func (o *observer) submits(sqe *SQE, now time.Duration) {
	r := o.begin(Token(sqe.UserData))
	r.submitted = now
	switch sqe.Opcode.facts().fixed {
	case fixedByFlag:
		r.fd, r.fixed = sqe.FD, sqe.Flags&SQEFixedFile != 0
	case fixedAlways:
		r.fd, r.fixed = sqe.FD, true
	case fixedByIndex:
		r.fd, r.fixed = sqe.FD, sqe.FileIndex != 0
		if r.fixed {
			r.fd = int32(sqe.FileIndex - 1)
		}
	}
}

// tell adds what is known of a request.
func (o *observer) tell(to *InFlight) {
	r := o.at(to.Token)
	if r == nil {
		return
	}
	to.Completions = int(r.completions)
	if r.submitted > 0 {
		to.Age = clock() - r.submitted
		to.FD = int(r.fd)
		if r.fixed {
			to.FD = Fixed(r.fd).FD()
		}
	}
	to.Stack = framesOf(r.stack[:r.depth])
}

// framesOf returns the functions of a stack from the one on that called the package.
func framesOf(pcs []uintptr) (all []string) {
	if len(pcs) == 0 {
		return nil
	}
	frames := runtime.CallersFrames(pcs)
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if all == nil && strings.HasPrefix(f.Function, packagePath+".") {
			continue
		}
		all = append(all, fmt.Sprintf("%s (%s:%d)", f.Function, f.File, f.Line))
	}
	return all
}

const packagePath = "github.com/go-liburing/liburing"

// completed counts a completion, the first of each request as its latency.
func (o *observer) completed(t Token, op Op) {
	r := o.at(t)
	if r == nil {
		return
	}
	r.completions++
	if o.what&ObserveLatency == 0 || r.submitted == 0 || r.completions > 1 || op >= OpLast {
		return
	}
	if o.latency[op] == nil {
		o.latency[op] = &Latency{Op: op}
	}
	o.latency[op].add(clock() - r.submitted)
}

// completeObserved is complete on a loop that is observed.
func (l *Loop) completeObserved(token Token, h *handle, a *aside, c Completion) {
	l.observer.completed(token, c.op)
	defer l.region(c.op.String())()
	l.complete(token, h, a, c)
}

// region begins a region of a trace, if there is a trace and regions are wanted.
func (l *Loop) region(name string) (end func()) {
	if l.observer == nil || l.observer.what&ObserveRegions == 0 || !trace.IsEnabled() {
		return nothing
	}
	return trace.StartRegion(context.Background(), "liburing: "+name).End
}

func nothing() {}

// Latency tells how long the requests of an operation took, from their submission until
// their (first) completion was taken off the ring: a histogram whose buckets are an
// eighth of a power of two wide.
type Latency struct {
	Op    Op
	Count uint64
	Sum   time.Duration
	Max   time.Duration

	buckets [latencyBuckets]uint64
}

const (
	latencyBits    = 3                                 // 8 buckets for each power of two
	latencyBuckets = (64 - latencyBits) << latencyBits // for all that a Duration can be
)

func (h *Latency) add(d time.Duration) {
	d = max(d, 0)
	h.Count++
	h.Sum += d
	h.Max = max(h.Max, d)
	h.buckets[bucketOf(d)]++
}

// bucketOf returns the bucket of a duration: up to 8 ns there is one for each.
func bucketOf(d time.Duration) int {
	shift := max(bits.Len64(uint64(d))-latencyBits-1, 0)
	return shift<<latencyBits + int(uint64(d)>>shift)
}

// bucketEnd returns the longest duration of a bucket.
func bucketEnd(i int) time.Duration {
	shift := max(i>>latencyBits-1, 0)
	return time.Duration((i-shift<<latencyBits+1)<<shift - 1)
}

// Mean returns the mean, 0 if there were no requests.
func (h *Latency) Mean() time.Duration {
	if h.Count == 0 {
		return 0
	}
	return h.Sum / time.Duration(h.Count)
}

// Quantile returns a duration that the share q of all requests (0.99: 99 of 100) did
// not exceed, at most an eighth too long; 0 if there were none.
func (h *Latency) Quantile(q float64) time.Duration {
	want := uint64(q * float64(h.Count))
	seen := uint64(0)
	for i, n := range h.buckets {
		if seen += n; n > 0 && (seen >= want || seen == h.Count) {
			return min(bucketEnd(i), h.Max)
		}
	}
	return 0
}

// Buckets yields the histogram: for each bucket that is not empty, its longest duration
// and how many requests are in it.
func (h *Latency) Buckets() iter.Seq2[time.Duration, uint64] {
	return func(yield func(time.Duration, uint64) bool) {
		for i, n := range h.buckets {
			if n > 0 && !yield(bucketEnd(i), n) {
				return
			}
		}
	}
}

// Latencies returns how long requests have taken since ObserveLatency was switched on,
// for each operation that was used. It may be called from any goroutine. The only error
// is ErrClosed.
func (l *Loop) Latencies() (all []*Latency, err error) {
	err = l.call(func() error {
		if l.observer == nil {
			return nil
		}
		for _, h := range l.observer.latency {
			if h != nil {
				told := *h
				all = append(all, &told)
			}
		}
		return nil
	})
	return all, err
}

// Stats counts what a loop has done.
type Stats struct {
	Submitted uint64 // requests handed to the kernel, the loop's own among them
	Completed uint64 // completions given to callbacks
	Enters    uint64 // system calls to submit or wait
	Batches   uint64 // times that completions were taken off the ring
	Stale     uint64 // completions that belonged to no request: 0 unless others ring messages in
	InFlight  int    // requests without their terminal completion
	Timers    int    // timers that are armed

	// Overflows is how often the completion queue was found to be too small. The kernel
	// keeps what does not fit, so nothing is lost (SetupCQEMixed, with which some would
	// be, is refused: see NewLoop), but that is slow.
	Overflows uint64

	// BuffersShort is how many requests ended because their BufGroup had no
	// buffer left.
	BuffersShort uint64

	// StreamPauses is how often a stream paused because its requests kept ending without
	// bringing anything; see Rearm.
	StreamPauses uint64
}

// Stats returns what the loop has counted so far. Counting costs next to nothing; Stats
// asks the loop's thread for the figures. It may be called from any goroutine, whether the
// loop runs or not.
func (l *Loop) Stats() Stats {
	var s Stats
	err := l.call(func() error {
		s = l.counted()
		return nil
	})
	if err != nil {
		return l.mail.lastStats()
	}
	return s
}

// counted returns the figures, on the loop's thread.
func (l *Loop) counted() Stats {
	s := l.stats
	s.InFlight, s.Timers = l.pending()
	return s
}

// pending returns how many requests are in flight and timers are armed. While the loop
// stands still another goroutine may be making some. Each figure is a word, of which Go
// promises that a value is read which it has had; that is all that is wanted here, and to
// change it atomically would cost each request more.
//
//go:norace
func (l *Loop) pending() (requests, timers int) {
	return l.inFlight - l.inner, l.timers.Pending - l.timers.Inner
}
