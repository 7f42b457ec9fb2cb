package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// mostThreads is more than there can be connections at the limit of descriptors
// that systems have.
const mostThreads = 1 << 16

// threads has a thread for each connection.
func threads(ctx context.Context, s server) error {
	debug.SetMaxThreads(mostThreads)
	return untilDone(ctx, func() error {
		for {
			fd, err := accept(s.listener, 0)
			if err != nil {
				return fmt.Errorf("accept: %w", err)
			}
			go func() {
				runtime.LockOSThread() // for good: so the thread ends with the goroutine
				converse(fd)
			}()
		}
	})
}

// threadPool has a number of threads from the start, each of which serves one
// client after the other.
func threadPool(ctx context.Context, s server) error {
	return untilDone(ctx, func() error {
		ended := make(chan error)
		for range s.workers {
			go func() {
				runtime.LockOSThread()
				ended <- answerEach(s.listener)
			}()
		}
		return <-ended
	})
}
