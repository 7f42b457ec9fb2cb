package liburing

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Finish lets the loop end in order, and closes it then: callbacks and posted
// functions run, and may make requests, until no request is in flight and none of
// them waits; only then comes Close. What ends by itself only with its peer or its
// timer (streams, Accept, Every) is to be stopped first. It may be called from any
// goroutine, while the loop runs and while it stands still; in a callback it does not
// wait. Without a context it waits as long as it takes.
//
// If ctx ends first, the error is its error, wrapped, and the loop is as it was, but
// for its end when there is nothing more to do: Close ends it at once. A loop for
// drivers' commands (OpURingCmd), which can't be cancelled, is ended like this.
func (l *Loop) Finish(ctx context.Context) error {
	if ctx == nil {
		ctx = context.Background()
	}
	if l.onThread() {
		l.finishing = true
		return nil
	}
	if l.Post(func() { l.finishing = true }) != nil {
		return l.Close(ctx)
	}
	for {
		err := l.RunUntilIdle(ctx)
		switch {
		case err == nil || errors.Is(err, ErrClosed):
			if l.closing.Load() {
				return l.Close(ctx)
			}
		case !errors.Is(err, ErrRunning):
			return fmt.Errorf("liburing: the loop has not come to an end: %w", err)
		}
		// Somebody else runs it, or has just stopped it.
		select {
		case <-l.done:
		case <-ctx.Done():
		case <-time.After(finishLook):
		}
	}
}

// finishLook is how often Finish looks whether whoever runs the loop still does.
const finishLook = 10 * time.Millisecond
