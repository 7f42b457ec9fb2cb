package liburing

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// LoopGroup is several loops that run side by side, as a rule one a processor. Each
// has its own thread and ring, and shares nothing with the others; connections
// come to each by a listener of its own (SO_REUSEPORT), or from one that accepts
// and hands them on with Post and Next, or with HandOver if they are direct
// descriptors.
type LoopGroup struct {
	loops []*Loop
	next  atomic.Uint32
}

// NewLoopGroup sets up n loops as NewLoop does. If one fails none is left.
func NewLoopGroup(n, entries int, opts ...Option) (*LoopGroup, error) {
	if n < 1 {
		return nil, badInput("group of loops", "n is %d: it must be 1 at least", n)
	}
	g := new(LoopGroup)
	for range n {
		l, err := NewLoop(entries, opts...)
		if err != nil {
			return nil, errors.Join(err, g.Close(context.Background()))
		}
		g.loops = append(g.loops, l)
	}
	return g, nil
}

// Loops returns the loops.
func (g *LoopGroup) Loops() []*Loop { return g.loops }

// Next returns the loops in turns. It may be called from any goroutine.
func (g *LoopGroup) Next() *Loop { return g.loops[(g.next.Add(1)-1)%uint32(len(g.loops))] }

// Run runs all loops as Loop.Run does. When one ends, by Stop or with an error,
// the others are stopped; the error is the first one's. A callback's panic comes
// out of it like out of Loop.Run, when all have ended.
func (g *LoopGroup) Run(ctx context.Context) error {
	if ctx == nil {
		ctx = context.Background()
	}
	all, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	panics := make(chan any, len(g.loops))
	for _, l := range g.loops {
		wg.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					panics <- v
					cancel(errStopped)
				}
			}()
			err := l.Run(all)
			if err == nil {
				err = errStopped
			}
			cancel(err)
		})
	}
	wg.Wait()
	select {
	case v := <-panics:
		panic(v)
	default:
	}
	switch cause := context.Cause(all); {
	case cause == errStopped:
		return nil
	case ctx.Err() != nil && cause == context.Cause(ctx):
		return ctx.Err()
	default:
		return cause
	}
}

// Stop makes Run return. It may be called from any goroutine.
func (g *LoopGroup) Stop() {
	for _, l := range g.loops {
		l.Stop()
	}
}

// Close closes all loops, side by side, as Loop.Close does.
func (g *LoopGroup) Close(ctx context.Context) error {
	errs := make([]error, len(g.loops))
	var wg sync.WaitGroup
	for i, l := range g.loops {
		wg.Go(func() { errs[i] = l.Close(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
