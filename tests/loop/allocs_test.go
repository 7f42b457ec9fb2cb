//go:build linux

package loop_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// nops has a request follow the other.
func nops(t *testing.T, l *liburing.Loop, n int) {
	left := n
	var next liburing.Callback
	next = func(liburing.Completion) {
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
	r, _ := ringtest.Pipe(t)
	for name, prepare := range map[string]func(t *testing.T) *liburing.Loop{
		"plain": func(t *testing.T) *liburing.Loop { return ringtest.NewLoop(t, 8) },
		"a context elsewhere": func(t *testing.T) *liburing.Loop {
			l := ringtest.NewLoop(t, 8)
			ctx, cancel := context.WithCancel(t.Context())
			t.Cleanup(cancel)
			l.Read(r, make([]byte, 1), 0, nil).WithContext(ctx)
			return l
		},
		"a quiet chain elsewhere": func(t *testing.T) *liburing.Loop {
			l := ringtest.NewLoop(t, 8)
			l.Read(r, make([]byte, 1), 0, nil).LinkNext()
			l.Nop(nil).SkipSuccess()
			return l
		},
		"big completions": func(t *testing.T) *liburing.Loop {
			return ringtest.NewLoop(t, 8, liburing.WithFlags(liburing.SetupCQE32))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := prepare(t)
			nops(t, l, 100)
			require.Less(t, ringtest.Mallocs(func() { nops(t, l, 1000) }), 100)
		})
	}
}

func TestNothingIsAllocatedForWakeUps(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	ran := make(chan error, 1)
	go func() { ran <- l.Run(context.Background()) }()
	called, asleep := make(chan bool), ringtest.Asleep(l)
	f := func() { called <- true }
	wake := func(n int) {
		for range n {
			for !asleep.Load() {
				runtime.Gosched()
			}
			l.Post(f)
			<-called
		}
	}
	wake(10)
	require.Less(t, ringtest.Mallocs(func() { wake(500) }), 100)
	l.Stop()
	<-ran
}

// A stream that waits for buffers costs nothing meanwhile.
func TestWaitingStreamIsIdle(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	g := ringtest.NewGroup(t, l, 1, 8, 0)
	a, b := ringtest.SocketPair(t)
	var held liburing.Borrowed
	l.Rearm(func(cb liburing.Callback) liburing.Request { return l.RecvMultishot(b, nil, 0, cb).Buffers(g) }, func(c liburing.Completion) {
		if c.Res > 0 {
			held = c.Keep()
		}
	})
	l.Timeout(time.Hour, 0, 0, nil) // RunUntilIdle does not wait for a stream that waits
	unix.Write(a, ringtest.Pattern(16, 1))
	ringtest.RunUntil(t, l, 20*time.Millisecond, func() bool { return ringtest.InsideGroup(g).Waiting == 1 })
	before := l.Stats().Enters
	ringtest.RunFor(t, l, 100*time.Millisecond)
	require.Less(t, l.Stats().Enters-before, uint64(10))
	require.NoError(t, held.Release())
}

// Nor do those that fail with an error which has no reason to be told: a socket without
// data, a time that has passed, a timeout that was in time.
func TestNothingIsAllocatedForFailures(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	a, _ := ringtest.SocketPair(t)
	buf := make([]byte, 8)
	for name, request := range map[string]func(liburing.Callback){
		"EAGAIN": func(cb liburing.Callback) { l.Recv(a, buf, unix.MSG_DONTWAIT, cb) },
		"ETIME":  func(cb liburing.Callback) { l.Timeout(time.Nanosecond, 0, 0, cb) },
		"ECANCELED": func(cb liburing.Callback) {
			l.Nop(nil).LinkNext()
			l.LinkTimeout(time.Second, 0, cb)
		},
	} {
		t.Run(name, func(t *testing.T) {
			left, failed := 0, 0
			var next liburing.Callback
			next = func(c liburing.Completion) {
				if c.Res < 0 {
					failed++
				}
				if left--; left > 0 {
					request(next)
				}
			}
			run := func(n int) {
				left, failed = n, 0
				request(next)
				ringtest.RunIdle(t, l)
				require.Equal(t, n, failed)
			}
			run(100)
			require.Less(t, ringtest.Mallocs(func() { run(1000) }), 100)
		})
	}
}
