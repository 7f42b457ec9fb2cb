// Nop-giouring measures no-op requests through giouring. Build it with
// -ldflags=-checklinkname=0: it uses a function of the runtime that Go's linker
// has refused since.
package main

import (
	"fmt"
	"syscall"

	"github.com/pawelgaczynski/giouring"

	"github.com/go-liburing/liburing/bench/peers/internal/nop"
)

func main() { nop.Main("nop-giouring", open) }

func open() (func(uint32) error, error) {
	ring := giouring.NewRing()
	if err := ring.QueueInit(nop.Entries, nop.Flags); err != nil {
		return nil, err
	}
	if _, err := ring.RegisterRingFd(); err != nil {
		return nil, err
	}
	var failed error
	var seen uint32
	see := func(cqe *giouring.CompletionQueueEvent) {
		if cqe.Res < 0 {
			failed = syscall.Errno(-cqe.Res)
		}
		seen++
	}
	return func(n uint32) error {
		for i := range n {
			sqe := ring.GetSQE()
			sqe.PrepareNop()
			sqe.SetData64(uint64(i))
		}
		if _, err := ring.SubmitAndWait(n); err != nil {
			return err
		}
		seen = 0
		ring.ForEachCQE(see)
		ring.CQAdvance(seen)
		if failed == nil && seen != n {
			failed = fmt.Errorf("%d completions of %d", seen, n)
		}
		return failed
	}, nil
}
