// Nop-dshulyak-uring measures no-op requests through dshulyak's uring, which
// does not register its ring.
package main

import (
	"syscall"

	"github.com/dshulyak/uring"

	"github.com/go-liburing/liburing/bench/peers/internal/nop"
)

func main() { nop.Main("nop-dshulyak-uring", open) }

func open() (func(uint32) error, error) {
	ring, err := uring.Setup(nop.Entries, &uring.IOUringParams{Flags: nop.Flags})
	if err != nil {
		return nil, err
	}
	return func(n uint32) error {
		for i := range n {
			sqe := ring.GetSQEntry()
			uring.Nop(sqe)
			sqe.SetUserData(uint64(i))
		}
		if _, err := ring.Submit(n); err != nil {
			return err
		}
		for range n {
			cqe, err := ring.GetCQEntry(0)
			if err != nil {
				return err
			}
			if cqe.Result() < 0 {
				return syscall.Errno(-cqe.Result())
			}
		}
		return nil
	}, nil
}
