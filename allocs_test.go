//go:build linux && cgo

package liburing

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// mallocs returns how many objects f allocates.
func mallocs(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.Mallocs - before.Mallocs)
}

// nops has a request follow the other.
func nops(t *testing.T, l *Loop, n int) {
	left := n
	var next Callback
	next = func(Completion) {
		if left--; left > 0 {
			l.Nop(next)
		} else {
			l.Stop()
		}
	}
	l.Nop(next)
	require.NoError(t, l.Run(context.Background()))
}

// What one request needs, others don't pay for.
func TestNothingIsAllocatedForRequests(t *testing.T) {
	r, _ := pipe(t)
	for name, prepare := range map[string]func(t *testing.T) *Loop{
		"plain": func(t *testing.T) *Loop { return newLoop(t, 8) },
		"a context elsewhere": func(t *testing.T) *Loop {
			l := newLoop(t, 8)
			ctx, cancel := context.WithCancel(t.Context())
			t.Cleanup(cancel)
			l.Read(r, make([]byte, 1), 0, nil).WithContext(ctx)
			return l
		},
		"a quiet chain elsewhere": func(t *testing.T) *Loop {
			l := newLoop(t, 8)
			l.Read(r, make([]byte, 1), 0, nil).LinkNext()
			l.Nop(nil).SkipSuccess()
			return l
		},
		"big completions": func(t *testing.T) *Loop { return newLoop(t, 8, WithFlags(SetupCQE32)) },
	} {
		t.Run(name, func(t *testing.T) {
			l := prepare(t)
			nops(t, l, 100)
			require.Less(t, mallocs(func() { nops(t, l, 1000) }), 100)
		})
	}
}

func TestNothingIsAllocatedForWakeUps(t *testing.T) {
	l := newLoop(t, 8)
	ran := make(chan error, 1)
	go func() { ran <- l.Run(context.Background()) }()
	called := make(chan bool)
	f := func() { called <- true }
	wake := func(n int) {
		for range n {
			for !l.mail.sleeping.Load() {
				runtime.Gosched()
			}
			l.Post(f)
			<-called
		}
	}
	wake(10)
	require.Less(t, mallocs(func() { wake(500) }), 100)
	l.Stop()
	<-ran
}

// A stream that waits for buffers costs nothing meanwhile.
func TestWaitingStreamIsIdle(t *testing.T) {
	l := newLoop(t, 8)
	g := newGroup(t, l, 1, 8, 0)
	a, b := socketPair(t)
	var held Borrowed
	l.Rearm(func(cb Callback) Request { return l.RecvMultishot(b, nil, 0, cb).Buffers(g) }, func(c Completion) {
		if c.Res > 0 {
			held = c.Keep()
		}
	})
	l.Timeout(time.Hour, 0, 0, nil) // RunUntilIdle does not wait for a stream that waits
	unix.Write(a, pattern(16, 1))
	runUntil(t, l, 20*time.Millisecond, func() bool { return len(g.waiting) == 1 })
	before := l.Stats().Enters
	runFor(t, l, 100*time.Millisecond)
	require.Less(t, l.Stats().Enters-before, uint64(10))
	require.NoError(t, held.Release())
}
