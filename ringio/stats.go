package ringio

import (
	"context"
	"encoding/json"
	"math/bits"
	"runtime/trace"
	"sync/atomic"
	"time"
)

// Stats are an Engine's figures since its creation.
type Stats struct {
	Fallback bool   // there is no ring, or no more: os and net do the work
	Why      string `json:",omitempty"` // why there is none

	FixedBuffers int // buffers that the rings know: none if too little memory may be locked

	Submitted uint64 // requests that the kernel took
	Completed uint64 // completions that it told
	Enters    uint64 // system calls that submitted
	Parks     uint64 // how often a pump has gone to sleep
	Remade    uint64 // requests made anew because their thread had ended, or the pump had left it
	Cancels   uint64 // requests that somebody asked the end of
	Overflows uint64 // how often completions did not fit into the queue
	InFlight  int    // requests that the kernel has

	// How long operations took, by name, if Options.Histograms is set: read, write, sync
	// and open on files; recv, send, accept and connect on connections, including the wait
	// for the peer. What an Appender writes together is one write, and so is what is copied to
	// a file without being shown to the program; a file that is sent so is one send. On the
	// fallback net's connections only report connect.
	Latency map[string]Histogram `json:",omitempty"`
}

// Histogram counts durations: place i has those below 2^i nanoseconds that are not in
// an earlier place.
type Histogram [40]uint64

// Quantile returns a duration that the given share of all, from 0 to 1, did not exceed,
// at most twice too long.
func (h Histogram) Quantile(part float64) time.Duration {
	all := uint64(0)
	for _, n := range h {
		all += n
	}
	below := uint64(0)
	for i, n := range h {
		below += n
		if n != 0 && float64(below) >= part*float64(all) {
			return 1 << i
		}
	}
	return 0
}

// counts are what a ring counts.
type counts struct {
	submitted, completed, enters, parks, remade, cancels, overflows, stale uint64

	inFlight int
}

// Stats returns the figures.
func (e *Engine) Stats() Stats {
	s := Stats{Fallback: len(e.rings) == 0, FixedBuffers: e.known}
	if e.why != nil {
		s.Why = e.why.Error()
	}
	for _, ring := range e.rings {
		if why := ring.isForbidden(); why != nil {
			s.Fallback, s.Why = true, why.Error()
		}
		c := ring.snapshot()
		s.Submitted += c.submitted
		s.Completed += c.completed
		s.Enters += c.enters
		s.Parks += c.parks
		s.Remade += c.remade
		s.Cancels += c.cancels
		s.Overflows += c.overflows
		s.InFlight += c.inFlight
	}
	s.Latency = e.watch.latency()
	return s
}

// String returns Stats as JSON, which makes an Engine an expvar.Var.
func (e *Engine) String() string {
	b, _ := json.Marshal(e.Stats())
	return string(b)
}

// Default returns the engine that the package's functions use, to read its Stats or to
// publish it: expvar.Publish("ringio", ringio.Default()).
func Default() *Engine { return shared() }

// kind is an operation that is watched.
type kind int

const (
	kindRead kind = iota
	kindWrite
	kindSync
	kindOpen
	kindRecv
	kindSend
	kindAccept
	kindConnect
	kinds
)

var kindNames = [kinds]string{"read", "write", "sync", "open", "recv", "send", "accept", "connect"}

var kindRegions = func() (regions [kinds]string) {
	for k, name := range kindNames {
		regions[k] = "ringio." + name
	}
	return regions
}()

// watch takes the time of operations while it is on.
type watch struct {
	on    atomic.Bool
	place [kinds][len(Histogram{})]atomic.Uint64
}

// begin returns the time if it is wanted, to be given to end.
func (w *watch) begin() (t time.Time) {
	if w.on.Load() {
		t = time.Now()
	}
	return t
}

func (w *watch) end(k kind, began time.Time) {
	if !began.IsZero() {
		w.add(k, time.Since(began))
	}
}

// watches reports whether an operation is to be timed, or shown in a trace.
func (w *watch) watches() bool { return w.on.Load() || trace.IsEnabled() }

// call carries out an operation that is watched.
func (w *watch) call(ctx context.Context, k kind, f func() (int, error)) (int, error) {
	defer trace.StartRegion(ctx, kindRegions[k]).End()
	began := w.begin()
	n, err := f()
	w.end(k, began)
	return n, err
}

// span is an operation that is under way, and nothing where none is watched.
type span struct {
	watch  *watch
	kind   kind
	began  time.Time
	region *trace.Region
}

// start returns the span of an operation, to be ended by the same goroutine.
func (w *watch) start(ctx context.Context, k kind) (s span) {
	if w.watches() {
		s = span{w, k, w.begin(), trace.StartRegion(ctx, kindRegions[k])}
	}
	return s
}

func (s span) end() {
	if s.watch != nil {
		s.region.End()
		s.watch.end(s.kind, s.began)
	}
}

func (w *watch) add(k kind, d time.Duration) {
	w.place[k][min(bits.Len64(uint64(max(d, 0))), len(Histogram{})-1)].Add(1)
}

func (w *watch) latency() map[string]Histogram {
	if !w.on.Load() {
		return nil
	}
	all := map[string]Histogram{}
	for k := range kinds {
		var h Histogram
		some := uint64(0)
		for i := range h {
			h[i] = w.place[k][i].Load()
			some |= h[i]
		}
		if some != 0 {
			all[kindNames[k]] = h
		}
	}
	return all
}
