package ringio

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Options are wishes for an Engine; the zero value has the defaults.
type Options struct {
	// Entries is how many requests go to the kernel at once, 256 if it is zero. More
	// may be in flight.
	Entries int

	// Rings is how many rings the engine has, one if it is zero. Files and connections
	// are spread over them.
	Rings int

	// SQPoll, if not zero, has a kernel thread take the requests, which sleeps after
	// that long without one. It takes a processor of its own to be worth it.
	SQPoll time.Duration

	// Workers is how many kernel threads each of the process's threads may have for
	// requests that block, 8 if it is zero.
	Workers int

	// Interrupts has the kernel interrupt a thread to tell it of a completion. Without,
	// one that computes is told when it next enters the kernel, a few milliseconds later
	// at most, which costs others that much and spares a third of the processor's time.
	// It is for programs that compute for milliseconds at a time and have to answer
	// faster than that.
	Interrupts bool

	// Histograms has Stats tell how long operations take.
	Histograms bool

	// NoRing has the engine do without io_uring: os and net do all the work.
	NoRing bool
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

// Engine is what carries out the requests of files and connections: one or several
// rings, or, where there can be none, os and net. The package's functions use one that
// the process shares and that is made on first use.
type Engine struct {
	rings []*engine // none: os and net
	why   error     // why there are none
	turn  atomic.Uint32
	watch watch
}

// New returns an Engine of one's own. Where io_uring can't be used it is one over os
// and net, and Available says why. Shut it down when it is not needed any more.
func New(o Options) (*Engine, error) {
	if o.Entries < 0 || o.Rings < 0 || o.Workers < 0 || o.SQPoll < 0 {
		return nil, errors.New("ringio: an option is below zero")
	}
	e := new(Engine)
	e.watch.on.Store(o.Histograms)
	if o.NoRing {
		e.why = errNoRing
		return e, nil
	}
	for range max(o.Rings, 1) {
		ring, err := newEngine(o)
		if err != nil {
			e.Shutdown(context.Background())
			return &Engine{why: err}, nil
		}
		e.rings = append(e.rings, ring)
	}
	return e, nil
}

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

// Shutdown gives the rings back. It waits until what is in flight has ended; when ctx
// ends first it cancels that, waits for the kernel to be done with it, and returns
// ctx's error. Files go on working, by plain system calls.
func (e *Engine) Shutdown(ctx context.Context) error {
	var all sync.WaitGroup
	errs := make([]error, len(e.rings))
	for i, ring := range e.rings {
		all.Go(func() { errs[i] = ring.shutdown(ctx) })
	}
	all.Wait()
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
