// Nop-go-uring measures no-op requests through go-uring, which has no way to
// ask for the setup flags that the others have, nor to register its ring.
package main

import (
	"fmt"

	"github.com/godzie44/go-uring/uring"

	"github.com/go-liburing/liburing/bench/peers/internal/nop"
)

func main() { nop.Main("nop-go-uring", open) }

func open() (func(uint32) error, error) {
	ring, err := uring.New(nop.Entries)
	if err != nil {
		return nil, err
	}
	request := uring.Nop()
	cqes := make([]*uring.CQEvent, nop.Entries)
	return func(n uint32) error {
		for i := range n {
			if err := ring.QueueSQE(request, 0, uint64(i)); err != nil {
				return err
			}
		}
		if _, err := ring.SubmitAndWaitCQEvents(n); err != nil {
			return err
		}
		seen := ring.PeekCQEventBatch(cqes)
		for _, cqe := range cqes[:seen] {
			if err := cqe.Error(); err != nil {
				return err
			}
		}
		ring.AdvanceCQ(uint32(seen))
		if uint32(seen) != n {
			return fmt.Errorf("%d completions of %d", seen, n)
		}
		return nil
	}, nil
}
