//go:build linux

package liburing_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The newest request comes first, whatever place it has, and timeouts come last, the
// oldest of them first: that is how the kernel keeps them.
func TestCancelOrder(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	r, _ := ringtest.Pipe(t)
	var others, timeouts []liburing.Token
	keep := func() {
		others = append(others, l.Read(r, make([]byte, 1), 0, nil).Token())
		timeouts = append(timeouts, l.Timeout(time.Hour, 0, 0, nil).Token())
	}
	keep()
	for range 3 { // these places are used again, the last one first
		l.Nop(nil)
	}
	keep()
	ringtest.RunFor(t, l, time.Millisecond)
	for range 3 {
		keep()
	}
	slices.Reverse(others)
	require.Equal(t, append(others, timeouts...), l.CancelOrder())
}

// What is in flight when a loop is closed ends in few system calls, whatever it is; a
// cancel that comes too late is none that anybody is told of.
func TestCloseWithManyInFlight(t *testing.T) {
	const n = 5000
	r, _ := ringtest.Pipe(t)
	socket, _ := ringtest.SocketPair(t)
	word := new(uint32)
	for name, request := range map[string]func(l *liburing.Loop, cb liburing.Callback){
		"timers":    func(l *liburing.Loop, _ liburing.Callback) { l.After(time.Hour, func() { t.Error("called") }) },
		"timeouts":  func(l *liburing.Loop, cb liburing.Callback) { l.Timeout(time.Hour, 0, 0, cb) },
		"reads":     func(l *liburing.Loop, cb liburing.Callback) { l.Read(r, make([]byte, 1), 0, cb) },
		"polls":     func(l *liburing.Loop, cb liburing.Callback) { l.PollAdd(r, unix.POLLIN, cb) },
		"multishot": func(l *liburing.Loop, cb liburing.Callback) { l.PollMultishot(r, unix.POLLIN, cb) },
		"receives":  func(l *liburing.Loop, cb liburing.Callback) { l.Recv(socket, make([]byte, 1), 0, cb) },
		"deadlines": func(l *liburing.Loop, cb liburing.Callback) {
			l.Recv(socket, make([]byte, 1), 0, cb).Deadline(time.Hour)
		},
		"chains": func(l *liburing.Loop, cb liburing.Callback) {
			l.Recv(socket, make([]byte, 1), 0, cb).LinkNext()
			l.Nop(cb)
		},
		"futexes": func(l *liburing.Loop, cb liburing.Callback) {
			l.FutexWait(word, 0, 1, liburing.Futex2SizeU32|liburing.Futex2Private, 0, cb)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "futexes" {
				ringtest.NeedsOps(t, liburing.OpFutexWait)
			}
			l := ringtest.NewLoop(t, 256)
			made, told := 0, 0
			for range n {
				request(l, func(c liburing.Completion) {
					require.ErrorIs(t, c.Err(), unix.ECANCELED)
					told++
				})
			}
			made = l.Stats().InFlight
			ringtest.RunFor(t, l, time.Millisecond)
			before := l.Stats()
			start := time.Now()
			ringtest.CloseLoop(t, l)
			after := l.Stats()
			t.Logf("%v, %d system calls", time.Since(start), after.Enters-before.Enters)
			if name != "timers" {
				require.GreaterOrEqual(t, told, n)
				require.LessOrEqual(t, told, made)
			}
			if l.Ring() != nil && !ringtest.KernelBefore(6, 1) {
				require.Less(t, after.Enters-before.Enters, uint64(4*n/64), "more than a few at a time")
			}
		})
	}
}

// So does what a context ends that many requests have, while the loop goes on with others.
func TestContextOfManyInFlight(t *testing.T) {
	if ringtest.KernelBefore(6, 1) {
		t.Skip("this kernel ends all that is cancelled in any call")
	}
	const n = 4000
	l := ringtest.NewLoop(t, 256)
	r, _ := ringtest.Pipe(t)
	ctx, cancel := context.WithCancel(t.Context())
	told, others := 0, 0
	for range n {
		l.Read(r, make([]byte, 1), 0, func(c liburing.Completion) {
			require.ErrorIs(t, c.Err(), context.Canceled)
			told++
		}).WithContext(ctx)
	}
	var goOn liburing.Callback
	goOn = func(liburing.Completion) {
		if others++; told < n {
			l.Nop(goOn)
		}
	}
	ringtest.RunFor(t, l, time.Millisecond)
	before := l.Stats()
	cancel()
	ringtest.RunUntil(t, l, time.Millisecond, func() bool { return told > 0 })
	l.Nop(goOn)
	ringtest.RunIdle(t, l)
	require.Equal(t, n, told)
	after := l.Stats()
	require.Less(t, after.Enters-before.Enters-uint64(others), uint64(n/32))
}
