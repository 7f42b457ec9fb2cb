//go:build linux

package loop_test

import (
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// overBatch has callbacks called with the completions of no-ops that come all at once,
// while a read of an empty pipe is in flight, and then lets the pipe's reads go.
func overBatch(t *testing.T, l *liburing.Loop, callback func(i, pipe int)) {
	const batch = 16
	r, w := ringtest.Pipe(t)
	l.Read(r, make([]byte, 1), 0, nil)
	for i := range batch {
		l.Nop(func(c liburing.Completion) {
			require.NoError(t, c.Err())
			callback(i, r)
			if i == batch-1 {
				_, err := unix.Write(w, make([]byte, batch+1)) // a byte for each read
				require.NoError(t, err)
			}
		})
	}
	ringtest.RunIdle(t, l)
}

// A file's requests are handed over before all callbacks of a batch have been called.
func TestRequestsOfFilesDoNotWaitForTheBatch(t *testing.T) {
	l := ringtest.NewLoop(t, 32)
	var first liburing.Token
	var last liburing.State
	overBatch(t, l, func(i, pipe int) {
		token := l.Read(pipe, make([]byte, 1), 0, nil).Token()
		if i == 0 {
			first = token
		}
		last = l.State(first)
	})
	require.Equal(t, liburing.StateInFlight, last)
}

// What is to be submitted with what other callbacks collect waits for them.
func TestRequestsOfFilesWaitForWhatIsCollected(t *testing.T) {
	l := ringtest.NewLoop(t, 32)
	var first liburing.Token
	collected, states := 0, map[liburing.State]bool{}
	overBatch(t, l, func(i, pipe int) {
		if i == 0 {
			first = l.Read(pipe, make([]byte, 1), 0, nil).Token()
			l.BeforeSubmit(func() {
				require.Equal(t, 16, collected)
				require.Equal(t, liburing.StateQueued, l.State(first))
			})
		}
		collected++
		states[l.State(first)] = true
	})
	require.Equal(t, map[liburing.State]bool{liburing.StateQueued: true}, states)
}

// A chain that several callbacks make goes to the kernel as a whole.
func TestChainOfCallbacksStaysWhole(t *testing.T) {
	l := ringtest.NewLoop(t, 32)
	var order []string
	note := func(name string) liburing.Callback {
		return func(liburing.Completion) { order = append(order, name) }
	}
	overBatch(t, l, func(i, pipe int) {
		if i < 8 {
			l.Read(pipe, make([]byte, 1), 0, note("read")).LinkNext()
		}
		if i == 8 {
			l.Nop(note("end"))
		}
	})
	require.Len(t, order, 9)
	require.Equal(t, "end", order[8])
}

// What comes from the page cache is submitted many at a time, whatever the loop.
func TestCachedReadsShareSystemCalls(t *testing.T) {
	file := int(ringtest.TempFile(t, ringtest.Pattern(64, 1)).Fd())
	if _, err := unix.Preadv2(file, [][]byte{make([]byte, 8)}, 0, unix.RWF_NOWAIT); err != nil {
		require.ErrorIs(t, err, unix.EOPNOTSUPP)
		t.Skip("this file system reads in workers only: no completion comes at once")
	}
	const depth, reads = 16, 16_000
	share := func(t *testing.T, l *liburing.Loop) {
		left := reads
		var read func()
		read = func() {
			l.Read(file, make([]byte, 8), 0, func(c liburing.Completion) {
				if left--; left >= depth {
					read()
				}
			})
		}
		for range depth {
			read()
		}
		ringtest.RunIdle(t, l)
		require.Less(t, l.Stats().Enters, uint64(reads/depth*3/2))
	}
	t.Run("plain", func(t *testing.T) { share(t, ringtest.NewLoop(t, 32)) })
	t.Run("observed", func(t *testing.T) {
		l := ringtest.NewLoop(t, 32)
		require.NoError(t, l.Observe(liburing.ObserveStacks))
		share(t, l)
	})
}

// What belongs to no request is told before a loop counts as idle.
func TestMessagesBehindTheLastPortion(t *testing.T) {
	ringtest.NeedsKernel(t, 5, 18)
	const n = 20
	l := ringtest.NewLoop(t, 64)
	told := 0
	l.OnMessage(func(uint64, liburing.Completion) { told++ })
	var fd int
	require.NoError(t, l.Control(func(ring *liburing.Ring) error { fd = ring.FD(); return nil }))
	other := ringtest.NewRing(t, n)
	zero, err := unix.Open("/dev/zero", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(zero)
	l.Nop(func(liburing.Completion) {
		l.Read(zero, make([]byte, 8), 0, nil)
		for i := range n {
			other.GetSQE().PrepMsgRing(fd, 0, uint64(i), 0)
		}
		_, err := other.SubmitAndWait(n)
		require.NoError(t, err)
	})
	ringtest.RunIdle(t, l)
	require.Equal(t, n, told)
}

// What is submitted early does not take the room of completions that are yet to be told.
func TestPortionsLeaveRoomForCompletions(t *testing.T) {
	l := ringtest.NewLoop(t, 32, liburing.WithCQEntries(32))
	var overflows uint64
	overBatch(t, l, func(_, pipe int) {
		l.Read(pipe, make([]byte, 1), 0, nil)
		for range 4 {
			l.Nop(nil)
		}
		overflows = l.Stats().Overflows // before the reads end, all at once
	})
	require.Zero(t, overflows)
}
