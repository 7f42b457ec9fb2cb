package ringio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-liburing/liburing"
)

// Options are the options of an Engine; the zero value has the defaults.
type Options struct {
	// Entries is how many requests go to the kernel at once, 256 if zero, 4096 if more than
	// that. More may be in flight.
	Entries int

	// Rings is how many rings the engine has, one if zero. Files and connections are
	// spread over them.
	Rings int

	// SQPoll, if not zero, makes a kernel thread take the requests; it sleeps after that
	// long without one. This is worth it only with a spare processor. Before Linux 5.13
	// only privileged programs may have one; others' rings are without it.
	SQPoll time.Duration

	// Workers is how many kernel threads each of the process's threads may have for
	// requests that block, 8 if zero. Needs Linux 5.15; before it the kernel decides.
	Workers int

	// FixedBuffers is how many buffers of FixedBufferSize bytes, 4096 if zero, rounded up
	// to whole pages, are registered with the rings: Engine.Buffers has them. With
	// O_DIRECT, reads and writes of such memory save the kernel looking up its pages. The
	// memory counts as locked (RLIMIT_MEMLOCK); where that is too little, Stats.FixedBuffers
	// is zero and the buffers are memory like any other.
	FixedBuffers    int
	FixedBufferSize int

	// Interrupts makes the kernel interrupt a thread to deliver a completion. Otherwise a
	// thread that computes delivers it when it next enters the kernel, a few milliseconds
	// later at most; others wait that much longer, but a third of the processor time is
	// saved. It is for programs that compute for milliseconds at a time and have to answer
	// faster than that. Before Linux 5.19 the kernel always does.
	Interrupts bool

	// Histograms makes Stats tell how long operations take.
	Histograms bool

	// NoRing makes the engine do without io_uring: os and net do all the work.
	NoRing bool
}

// check returns the error of an option that can't be.
func (o Options) check() error {
	for _, number := range []struct {
		name string
		n    int64
	}{
		{"Entries", int64(o.Entries)}, {"Rings", int64(o.Rings)}, {"SQPoll", int64(o.SQPoll)}, {"Workers", int64(o.Workers)},
		{"FixedBuffers", int64(o.FixedBuffers)}, {"FixedBufferSize", int64(o.FixedBufferSize)},
	} {
		if number.n < 0 {
			return fmt.Errorf("ringio: Options.%s is below zero: %d", number.name, number.n)
		}
	}
	return nil
}

func (o Options) entries() int {
	if o.Entries <= 0 {
		return 256
	}
	return min(o.Entries, 4096)
}

func (o Options) workers() int {
	if o.Workers <= 0 {
		return 8
	}
	return o.Workers
}

// Engine carries out the requests of files and connections: with one or several rings,
// or, where there can be none, with os and net. The package's functions use one that
// the whole process shares and that is made on first use.
type Engine struct {
	rings   []*engine // none: os and net
	why     error     // why there are none
	turn    atomic.Uint32
	watch   watch
	buffers *liburing.BufferPool
	known   int // how many of them the rings know
}

// New returns a new Engine. If io_uring can't be used, or there is too little for as many
// rings (of descriptors, of locked memory), it runs on os and net, and Stats tells so, and
// why. Shut it down when it is no longer needed. An error is one of the options: a number
// below zero, or more FixedBuffers than there is memory for.
func New(o Options) (*Engine, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	e := new(Engine)
	e.watch.on.Store(o.Histograms)
	if o.FixedBuffers > 0 {
		var err error
		e.buffers, err = liburing.NewBufferPool(o.FixedBuffers, cmp.Or(o.FixedBufferSize, 4096))
		if err != nil && !errors.Is(err, liburing.ErrNotSupported) {
			return nil, err
		}
	}
	if e.why = e.addRings(o); e.why == nil && e.buffers != nil {
		e.register(o.FixedBuffers)
	}
	return e, nil
}

// addRings makes the rings, all or none.
func (e *Engine) addRings(o Options) error {
	if o.NoRing {
		return errNoRing
	}
	for range max(o.Rings, 1) {
		ring, err := newEngine(o)
		if err != nil {
			for _, ring := range e.rings {
				ring.stop()
			}
			e.rings = nil
			return err
		}
		ring.watch = &e.watch
		e.rings = append(e.rings, ring)
	}
	return nil
}

// register has the rings know the buffers.
func (e *Engine) register(n int) {
	for _, ring := range e.rings {
		if !ring.registerFixed(e.buffers) {
			return
		}
	}
	e.known = n
}

// Buffers returns the buffers of Options.FixedBuffers, nil if there are none. They
// begin at a page boundary, as O_DIRECT requires, and lie outside Go's heap. Give back
// what was taken before the engine is shut down.
func (e *Engine) Buffers() *liburing.BufferPool { return e.buffers }

// pick returns the ring for a new file or connection, nil if there is none.
func (e *Engine) pick() *engine {
	if len(e.rings) <= 1 {
		for _, ring := range e.rings {
			return ring
		}
		return nil
	}
	return e.rings[e.turn.Add(1)%uint32(len(e.rings))]
}

// ErrShutdown is the error of what has to wait, on a connection or a listener, for an engine
// that is shut down. It is net.ErrClosed too, so that loops that accept or read end with it;
// Close is still to be called.
var ErrShutdown = error(shutdownError{})

type shutdownError struct{}

func (shutdownError) Error() string        { return "ringio: the engine is shut down" }
func (shutdownError) Is(target error) bool { return target == net.ErrClosed }

// Shutdown closes the rings. It waits until what is in flight has ended, reads that wait
// and what was written among it; if ctx ends first it cancels that, waits for the kernel
// to be done with it, and returns ctx's error.
//
// Files go on working, by plain system calls. The engine's connections and listeners still
// do what they can without waiting: read, accept and write what there is, or is room for.
// Where they would have to wait, or were waiting when ctx ended, they fail with ErrShutdown,
// also in http.Serve and the like: so end servers first. Connections and listeners that are
// made later are net's own.
func (e *Engine) Shutdown(ctx context.Context) error {
	var all sync.WaitGroup
	errs := make([]error, len(e.rings))
	for i, ring := range e.rings {
		all.Go(func() { errs[i] = ring.shutdown(ctx) })
	}
	all.Wait()
	if e.buffers != nil {
		errs = append(errs, e.buffers.Close())
	}
	return errors.Join(errs...)
}

// The engine that the package's functions use.
var shared = sync.OnceValue(func() *Engine {
	e, _ := New(Options{})
	if e.why != nil {
		slog.Info("ringio goes without io_uring", "why", e.why)
	}
	return e
})

// Shutdown shuts down the engine that the package's functions use, see
// Engine.Shutdown. It is for the end of a program: there will be no other.
func Shutdown(ctx context.Context) error { return shared().Shutdown(ctx) }
